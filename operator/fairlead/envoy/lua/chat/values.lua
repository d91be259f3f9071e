-- Members of a request to chat/completions that other APIs have as it has them, or have not -----------------------------

local FORMAT = { type = true, json_schema = true }
local SCHEMA = { name = true, description = true, schema = true, strict = true }

-- The schema that an answer is to have, with its name and what else is said of it; nil where it may be any text.
local function schema_in(value)
  local found = parts_of(value, "response_format")
  local kind = type_of(found)
  if kind == "text" then return nil end
  if kind ~= "json_schema" then refuse("response_format of type " .. kind) end
  only(found, FORMAT, "response_format")
  local wanted = parts_of(needed(found.json_schema, "response_format"), "response_format")
  only(wanted, SCHEMA, "response_format")
  object(wanted.schema, "response_format")
  return wanted
end

-- A text that ends the answer: the other API takes none without a letter, such as a newline alone.
local function stop_of(text)
  local said = unquoted(word(text, "stop"))
  if not said or not find(said, "%S") then refuse("stop") end
  return text
end

-- The texts that end the answer, as a list; nil for none.
local function stops_in(value)
  if byte(value) == 34 then return "[" .. stop_of(value) .. "]" end
  local stops = needed(elements(value), "stop")
  for i = 1, #stops do stop_of(stops[i]) end
  return #stops > 0 and value or nil
end

-- A number that other APIs take from 0 to 1, and this one up to `most`; nil where it is left out.
local function share_in(value, name, most)
  local number = tonumber(value)
  if not number or number < 0 or number > most then refuse(name) end
  if number <= 1 then return value end
  draw_anyhow(name)
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

-- By name, for every API: a text, empty for nothing. What is not here, nor in that API's own, is refused.
local SAID = {
  model = nothing, messages = nothing, max_tokens = nothing, max_completion_tokens = nothing, tools = nothing,
  tool_choice = nothing, parallel_tool_calls = nothing, stream_options = nothing,
  response_format = nothing, reasoning_effort = nothing,
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

-- A member's value; nil for `null`, as where it is not there.
local function value_in(body, name)
  local value = body[name]
  return value ~= "null" and value or nil
end

-- The tools of a request and which one is to be called: in the other API's words, nil where nothing is said of them.
local function tools_in(body)
  local tools, choice = value_in(body, "tools"), value_in(body, "tool_choice")
  local defined = tools and needed(elements(tools), "tools") or {}
  if #defined > 0 then return tools_of(defined), choice_of(choice, body.parallel_tool_calls) end
  if choice then refuse("tool_choice") end
end

-- Whether the other API takes thinking beside the rest: temperature, top_k and forced calls of tools are refused there.
-- https://platform.claude.com/docs/en/build-with-claude/extended-thinking
local function may_think(body)
  local choice, top_p = value_in(body, "tool_choice") or '"auto"', tonumber(value_in(body, "top_p") or 1)
  return tonumber(value_in(body, "temperature") or 1) == 1 and top_p and top_p >= 0.95 and not value_in(body, "top_k")
    and (choice == '"auto"' or choice == '"none"')
end

-- What a word of effort becomes, of Claude's: `thinking`, and a word of effort; nil for nothing. With a budget the model's
-- own thoughts must come back with what a tool says, and clients of this API have none.
local function thinking_in(body, limit, after_tools)
  local effort = value_in(body, "reasoning_effort")
  if not effort or effort == '"none"' then return nil end
  effort = match(effort, '^"(%l+)"$') or ""
  local kind = may_think(body) and terms.reasoning
  if kind == "Effort" and EFFORTS[effort] then return '{"type":"adaptive"}', '"' .. EFFORTS[effort] .. '"' end
  local budget = kind == "Budget" and not after_tools and budget_of(effort, limit)
  if budget then return '{"type":"enabled","budget_tokens":' .. format("%d", budget) .. "}" end
  leave("reasoning_effort")
end
