-- An answer of Converse as one of Messages ----------------------------------------------------------------------------
-- https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html

-- Why answers end. What is not here ended because a model wrote no answer: there is no word for that.
local REASONS = { end_turn = "end_turn", tool_use = "tool_use", max_tokens = "max_tokens",
  stop_sequence = "stop_sequence", guardrail_intervened = "refusal", content_filtered = "refusal",
  model_context_window_exceeded = "model_context_window_exceeded" }
local MALFORMED = { malformed_model_output = true, malformed_tool_use = true }

-- Nil for an answer that is none. One that calls a tool ends for that.
local function reason_of(text, calls)
  local reason = match(text or "", '^"([%w_]+)"$')
  if not reason or MALFORMED[reason] then return nil end
  local said = REASONS[reason] or "end_turn"
  return '"' .. (calls and said == "end_turn" and "tool_use" or said) .. '"'
end

local COUNTS = { "inputTokens", "outputTokens" }
local MORE_COUNTS = { "totalTokens", "cacheReadInputTokens", "cacheWriteInputTokens" }
local NONE_YET = '"\\u0075sage":{"input_tokens":0,"output_tokens":0}'

-- A count as it stands there: 0 where there is none, nil where it is no count.
local function count_in(usage, name)
  local value = usage[name]
  if is_nothing(value) then return "0" end
  return match(value, "^%d+$") and #value <= 15 and value or nil
end

-- What was written into the cache for an hour, and for five minutes; nil where that is not told apart.
local function lifetimes_of(details)
  local hour, minutes = 0, 0
  local list = not is_nothing(details) and elements(details)
  if not list or #list == 0 then return nil end
  for _, one in ipairs(list) do
    local detail = members(one) or {}
    if detail.ttl == '"1h"' then hour = hour + count(detail.inputTokens) else minutes = minutes + count(detail.inputTokens) end
  end
  return hour, minutes
end

-- The member `usage`. The token filter reads it behind this: counts that are not there, or contradict each other, are no
-- zeros. Their name is escaped then, which says the same to clients, and nothing to that filter.
local function usage_of(text)
  local usage = text and members(text) or {}
  for _, name in ipairs(COUNTS) do
    if is_nothing(usage[name]) then return NONE_YET end
  end
  local counts = {}
  for _, names in ipairs({ COUNTS, MORE_COUNTS }) do
    for _, name in ipairs(names) do
      counts[name] = count_in(usage, name)
      if not counts[name] then return NONE_YET end
    end
  end
  local total = tonumber(counts.totalTokens)
  if total > 0 and total < counts.inputTokens + counts.outputTokens then return NONE_YET end
  local hour, minutes = lifetimes_of(usage.cacheDetails)
  return '"usage":{"input_tokens":' .. counts.inputTokens .. ',"cache_creation_input_tokens":' .. counts.cacheWriteInputTokens
    .. ',"cache_read_input_tokens":' .. counts.cacheReadInputTokens
    .. (hour and format(',"cache_creation":{"ephemeral_5m_input_tokens":%.0f,"ephemeral_1h_input_tokens":%.0f}', minutes, hour) or "")
    .. ',"output_tokens":' .. counts.outputTokens .. "}"
end

-- Which text ended an answer, for those who asked for that.
local function stop_of(text)
  local fields = not is_nothing(text) and members(text) or {}
  return is_text(fields.stop_sequence) and fields.stop_sequence or "null"
end

local BLOCKS = {}

function BLOCKS.text(text)
  if byte(text) ~= 34 then return nil end
  return text ~= '""' and '{"type":"text","text":' .. text .. "}" or ""
end

function BLOCKS.toolUse(text)
  local use = members(text)
  if not use or use.type or not is_text(use.toolUseId) or not is_text(use.name) then return nil end
  if not use.input or byte(use.input) ~= 123 then return nil end
  return '{"type":"tool_use","id":' .. use.toolUseId .. ',"name":' .. use.name .. ',"input":' .. use.input .. "}"
end

function BLOCKS.reasoningContent(text)
  local found = members(text) or {}
  if is_text(found.redactedContent) then return '{"type":"redacted_thinking","data":' .. found.redactedContent .. "}" end
  local said = found.reasoningText and members(found.reasoningText)
  if not said or not said.text or byte(said.text) ~= 34 then return nil end
  return '{"type":"thinking","thinking":' .. said.text .. ',"signature":'
    .. (is_text(said.signature) and said.signature or '""') .. "}"
end

-- The texts that a model wrote with citations; what they cite is left out.
function BLOCKS.citationsContent(text)
  local found = members(text)
  local parts = found and found.content and elements(found.content)
  if not parts then return nil end
  local texts = {}
  for i, one in ipairs(parts) do
    local part = members(one)
    if not part or not part.text or byte(part.text) ~= 34 then return nil end
    texts[i] = sub(part.text, 2, -2)
  end
  return '{"type":"text","text":"' .. concat(texts) .. '"}'
end

-- The beginning of an answer: who wrote it, which Converse does not say.
local function head_of(id, model)
  return '"id":"' .. id .. '","type":"message","role":"assistant","model":"' .. model .. '"'
end

-- A whole answer in other words; nil where it says what no message can. `id` and `model`: as they stand in JSON.
local function message_of(s, id, model)
  local body = members(s)
  local output = body and body.output and members(body.output)
  local message = output and output.message and members(output.message)
  local content = message and message.content and elements(message.content)
  if not content then return nil end
  local blocks, calls = {}, false
  for _, one in ipairs(content) do
    local block, names = members(one)
    local say = block and #names == 1 and BLOCKS[names[1]]
    local said = say and say(block[names[1]])
    if not said then return nil end
    if said ~= "" then blocks[#blocks + 1] = said end
    calls = calls or names[1] == "toolUse"
  end
  local reason = reason_of(body.stopReason, calls)
  if not reason then return nil end
  return "{" .. head_of(id, model) .. ',"content":[' .. concat(blocks, ",") .. '],"stop_reason":' .. reason
    .. ',"stop_sequence":' .. stop_of(body.additionalModelResponseFields) .. "," .. usage_of(body.usage) .. "}"
end

-- The error of a provider in other words. `unsaid`: what is said where it has no message.
local function problem_of(s, status, unsaid)
  local body = members(s) or {}
  local message = body.message or body.Message
  return error_of(status, is_text(message) and message or '"' .. unsaid .. '"')
end
