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
  return '"format":{"type":"json_schema","schema":' .. object(wanted.schema, "response_format") .. "}"
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

-- A number that both APIs take from 0 to 1; the other one no further, and this one up to `most`.
local function share(name, most)
  return function(value)
    local number = tonumber(value)
    if not number or number < 0 or number > most then refuse(name) end
    return number > 1 and draw_anyhow(name) or ',"' .. name .. '":' .. value
  end
end

-- Of a member that the other API cannot say: the values that say nothing.
local function neutral(name, says_nothing)
  return function(value)
    if not says_nothing(value) then refuse(name) end
    return ""
  end
end

-- The same of how tokens are drawn.
local function drawn(name, says_nothing)
  return function(value) return says_nothing(value) and "" or draw_anyhow(name) end
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
  temperature = share("temperature", 2), top_p = share("top_p", 1),
  top_k = function(value) return ',"top_k":' .. value end,
  stop = stops_of, response_format = nothing, reasoning_effort = nothing,
  user = function(value) return ',"metadata":{"user_id":' .. word(value, "user") .. "}" end,
  cache_control = function(value) return ',"cache_control":' .. object(value, "cache_control") end,
  n = neutral("n", is_one), seed = drawn("seed", function() return false end),
  presence_penalty = drawn("presence_penalty", is_zero), frequency_penalty = drawn("frequency_penalty", is_zero),
  logprobs = neutral("logprobs", is_false), top_logprobs = neutral("top_logprobs", is_zero),
  logit_bias = drawn("logit_bias", is_empty), modalities = neutral("modalities", is_text_alone),
  functions = neutral("functions", is_empty), thinking = neutral("thinking", is_disabled),
  store = function(value)
    if value ~= "false" then leave("store") end
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

-- Whether the other API takes thinking beside the rest: temperature, top_k and forced calls of tools are refused there.
-- https://platform.claude.com/docs/en/build-with-claude/extended-thinking
local function may_think(body)
  local choice, top_p = value_in(body, "tool_choice") or '"auto"', tonumber(value_in(body, "top_p") or 1)
  return tonumber(value_in(body, "temperature") or 1) == 1 and top_p and top_p >= 0.95 and not value_in(body, "top_k")
    and (choice == '"auto"' or choice == '"none"')
end

-- What a word of effort becomes: a member, and one of `output_config`; empty for nothing. With a budget the model's own
-- thoughts must come back with what a tool says, and clients of this API have none.
local function thinking_of(body, limit, after_tools)
  local effort = value_in(body, "reasoning_effort")
  if not effort or effort == '"none"' then return "", "" end
  effort = match(effort, '^"(%l+)"$') or ""
  local kind = may_think(body) and terms.reasoning
  if kind == "Effort" and EFFORTS[effort] then
    return ',"thinking":{"type":"adaptive"}', '"effort":"' .. EFFORTS[effort] .. '"'
  end
  local budget = kind == "Budget" and not after_tools and budget_of(effort, limit)
  if budget then return ',"thinking":{"type":"enabled","budget_tokens":' .. format("%d", budget) .. "}", "" end
  leave("reasoning_effort")
  return "", ""
end

local function to_messages(s)
  local body, order = members(s)
  if not body then refuse("body") end
  local limit = value_in(body, "max_completion_tokens") or value_in(body, "max_tokens") or terms.most
  local conversation, after_tools = conversation_of(needed(value_in(body, "messages"), "messages"))
  local out = { '{"model":' .. needed(body.model, "model") .. ',"max_tokens":' .. limit .. conversation }
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
  local wanted = value_in(body, "response_format")
  local shape = wanted and format_of(wanted) or ""
  local thinking, effort = thinking_of(body, limit, after_tools)
  if shape ~= "" or effort ~= "" then
    shape = ',"output_config":{' .. shape .. (shape ~= "" and effort ~= "" and "," or "") .. effort .. "}"
  end
  return concat(out) .. thinking .. shape .. "}"
end

local function in_other_words(s, wanted) return said_by(to_messages, s, wanted) end
