-- An answer of chat/completions as one of Messages -------------------------------------------------------------------

local STOPS = { stop = "end_turn", length = "max_tokens", tool_calls = "tool_use", function_call = "tool_use",
  content_filter = "refusal" }

-- Why an answer ended. One that calls a tool ends for that: OpenAI says `stop` where the request named the tool.
local function reason_of(finish, calls)
  local reason = STOPS[match(finish or "", '^"([%w_]+)"$') or ""] or "end_turn"
  return calls and reason == "end_turn" and '"tool_use"' or '"' .. reason .. '"'
end

-- Anthropic counts what was read from the cache beside the input.
local function usage_of(text)
  local usage = text and members(text) or {}
  local details = usage.prompt_tokens_details and members(usage.prompt_tokens_details) or {}
  local cached, input = count(details.cached_tokens), count(usage.prompt_tokens)
  if cached > input then cached = input end
  local output, total = count(usage.completion_tokens), count(usage.total_tokens)
  if total > input + output then output = total - input end -- what was thought is counted in the total alone
  return format('{"input_tokens":%.0f,"cache_creation_input_tokens":0,"cache_read_input_tokens":%.0f,"output_tokens":%.0f}',
    input - cached, cached, output)
end

local ODD_IN_IDS = "[^%w_-]" -- by Anthropic's API: an agent whose next rung speaks it sends them there

local function tool_block(one)
  local call = members(one)
  local named = call and call["function"] and members(call["function"])
  local input = named and input_of(named.arguments)
  if not input or not is_text(call.id) or not is_text(named.name) then return nil end
  return '{"type":"tool_use","id":' .. plain_id(call.id, ODD_IN_IDS) .. ',"name":' .. named.name .. ',"input":' .. input .. "}"
end

-- The texts of an answer's content, which some providers give in parts; nil where it is something else. What a model
-- thought is left out.
local function texts_of(content)
  if is_nothing(content) or content == '""' then return {} end
  if byte(content) == 34 then return { content } end
  local texts = {}
  for _, one in ipairs(elements(content) or { "" }) do
    local part = members(one)
    local kind = part and match(part.type or "", '^"([%w_]+)"$')
    if kind == "text" and part.text and byte(part.text) == 34 then
      if part.text ~= '""' then texts[#texts + 1] = part.text end
    elseif kind ~= "thinking" and kind ~= "reasoning" then
      return nil
    end
  end
  return texts
end

-- Whether a message, or a part of one, has nothing but what blocks can say.
local function is_sayable(message)
  return is_nothing(message.function_call) and is_nothing(message.audio)
    and (is_nothing(message.images) or match(message.images, "^%[%s*%]$") ~= nil)
end

-- A whole answer in other words; nil where it says what no message can.
local function message_of(s)
  local body = members(s)
  local choices = body and body.choices and elements(body.choices)
  local choice = choices and choices[1] and members(choices[1])
  local message = choice and choice.message and members(choice.message)
  local texts = message and is_sayable(message) and texts_of(message.content)
  if not texts then return nil end
  if is_text(message.refusal) then texts[#texts + 1] = message.refusal end
  local blocks = {}
  for i, text in ipairs(texts) do blocks[i] = '{"type":"text","text":' .. text .. "}" end
  local calls = message.tool_calls and elements(message.tool_calls) or {}
  for _, one in ipairs(calls) do
    local block = tool_block(one)
    if not block then return nil end
    blocks[#blocks + 1] = block
  end
  return '{"id":' .. (is_text(body.id) and body.id or '"msg"') .. ',"type":"message","role":"assistant","model":'
    .. (is_text(body.model) and body.model or '""')
    .. ',"content":[' .. concat(blocks, ",") .. '],"stop_reason":' .. reason_of(choice.finish_reason, #calls > 0)
    .. ',"stop_sequence":null,"usage":' .. usage_of(body.usage) .. "}"
end

-- The error of a provider in other words. One that has no message says its status.
local function problem_of(s, status)
  local body = members(s)
  local problem = body and body.error and (members(body.error) or { message = body.error })
  local message = problem and problem.message
  return error_of(status, is_text(message) and message or '"The provider answered ' .. status .. '."')
end
