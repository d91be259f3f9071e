-- A stream of Converse as one of Messages, event by event ---------------------------------------------------------------
-- Of the provider's stream the bytes of one frame are kept, and which block is open. One that ends before its reason ends
-- by an error. Usage comes behind the reason, in the last event.

local MOST_BLOCKS = 100000

local function event(out, name, text)
  out[#out + 1] = "event: " .. name .. "\ndata: " .. text .. "\n\n"
end

-- Ends a stream by an error: what comes after it is not looked at.
local function fail(state, out, text)
  state.ended = true
  event(out, "error", text)
end

local BROKEN = error_of(500, '"The provider\'s stream cannot be understood."')
local UNENDED = error_of(500, '"The provider\'s stream ended before its answer did."')
local NO_OUTPUT = error_of(500, '"The model wrote what is no answer."')

local function close_block(state, out)
  state.like = nil
  if not state.open then return end
  event(out, "content_block_stop", '{"type":"content_block_stop","index":' .. state.index .. "}")
  state.open = nil
end

local function open_block(state, out, kind, at, block)
  close_block(state, out)
  state.index, state.open, state.at = state.index + 1, kind, at
  event(out, "content_block_start",
    '{"type":"content_block_start","index":' .. state.index .. ',"content_block":' .. block .. "}")
end

local function delta(state, out, kind, value)
  event(out, "content_block_delta",
    '{"type":"content_block_delta","index":' .. state.index .. ',"delta":{"type":' .. kind .. value .. "}}")
end

-- Texts, and what a model thinks, begin without saying so.
local function continue(state, out, kind, at, block)
  if state.open ~= kind or state.at ~= at then open_block(state, out, kind, at, block) end
end

-- Most events say a piece of a text, and are for the rest as the one before: what was made of that one is taken, around
-- this one's piece. `like`: what stands before and behind the piece, there and in what was made of it.

-- What an event says behind the quote at `quote`, which ends its text: without the noise that hides how long that is.
local function rest_of(payload, quote)
  return match(payload, '^(.*),"p":"%w*"}$', quote) or match(payload, "^(.*)}$", quote)
end

-- False where it is another one.
local function is_like_last(state, out, payload)
  local from = state.like.from
  if find(payload, from, 1, true) ~= 1 then return false end
  local past = after_string(bytes_of(payload), #from, #payload)
  if not past or past < #from + 3 or rest_of(payload, past - 1) ~= state.like.to then return false end
  out[#out + 1] = state.like.head .. sub(payload, #from + 1, past - 2) .. '"}}\n\n'
  return true
end

-- Keeps what the next event is compared with: `text`, with its quotes, is what this one says.
local function learn(state, payload, text)
  local at, last = find(payload, text, 1, true)
  if not at or find(payload, text, last + 1, true) then return end
  state.like = { from = sub(payload, 1, at), to = rest_of(payload, last), head = "event: content_block_delta\ndata: "
    .. '{"type":"content_block_delta","index":' .. state.index .. ',"delta":{"type":"text_delta","text":"' }
end

local DELTAS = {}

function DELTAS.text(state, out, at, text, payload)
  if byte(text) ~= 34 then return false end
  if text == '""' then return true end
  continue(state, out, "text", at, '{"type":"text","text":""}')
  delta(state, out, '"text_delta","text":', text)
  learn(state, payload, text)
  return true
end

function DELTAS.toolUse(state, out, at, text)
  local use = members(text)
  if not use or not use.input or byte(use.input) ~= 34 or state.open ~= "tool_use" or state.at ~= at then return false end
  if use.input ~= '""' then delta(state, out, '"input_json_delta","partial_json":', use.input) end
  return true
end

function DELTAS.reasoningContent(state, out, at, text)
  local said = members(text)
  if not said then return false end
  if is_text(said.redactedContent) then
    if state.open == "redacted_thinking" and state.at == at then return false end -- half of one: nobody can read that
    open_block(state, out, "redacted_thinking", at, '{"type":"redacted_thinking","data":' .. said.redactedContent .. "}")
    return true
  end
  if not is_text(said.text) and not is_text(said.signature) then return true end
  continue(state, out, "thinking", at, '{"type":"thinking","thinking":"","signature":""}')
  if is_text(said.text) then delta(state, out, '"thinking_delta","thinking":', said.text) end
  if is_text(said.signature) then delta(state, out, '"signature_delta","signature":', said.signature) end
  return true
end

function DELTAS.citation() return true end -- what is cited is left out

local EVENTS = {}

function EVENTS.messageStart(state, out, body)
  if state.begun or body.role ~= '"assistant"' then return false end
  state.begun = true
  event(out, "message_start", '{"type":"message_start","message":{' .. head_of(state.id, state.model)
    .. ',"content":[],"stop_reason":null,"stop_sequence":null,' .. NONE_YET .. "}}")
  return true
end

function EVENTS.contentBlockStart(state, out, body)
  local start, names = members(body.start or "")
  if not state.begun or state.reason or not start or state.index == MOST_BLOCKS then return false end
  if #names == 0 then return true end -- what it is the first delta says
  local use = #names == 1 and start.toolUse and members(start.toolUse)
  if not use or use.type or not is_text(use.toolUseId) or not is_text(use.name) then return false end
  state.calls = state.calls + 1
  open_block(state, out, "tool_use", body.contentBlockIndex,
    '{"type":"tool_use","id":' .. use.toolUseId .. ',"name":' .. use.name .. ',"input":{}}')
  return true
end

function EVENTS.contentBlockDelta(state, out, body, payload)
  local found, names = members(body.delta or "")
  local say = found and #names == 1 and DELTAS[names[1]]
  if not say or not state.begun or state.reason or not body.contentBlockIndex or state.index == MOST_BLOCKS then return false end
  return say(state, out, body.contentBlockIndex, found[names[1]], payload)
end

function EVENTS.contentBlockStop(state, out, body)
  if not state.begun then return false end
  if state.open and state.at == body.contentBlockIndex then close_block(state, out) end -- else one that said nothing
  return true
end

-- The last words, once both the reason and the counts have come, or the stream has ended.
local function say_end(state, out)
  state.ended = true
  event(out, "message_delta", '{"type":"message_delta","delta":{"stop_reason":' .. state.reason .. ',"stop_sequence":'
    .. state.stop .. "}," .. (state.usage or NONE_YET) .. "}")
  event(out, "message_stop", '{"type":"message_stop"}')
end

function EVENTS.messageStop(state, out, body)
  if not state.begun or state.reason then return false end
  state.reason, state.stop = reason_of(body.stopReason, state.calls > 0), stop_of(body.additionalModelResponseFields)
  if not state.reason then
    fail(state, out, is_text(body.stopReason) and NO_OUTPUT or BROKEN)
    return true
  end
  close_block(state, out)
  if state.usage then say_end(state, out) end
  return true
end

function EVENTS.metadata(state, out, body)
  state.usage = usage_of(body.usage)
  if state.reason then say_end(state, out) end
  return true
end

-- Statuses of what is thrown in a stream: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
local STATUSES = { validationException = 400, throttlingException = 429 }

-- What is said in an event, or in an exception; an event of another name says nothing.
local function advance(state, out, name, payload, failed)
  if failed then
    return fail(state, out, problem_of(payload, STATUSES[name] or 500, "The provider ended the stream by " .. name .. "."))
  end
  local read = EVENTS[name]
  if not read or name == "contentBlockDelta" and state.like and is_like_last(state, out, payload) then return end
  local body = members(payload)
  if not body or not read(state, out, body, payload) then fail(state, out, BROKEN) end
end

local function finish(state, out)
  if state.ended then return end
  if state.reason then return say_end(state, out) end
  fail(state, out, state.begun and UNENDED or BROKEN)
end

-- `id`, `model`: what Converse does not say, as they stand in JSON.
local function new_stream(id, model)
  return { id = id, model = model, index = -1, pieces = {}, held = 0, calls = 0 }
end
