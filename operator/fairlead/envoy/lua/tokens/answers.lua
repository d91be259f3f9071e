-- The filter ----------------------------------------------------------------------------------------------------------

-- Takes the next bytes of a stream: `kept` is the event that has not ended, of which the client has `sent` bytes.
-- Returns what goes on to the client in place of these bytes.
local function advance(h, state, s)
  local text = state.kept == "" and s or state.kept .. s
  local stop = last_end(text)
  local shown, removed = note(h, state, text, 1, stop)
  local begun = state.sent
  local rest = sub(text, stop + 1)
  state.kept = rest
  if stop == 0 and state.sent > 0 or not state.unasked or rest == "" or not may_go(rest) then
    state.sent = #rest
    return begun == 0 and shown or sub(shown, begun + 1)
  end
  state.sent = 0
  return sub(shown, begun + 1, stop - removed)
end

-- Ends a stream: what was kept goes on with its last chunk.
local function finish(h, state)
  local kept, record = state.kept, state.record
  if kept ~= "" then
    local left = sub(note(h, state, kept, 1, #kept), state.sent + 1)
    if left ~= "" and state.sent < #kept then
      local chunk = state.chunk
      local length = chunk:length()
      chunk:setBytes((length > 0 and chunk:getBytes(0, length) or "") .. left)
    end
  end
  if record.later then read_event(h, record, record.later) end
  if record.changed then publish(h, record, false) end
end

local function read_stream(h, unasked)
  local state = { record = { events = 0 }, unasked = unasked, kept = "", sent = 0 }
  local pull = h:bodyChunks()
  function state.next()
    local chunk = pull()
    if not chunk then return nil end
    state.chunk = chunk
    local length = chunk:length()
    return length > 0 and chunk:getBytes(0, length) or ""
  end
  local s, before = state.next(), ""
  while s do
    -- Most chunks are whole events without usage.
    if s ~= "" and (state.kept ~= "" or before ~= "" or not is_end(s, #s) or seek(s, 1)) then
      local shown = advance(h, state, s)
      if shown ~= s then state.chunk:setBytes(before .. shown) end
    end
    s, before = nil, ""
    if #state.kept > LARGE then
      s, before = read_large(h, state, state.kept)
      state.kept, state.sent = "", 0
      if not before then -- of what the client has
        state.kept, state.sent, s, before = s, #s, nil, ""
      end
    end
    s = s or state.next()
  end
  finish(h, state)
end

local function read_answer(h)
  local pull = h:bodyChunks()
  local function more()
    local chunk = pull()
    if not chunk then return nil end
    local length = chunk:length()
    return length > 0 and chunk:getBytes(0, length) or ""
  end
  local record = {}
  read_object({ s = "", i = 1, more = more }, member, { record = record })
  if record.changed then publish(h, record, false) end
end

function envoy_on_response(h)
  local headers = h:headers()
  local kind = headers:get("content-type")
  if not kind or not find(lower(kind), "text/event-stream", 1, true) then return read_answer(h) end
  local ours = h:streamInfo():dynamicMetadata():get("fairlead")
  local unasked = ours ~= nil and ours.unasked == true
  if unasked then headers:remove("content-length") end
  read_stream(h, unasked)
end
