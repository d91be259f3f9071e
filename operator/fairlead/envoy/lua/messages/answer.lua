-- An answer of chat/completions as one of Messages -------------------------------------------------------------------

local NAMED = { ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

local function utf8_of(code)
  if code < 128 then return char(code) end
  if code < 2048 then return char(192 + floor(code / 64), 128 + code % 64) end
  if code < 65536 then return char(224 + floor(code / 4096), 128 + floor(code / 64) % 64, 128 + code % 64) end
  return char(240 + floor(code / 262144), 128 + floor(code / 4096) % 64, 128 + floor(code / 64) % 64, 128 + code % 64)
end

-- What a string of JSON says; nil where half a character is escaped in it.
local function unquoted(text)
  local inner = sub(text, 2, -2)
  local out, n, at = {}, 0, 1
  while true do
    local found = find(inner, "\\", at, true)
    if not found then break end
    out[n + 1] = sub(inner, at, found - 1)
    local code = tonumber(match(inner, "^u(%x%x%x%x)", found + 1) or "", 16)
    if not code then
      out[n + 2], at = NAMED[sub(inner, found + 1, found + 1)], found + 2
      if not out[n + 2] then return nil end
    else
      at = found + 6
      if code >= 55296 and code < 57344 then
        local low = code < 56320 and match(inner, "^\\u([dD][c-fC-F]%x%x)", at)
        if not low then return nil end
        code, at = 65536 + (code - 55296) * 1024 + tonumber(low, 16) - 56320, at + 6
      end
      out[n + 2] = utf8_of(code)
    end
    n = n + 2
  end
  out[n + 1] = sub(inner, at)
  return concat(out)
end

local DEEPEST = 128

local function after_plain_string(s, at)
  local past = after_string(s, at)
  -- Blanks in their place: what stands around an escape must not become one
  local inner = past and gsub(gsub(sub(s, at + 1, past - 2), '\\["\\/bfnrt]', " "), "\\u%x%x%x%x", " ")
  return inner and not find(inner, "[%c\\]") and past or nil
end

-- The place after the value of RFC 8259 that begins at `at`; nil where there is none. What models write is often none.
local after_strict

local function after_list(s, at, close, named, depth)
  local past = match(s, "^%s*" .. close .. "()", at)
  if past then return past end
  repeat
    at = match(s, "^%s*()", at)
    if named then
      local stop = byte(s, at) == 34 and after_plain_string(s, at)
      at = stop and match(s, "^%s*:%s*()", stop)
    end
    local stop = at and after_strict(s, at, depth + 1)
    if not stop then return nil end
    past, at = match(s, "^%s*" .. close .. "()", stop), match(s, "^%s*,()", stop)
  until past or not at
  return past
end

function after_strict(s, at, depth)
  local c = byte(s, at)
  if depth > DEEPEST then return nil end
  if c == 34 then return after_plain_string(s, at) end
  if c == 123 then return after_list(s, at + 1, "}", true, depth) end
  if c == 91 then return after_list(s, at + 1, "%]", false, depth) end
  local word, past = match(s, "^([%w+.-]+)()", at)
  if word == "true" or word == "false" or word == "null" then return past end
  local digits, rest = match(word or "", "^%-?(%d+)(.*)$")
  if not digits or find(digits, "^0%d") then return nil end
  rest = gsub(gsub(rest, "^%.%d+", ""), "^[eE][+-]?%d+$", "")
  return rest == "" and past or nil
end

local STOPS = { stop = "end_turn", length = "max_tokens", tool_calls = "tool_use", function_call = "tool_use",
  content_filter = "refusal" }

-- Why an answer ended. One that calls a tool ends for that: OpenAI says `stop` where the request named the tool.
local function reason_of(finish, calls)
  local reason = STOPS[match(finish or "", '^"([%w_]+)"$') or ""] or "end_turn"
  return calls and reason == "end_turn" and '"tool_use"' or '"' .. reason .. '"'
end

local function count(text) return tonumber(match(text or "", "^%d+$") or "") or 0 end

-- Anthropic counts what was read from the cache beside the input.
local function usage_of(text)
  local usage = text and members(text) or {}
  local details = usage.prompt_tokens_details and members(usage.prompt_tokens_details) or {}
  local cached, input = count(details.cached_tokens), count(usage.prompt_tokens)
  if cached > input then cached = input end
  return format('{"input_tokens":%.0f,"cache_creation_input_tokens":0,"cache_read_input_tokens":%.0f,"output_tokens":%.0f}',
    input - cached, cached, count(usage.completion_tokens))
end

local function is_text(value) return value and byte(value) == 34 and value ~= '""' end

-- The input of a tool from the arguments of a call; nil where they are no object.
local function input_of(arguments)
  if not arguments or arguments == '""' then return "{}" end
  local input = byte(arguments) == 34 and unquoted(arguments)
  local open = input and match(input, "^%s*(){")
  local past = open and after_strict(input, open, 0)
  return past and find(input, "^%s*$", past) and input or nil
end

local function tool_block(one)
  local call = members(one)
  local named = call and call["function"] and members(call["function"])
  local input = named and input_of(named.arguments)
  if not input or not is_text(call.id) or not is_text(named.name) then return nil end
  return '{"type":"tool_use","id":' .. call.id .. ',"name":' .. named.name .. ',"input":' .. input .. "}"
end

local function is_nothing(value) return not value or value == "null" end

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

-- A whole answer in other words; nil where it says what no message can.
local function message_of(s)
  local body = members(s)
  local choices = body and body.choices and elements(body.choices)
  local choice = choices and choices[1] and members(choices[1])
  local message = choice and choice.message and members(choice.message)
  local texts = message and is_nothing(message.function_call) and texts_of(message.content)
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

local KINDS = { [400] = "invalid_request_error", [401] = "authentication_error", [403] = "permission_error",
  [404] = "not_found_error", [413] = "request_too_large", [429] = "rate_limit_error", [529] = "overloaded_error" }

local function error_of(status, message)
  local kind = KINDS[status] or (status >= 500 and "api_error" or "invalid_request_error")
  return '{"type":"error","error":{"type":"' .. kind .. '","message":' .. message .. "}}"
end

-- The error of a provider in other words. One that has no message says its status.
local function problem_of(s, status)
  local body = members(s)
  local problem = body and body.error and (members(body.error) or { message = body.error })
  local message = problem and problem.message
  return error_of(status, is_text(message) and message or '"The provider answered ' .. status .. '."')
end
