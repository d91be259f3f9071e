-- What becomes of a member of a request to chat/completions in the words of Messages ------------------------------------

SAID.stream = function(value) return value == "true" and ',"stream":true' or "" end
for name, most in pairs({ temperature = 2, top_p = 1 }) do
  SAID[name] = function(value)
    local said = share_in(value, name, most)
    return said and ',"' .. name .. '":' .. said or ""
  end
end
SAID.top_k = function(value) return ',"top_k":' .. value end
SAID.stop = function(value)
  local stops = stops_in(value)
  return stops and ',"stop_sequences":' .. stops or ""
end
SAID.user = function(value) return ',"metadata":{"user_id":' .. word(value, "user") .. "}" end
SAID.cache_control = function(value) return ',"cache_control":' .. object(value, "cache_control") end

-- What the answer is to be like, and how much effort it is worth.
local function output_of(body, effort)
  local wanted = value_in(body, "response_format")
  wanted = wanted and schema_in(wanted)
  if wanted and wanted.description then leave("response_format.description") end
  local output = { wanted and '"format":{"type":"json_schema","schema":' .. wanted.schema .. "}" or nil }
  if effort then output[#output + 1] = '"effort":' .. effort end
  return #output > 0 and ',"output_config":{' .. concat(output, ",") .. "}" or ""
end

local function to_messages(s)
  local body, order = members(s)
  if not body then refuse("body") end
  local limit = value_in(body, "max_completion_tokens") or value_in(body, "max_tokens") or terms.most
  local conversation, after_tools = conversation_of(needed(value_in(body, "messages"), "messages"))
  local tools, choice = tools_in(body)
  local out = { '{"model":' .. needed(body.model, "model") .. ',"max_tokens":' .. limit .. conversation
    .. (tools and ',"tools":' .. tools or "") .. (choice and ',"tool_choice":' .. choice or "") }
  for _, name in ipairs(order) do
    local value = body[name]
    if value ~= "null" then out[#out + 1] = needed(SAID[name], name)(value) end
  end
  local thinking, effort = thinking_in(body, limit, after_tools)
  return concat(out) .. (thinking and ',"thinking":' .. thinking or "") .. output_of(body, effort) .. "}"
end

local function in_other_words(s, wanted) return said_by(to_messages, s, wanted) end
