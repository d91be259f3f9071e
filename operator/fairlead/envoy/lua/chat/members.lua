-- What becomes of a member of a request to chat/completions -----------------------------------------------------------

local FORMAT = { type = true, json_schema = true }
local SCHEMA = { name = true, description = true, schema = true, strict = true }

local function format_of(value)
  local found = parts_of(value, "response_format")
  local kind = type_of(found)
  if kind == "text" then return "" end
  if kind ~= "json_schema" then refuse("response_format of type " .. kind) end
  only(found, FORMAT, "response_format")
  local wanted = parts_of(needed(found.json_schema, "response_format"), "response_format")
  only(wanted, SCHEMA, "response_format")
  if wanted.description then leave("response_format.description") end
  return ',"output_config":{"format":{"type":"json_schema","schema":' .. object(wanted.schema, "response_format") .. "}}"
end

-- A text that ends the answer: the other API takes none without a letter, such as a newline alone.
local function stop_of(text)
  local said = unquoted(word(text, "stop"))
  if not said or not find(said, "%S") then refuse("stop") end
  return text
end

local function stops_of(value)
  if byte(value) == 34 then return ',"stop_sequences":[' .. stop_of(value) .. "]" end
  local stops = needed(elements(value), "stop")
  for i = 1, #stops do stop_of(stops[i]) end
  return #stops > 0 and ',"stop_sequences":' .. value or ""
end

-- A number that both APIs take from 0 to 1; the other one no further.
local function share(name)
  return function(value)
    local number = tonumber(value)
    if not number or number < 0 or number > 1 then refuse(name) end
    return ',"' .. name .. '":' .. value
  end
end

-- Of a member that the other API cannot say: the values that say nothing.
local function neutral(name, says_nothing)
  return function(value)
    if not says_nothing(value) then refuse(name) end
    return ""
  end
end

local function is_zero(value) return tonumber(value) == 0 end
local function is_one(value) return tonumber(value) == 1 end
local function is_false(value) return value == "false" end
local function is_empty(value) return match(value, "^[%[{]%s*[%]}]$") ~= nil end
local function is_text_alone(value) return match(value, '^%[%s*"text"%s*%]$') ~= nil end
local function is_disabled(value) return type_of(parts_of(value, "thinking")) == "disabled" end

local function hint(name)
  return function() leave(name) return "" end
end

local function nothing() return "" end

-- By name: a text, empty for nothing. What is not here is refused.
local SAID = {
  model = nothing, messages = nothing, max_tokens = nothing, max_completion_tokens = nothing, tools = nothing,
  tool_choice = nothing, parallel_tool_calls = nothing, stream_options = nothing,
  stream = function(value) return value == "true" and ',"stream":true' or "" end,
  temperature = share("temperature"), top_p = share("top_p"),
  top_k = function(value) return ',"top_k":' .. value end,
  stop = stops_of, response_format = format_of,
  user = function(value) return ',"metadata":{"user_id":' .. word(value, "user") .. "}" end,
  cache_control = function(value) return ',"cache_control":' .. object(value, "cache_control") end,
  n = neutral("n", is_one), seed = neutral("seed", function() return false end),
  presence_penalty = neutral("presence_penalty", is_zero), frequency_penalty = neutral("frequency_penalty", is_zero),
  logprobs = neutral("logprobs", is_false), top_logprobs = neutral("top_logprobs", is_zero),
  logit_bias = neutral("logit_bias", is_empty), modalities = neutral("modalities", is_text_alone),
  functions = neutral("functions", is_empty), thinking = neutral("thinking", is_disabled),
  store = function(value)
    if value ~= "false" then leave("store") end
    return ""
  end,
  reasoning_effort = function(value)
    if value ~= '"none"' then leave("reasoning_effort") end
    return ""
  end,
}
for _, name in ipairs({ "metadata", "service_tier", "prompt_cache_key", "prompt_cache_retention", "safety_identifier",
  "verbosity", "prediction" }) do
  SAID[name] = hint(name)
end

-- What `choice_of` and the like look at; nil for `null`, as where it is not there.
local function value_in(body, name)
  local value = body[name]
  return value ~= "null" and value or nil
end

-- `most`: the tokens of an answer where the client does not say, which the other API must be told.
local function to_messages(s, most)
  local body, order = members(s)
  if not body then refuse("body") end
  local limit = value_in(body, "max_completion_tokens") or value_in(body, "max_tokens") or most
  local out = { '{"model":' .. needed(body.model, "model") .. ',"max_tokens":' .. limit
    .. conversation_of(needed(value_in(body, "messages"), "messages")) }
  local tools, choice = value_in(body, "tools"), value_in(body, "tool_choice")
  local defined = tools and needed(elements(tools), "tools") or {}
  if #defined > 0 then
    out[2] = ',"tools":' .. tools_of(defined) .. choice_of(choice, body.parallel_tool_calls)
  elseif choice then
    refuse("tool_choice")
  end
  for _, name in ipairs(order) do
    local value = body[name]
    if value ~= "null" then out[#out + 1] = needed(SAID[name], name)(value) end
  end
  return concat(out) .. "}"
end

local function in_other_words(s, most)
  return said_by(function(text) return to_messages(text, most) end, s)
end
