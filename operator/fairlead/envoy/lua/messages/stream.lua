-- A stream of chat/completions as one of Messages, event by event ----------------------------------------------------
-- Of the provider's stream the bytes of one event are kept, and which block is open. A stream that ends before its reason
-- has no end here either, which is how clients know.

local MOST_CALLS = 1000

local function event(out, name, text)
  out[#out + 1] = "event: " .. name .. "\ndata: " .. text .. "\n\n"
end

local function close_block(state, out)
  if not state.open then return end
  event(out, "content_block_stop", '{"type":"content_block_stop","index":' .. state.index .. "}")
  state.open = nil
end

local function open_block(state, out, open, block)
  close_block(state, out)
  state.index, state.open, state.call = state.index + 1, open, nil
  event(out, "content_block_start",
    '{"type":"content_block_start","index":' .. state.index .. ',"content_block":' .. block .. "}")
end

local function delta(state, out, kind, value)
  event(out, "content_block_delta",
    '{"type":"content_block_delta","index":' .. state.index .. ',"delta":{"type":' .. kind .. value .. "}}")
end

local function text_delta(state, out, text)
  if not is_text(text) then return end
  if state.open ~= "text" then open_block(state, out, "text", '{"type":"text","text":""}') end
  state.text = text
  delta(state, out, '"text_delta","text":', text)
end

-- Part of a call. Another id begins another one, whatever its index: some providers give all calls the same, or none.
-- One that comes back after another has begun cannot be said: its block is closed.
local function call_delta(state, out, one)
  local call = members(one)
  if not call then return false end
  local named, id, open = call["function"] and members(call["function"]) or {}, is_text(call.id) and call.id, state.call
  local is_other = open and ((id and id ~= open.id) or (call.index and open.index and call.index ~= open.index))
  if not open or is_other then
    if not id or not is_text(named.name) or state.seen[id] or state.calls == MOST_CALLS then return false end
    state.seen[id], state.calls = true, state.calls + 1
    open_block(state, out, "call", '{"type":"tool_use","id":' .. plain_id(id, ODD_IN_IDS) .. ',"name":' .. named.name
      .. ',"input":{}}')
    state.call = { id = id, index = call.index, name = named.name }
  elseif is_text(named.name) and named.name ~= open.name then
    return false -- a name in parts: the first was said already
  end
  if is_text(named.arguments) then
    state.text = named.arguments
    delta(state, out, '"input_json_delta","partial_json":', named.arguments)
  end
  return true
end

local function begin(state, out, body)
  if state.begun then return end
  state.begun = true
  event(out, "message_start", '{"type":"message_start","message":{"id":' .. (is_text(body.id) and body.id or '"msg"')
    .. ',"type":"message","role":"assistant","model":' .. (is_text(body.model) and body.model or '""')
    .. ',"content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"output_tokens":0}}}')
end

-- Ends a stream by an error: what comes after it is not looked at.
local function fail(state, out, text)
  state.ended = true
  event(out, "error", text)
end

local BROKEN = '{"type":"error","error":{"type":"api_error","message":"The provider\'s stream cannot be understood."}}'

local function finish(state, out)
  if state.ended then return end
  if not state.begun then return fail(state, out, BROKEN) end -- no event said anything
  if not state.reason then return end
  state.ended = true
  close_block(state, out)
  event(out, "message_delta", '{"type":"message_delta","delta":{"stop_reason":'
    .. reason_of(state.reason, state.calls > 0) .. ',"stop_sequence":null},"usage":' .. usage_of(state.usage) .. "}")
  event(out, "message_stop", '{"type":"message_stop"}')
end

local UNSAID = '"The provider ended the stream by an error."'

local function advance(state, out, data)
  if data == "[DONE]" then return finish(state, out) end
  local body = members(data)
  if not body then return fail(state, out, BROKEN) end
  if not is_nothing(body.error) then return fail(state, out, problem_of(data, 500)) end
  if body.object == '"error"' then
    return fail(state, out, error_of(500, is_text(body.message) and body.message or UNSAID))
  end
  if body.usage and body.usage ~= "null" then state.usage = body.usage end
  local choices = body.choices and elements(body.choices)
  local choice = choices and choices[1] and members(choices[1])
  -- Azure's first event tells what its filters found in the prompt, and names neither answer nor model.
  if choice or is_text(body.id) then begin(state, out, body) end
  if not choice then return end
  local said = choice.delta and members(choice.delta) or {}
  local texts = is_sayable(said) and texts_of(said.content)
  if not texts then return fail(state, out, BROKEN) end
  for _, text in ipairs(texts) do text_delta(state, out, text) end
  text_delta(state, out, said.refusal)
  for _, one in ipairs(said.tool_calls and elements(said.tool_calls) or {}) do
    if not call_delta(state, out, one) then return fail(state, out, BROKEN) end
  end
  if is_text(choice.finish_reason) then state.reason = choice.finish_reason end
end

local function new_stream() return { index = -1, pieces = {}, held = 0, seen = {}, calls = 0 } end
