-- The filter ----------------------------------------------------------------------------------------------------------

local FINISH = 'finish_reason":' -- quotes in a text would have backslashes

-- Notes why a choice of a stream ended, from events of OpenAI's; null and the like are passed over.
local function seek_reason(record, s)
  local _, last = find(s, FINISH, 1, true)
  while last do
    local c, following = byte(s, last + 1, last + 2)
    local reason = (c == 34 or c == 32 and following == 34) and match(s, '^ ?"([%w_%-]+)"', last + 1)
    if reason then return note_reason(record, reason) end
    _, last = find(s, FINISH, last + 1, true)
  end
end

-- Says why the answer ended, once all of it has come.
local function publish_reason(h, record)
  if record.reason then h:streamInfo():dynamicMetadata():set("fairlead", "finish", record.reason) end
end

-- Takes the next bytes of a stream: `kept` is the event that has not ended, of which the client has `sent` bytes.
-- Returns what goes on to the client in place of these bytes.
local function advance(h, state, s)
  local text = state.kept == "" and s or state.kept .. s
  local stop = last_end(text)
  if not state.record.reason then seek_reason(state.record, text) end
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
  note_batched(h, record)
  publish_reason(h, record)
end

local FIRST_BYTES = 512 -- of a stream, in which its first data are looked for
local ERRORS = { '^%s*{%s*"error"%s*:%s*[^%sn]', '^%s*{%s*"type"%s*:%s*"error"', '^%s*{%s*"object"%s*:%s*"error"' }

-- Notes a stream that begins with an error, or has nothing in it, as broken: it goes on as it is, but brought no answer.
-- `head` is what has come so far, and nil at the end; returns what is to be looked at once more came.
local function note_broken(h, head, more)
  local text = head == "" and more or head .. (more or "") -- a burst is not copied
  local data = match(text, "^data:()") or match(text, "[\r\n]data:()")
  local whole = not more or #text > FIRST_BYTES or data and find(text, "[\r\n]", data)
  if not whole then return text end
  local broken = not find(text, "%S")
  for i = 1, #ERRORS do broken = broken or data and find(text, ERRORS[i], data) end
  if broken then h:streamInfo():dynamicMetadata():set("fairlead", "broken", "1") end
  return nil
end

-- Most chunks are whole events without usage: passes over them. Returns the next bytes that are none; nil at the end.
local function pass_plain(state)
  local record, s = state.record, state.next()
  while s and (s == "" or is_end(s, #s) and not seek(s, 1)) do
    if not record.reason then seek_reason(record, s) end
    s = state.next()
  end
  return s
end

local function read_stream(h, unasked)
  local state = { record = { events = 0 }, unasked = unasked, kept = "", sent = 0 }
  local head = ""
  local pull = h:bodyChunks()
  function state.next()
    local chunk = pull()
    if not chunk then return nil end
    state.chunk = chunk
    local length = chunk:length()
    local text = length > 0 and chunk:getBytes(0, length) or ""
    if head then head = note_broken(h, head, text) end
    return text
  end
  local s, before = pass_plain(state), ""
  while s do
    local shown = advance(h, state, s)
    if shown ~= s then state.chunk:setBytes(before .. shown) end
    s, before = nil, ""
    if #state.kept > LARGE then
      s, before = read_large(h, state, state.kept)
      state.kept, state.sent = "", 0
      if not before then -- of what the client has
        state.kept, state.sent, s, before = s, #s, nil, ""
      end
    end
    if not s then
      if state.kept == "" then s = pass_plain(state) else s = state.next() end
    end
  end
  if head then note_broken(h, head, nil) end
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
  local kind = h:filterContext():get("kind")
  read_object({ s = "", i = 1, more = more }, member, { record = record, units = UNITS_OF[kind] })
  if record.changed then publish(h, record, false) end
  note_batched(h, record)
  publish_reason(h, record)
end

function envoy_on_response(h)
  local headers = h:headers()
  local kind = headers:get("content-type")
  kind = kind and lower(kind) or ""
  local metadata = h:streamInfo():dynamicMetadata()
  local kept = metadata:get("fairlead.cache")
  if kept and kept.saved then return end -- from before: its usage was read then
  local is_stream = find(kind, "text/event-stream", 1, true)
  if not is_stream and find(kind, "json", 1, true) then return read_answer(h) end
  if find(kind, "^audio/") or find(kind, "^image/") then return log_spoken(h) end
  local ours = metadata:get("fairlead")
  -- Some servers name no type, or `text/plain`, for the stream that they were asked for.
  if not is_stream and not (ours and tostring(ours.stream) == "true") then return read_answer(h) end
  -- What was asked in other words ends with usage by itself: who says it otherwise leaves that out
  local unasked = ours ~= nil and ours.unasked == true and ours.translated ~= "chat"
  if unasked then headers:remove("content-length") end
  read_stream(h, unasked)
end
