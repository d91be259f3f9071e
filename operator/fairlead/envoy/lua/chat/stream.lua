-- A stream of Messages as one of chat/completions, event by event -----------------------------------------------------
-- Of the provider's stream the bytes of one event are kept, and which block is open. A stream that ends before its reason
-- has no end here either, which is how clients know.

local MOST_CALLS = 1000

local function chunk_of(state, out, delta, reason)
  out[#out + 1] = "data: " .. state.head .. '{"index":0,"delta":' .. delta .. ',"logprobs":null,"finish_reason":'
    .. (reason or "null") .. "}]}\n\n"
end

-- Ends a stream by an error: what comes after it is not looked at.
local function fail(state, out, text)
  state.ended = true
  out[#out + 1] = "data: " .. text .. "\n\n"
end

local BROKEN = '{"error":{"message":"The provider\'s stream cannot be understood.","type":"server_error","param":null,"code":"bad_gateway"}}'

local function arguments(state, out, text)
  chunk_of(state, out, '{"tool_calls":[{"index":' .. state.calls - 1 .. ',"function":{"arguments":' .. text .. "}}]}")
end

local COUNTS = { "input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens" }

-- Counts are those of the whole answer so far; each is named where it changes.
local function take_usage(state, text)
  local usage = text and members(text) or {}
  for _, name in ipairs(COUNTS) do
    if not is_nothing(usage[name]) then state.usage[name] = usage[name] end
  end
end

local EVENTS = {}

function EVENTS.message_start(state, out, event)
  local message = not state.head and event.message and members(event.message)
  if not message then return false end
  state.head = head_of("chat.completion.chunk", message.id, message.model, now())
  take_usage(state, message.usage)
  chunk_of(state, out, '{"role":"assistant","content":"","refusal":null}')
  return true
end

function EVENTS.content_block_start(state, out, event)
  local block = state.head and not state.open and event.content_block and members(event.content_block)
  local kind = block and kind_of(block)
  if kind == "tool_use" then
    if state.calls == MOST_CALLS or not call_of(block) then return false end
    chunk_of(state, out, '{"tool_calls":[{"index":' .. state.calls .. ',"id":' .. block.id
      .. ',"type":"function","function":{"name":' .. block.name .. ',"arguments":""}}]}')
    state.calls, state.said = state.calls + 1, false
    -- Some servers say the whole input here, and nothing more
    state.input = not match(block.input, "^{%s*}$") and block.input or nil
  elseif kind == "text" then
    if is_text(block.text) then chunk_of(state, out, '{"content":' .. block.text .. "}") end
  elseif not THOUGHTS[kind or ""] then
    return false
  end
  state.open, state.kind = event.index, kind
  return state.open ~= nil
end

local SAID = { text_delta = "text", input_json_delta = "tool_use", thinking_delta = "thinking",
  signature_delta = "thinking", citations_delta = "text" }

function EVENTS.content_block_delta(state, out, event)
  local delta = event.delta and members(event.delta)
  local kind = kind_of(delta)
  if not state.open or event.index ~= state.open or not kind or SAID[kind] ~= state.kind then return false end
  if kind == "text_delta" and is_text(delta.text) then
    state.text = delta.text
    chunk_of(state, out, '{"content":' .. delta.text .. "}")
  elseif kind == "input_json_delta" and is_text(delta.partial_json) then
    state.said, state.text = true, delta.partial_json
    arguments(state, out, delta.partial_json)
  end
  return true
end

function EVENTS.content_block_stop(state, out, event)
  if not state.open or event.index ~= state.open then return false end
  -- Clients read the arguments of each call as JSON
  if state.kind == "tool_use" and not state.said then arguments(state, out, quoted(state.input or "{}")) end
  state.open = nil
  return true
end

function EVENTS.message_delta(state, _, event)
  local delta = state.head and event.delta and members(event.delta)
  if not delta then return false end
  if is_text(delta.stop_reason) then state.reason = delta.stop_reason end
  take_usage(state, event.usage)
  return true
end

local function finish(state, out)
  if state.ended then return end
  if not state.head then return fail(state, out, BROKEN) end -- no event said anything
  if not state.reason or state.open then return end
  state.ended = true
  chunk_of(state, out, "{}", reason_of(state.reason))
  if state.asked then out[#out + 1] = "data: " .. state.head .. '],"usage":' .. usage_of(state.usage) .. "}\n\n" end
  out[#out + 1] = "data: [DONE]\n\n"
end

function EVENTS.message_stop(state, out)
  if not state.head or not state.reason or state.open then return false end
  finish(state, out)
  return true
end

function EVENTS.error(state, out, event)
  local problem = event.error and members(event.error) or {}
  fail(state, out, error_of(500, is_text(problem.message) and problem.message
    or '"The provider ended the stream by an error."', kind_of(problem)))
  return true
end

-- What is said in an event; one of another type, such as `ping`, says nothing.
local function advance(state, out, data)
  local event = members(data)
  local kind = event and kind_of(event)
  if not kind then return fail(state, out, BROKEN) end
  local read = EVENTS[kind]
  if read and not read(state, out, event) then fail(state, out, BROKEN) end
end

-- `asked`: whether the client wants the usage.
local function new_stream(asked) return { pieces = {}, held = 0, calls = 0, usage = {}, asked = asked } end
