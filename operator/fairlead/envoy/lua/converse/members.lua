-- What becomes of a member of a request to chat/completions in the words of Converse ------------------------------------

local config, more -- of the request that is said

local function configured(name, said)
  if said then config[#config + 1] = '"' .. name .. '":' .. said end
  return ""
end

SAID.stream = nothing -- the path says it
SAID.cache_control = nothing -- of the whole request: stands at its end
SAID.temperature = function(value) return configured("temperature", share_in(value, "temperature", 2)) end
SAID.top_p = function(value) return configured("topP", share_in(value, "top_p", 1)) end
SAID.stop = function(value) return configured("stopSequences", stops_in(value)) end
SAID.top_k = function(value)
  if not terms.claude then return draw_anyhow("top_k") end
  more[#more + 1] = '"top_k":' .. value
  return ""
end
SAID.user = hint("user")

-- What the answer is to be like, and how much effort it is worth.
local function output_of(body, limit, after_tools)
  local output, wanted = {}, value_in(body, "response_format")
  wanted = wanted and schema_in(wanted)
  if wanted then output[1] = spell_format(wanted.schema, wanted.name, wanted.description) end
  local thinking, effort = thinking_in(body, limit, after_tools)
  if thinking and terms.claude then more[#more + 1] = '"thinking":' .. thinking end
  if thinking and not terms.claude and not effort then leave("reasoning_effort") end
  if effort then output[#output + 1] = '"effort":' .. effort end
  return spell_output(output)
end

local function to_converse(s)
  local body, order = members(s)
  if not body then refuse("body") end
  begin_request()
  config, more = {}, {}
  local limit = value_in(body, "max_completion_tokens") or value_in(body, "max_tokens")
  configured("maxTokens", limit)
  local conversation, after_tools = conversation_of(needed(value_in(body, "messages"), "messages"))
  if value_in(body, "cache_control") then conversation = at_its_end(conversation, mark(body)) end
  local tools, choice = tools_in(body)
  for _, name in ipairs(order) do
    local value = body[name]
    if value ~= "null" then needed(SAID[name], name)(value) end
  end
  local output = output_of(body, limit or terms.most, after_tools)
  return spell_request(conversation, tools, choice, config, more, output)
end

local function in_other_words(s, wanted) return said_by(to_converse, s, wanted) end
