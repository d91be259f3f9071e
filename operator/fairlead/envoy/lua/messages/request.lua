-- A request to Anthropic's Messages as one to OpenAI's chat/completions ----------------------------------------------
--
-- Texts are copied as they stand. What the other API cannot say is refused by its name; hints that it has no place for
-- are left out, and named.

local TEXT = { type = true, text = true }
local NONE_OF_THEM = "^%[%s*%]$"
local DIRECT_ALONE = '^%[%s*"direct"%s*%]$'

-- Takes a member out that says no more than if it were not there.
local function pass_over(found, name, nothing)
  if found[name] and match(found[name], nothing) then found[name] = nil end
end

-- The texts of text blocks as one string of JSON, one below the other.
local function joined(blocks, where)
  local texts = {}
  for i, one in ipairs(blocks) do
    local block = parts_of(one, where)
    if type_of(block) ~= "text" then refuse(where .. " of type " .. type_of(block)) end
    pass_over(block, "citations", NONE_OF_THEM)
    only(block, TEXT, where)
    texts[i] = sub(word(block.text, where), 2, -2)
  end
  return '"' .. concat(texts, "\\n") .. '"'
end

local IMAGE = { type = true, source = true }
local BASE64, URL = { type = true, media_type = true, data = true }, { type = true, url = true }

local function image_part(block)
  only(block, IMAGE, "image")
  local source = parts_of(needed(block.source, "image"), "source")
  local url
  if type_of(source) == "base64" then
    only(source, BASE64, "source")
    url = '"data:' .. sub(word(source.media_type, "source"), 2, -2) .. ";base64," .. sub(word(source.data, "source"), 2)
  elseif type_of(source) == "url" then
    only(source, URL, "source")
    url = word(source.url, "source")
  else
    refuse("source of type " .. type_of(source))
  end
  return '{"type":"image_url","image_url":{"url":' .. url .. "}}"
end

local RESULT = { type = true, tool_use_id = true, content = true, is_error = true }

-- What a tool said. Its pictures go into `parts`, since a message of a tool has texts alone.
local function tool_message(block, parts)
  only(block, RESULT, "tool_result")
  if block.is_error == "true" then leave("is_error") end
  local content = block.content or '""'
  if byte(content) ~= 34 then
    local texts = {}
    for _, one in ipairs(needed(elements(content), "tool_result")) do
      local inner = parts_of(one, "tool_result")
      if type_of(inner) == "image" then parts[#parts + 1] = image_part(inner) else texts[#texts + 1] = one end
    end
    content = joined(texts, "tool_result")
  end
  return '{"role":"tool","tool_call_id":' .. word(block.tool_use_id, "tool_use_id") .. ',"content":' .. content .. "}"
end

-- What a user says from the place `turn` on, in one message or in several: results of tools come before all else of it.
-- Returns the place after them.
local function user_messages(content, out, turn)
  local parts = {}
  for _, one in ipairs(content) do
    local block = parts_of(one, "content")
    local kind = type_of(block)
    if kind == "tool_result" then
      table.insert(out, turn, tool_message(block, parts))
      turn = turn + 1
    elseif kind == "image" then
      parts[#parts + 1] = image_part(block)
    elseif kind == "text" then
      pass_over(block, "citations", NONE_OF_THEM)
      only(block, TEXT, "text")
      parts[#parts + 1] = '{"type":"text","text":' .. word(block.text, "text") .. "}"
    else
      refuse("content of type " .. kind)
    end
  end
  if #parts > 0 then out[#out + 1] = '{"role":"user","content":[' .. concat(parts, ",") .. "]}" end
  return turn
end

local USE = { type = true, id = true, name = true, input = true, caller = true }
local DIRECT = '^{%s*"type"%s*:%s*"direct"%s*}$' -- the model itself, and not a program that it wrote: says nothing

local function assistant_message(content, out)
  local texts, calls = {}, {}
  for _, one in ipairs(content) do
    local block = parts_of(one, "content")
    local kind = type_of(block)
    if kind == "text" then
      texts[#texts + 1] = one
    elseif kind == "tool_use" then
      only(block, USE, "tool_use")
      if block.caller and not match(block.caller, DIRECT) then refuse("tool_use.caller") end
      calls[#calls + 1] = '{"id":' .. word(block.id, "id") .. ',"type":"function","function":{"name":'
        .. word(block.name, "name") .. ',"arguments":' .. quoted(object(block.input, "input")) .. "}}"
    elseif kind == "thinking" or kind == "redacted_thinking" then
      leave("thinking")
    else
      refuse("content of type " .. kind)
    end
  end
  if #texts == 0 and #calls == 0 then return end
  out[#out + 1] = '{"role":"assistant"' .. (#texts > 0 and ',"content":' .. joined(texts, "text") or "")
    .. (#calls > 0 and ',"tool_calls":[' .. concat(calls, ",") .. "]" or "") .. "}"
end

local MESSAGE = { role = true, content = true }

local function messages_of(system, messages)
  local out = {}
  if system then
    local text = byte(system) == 34 and system or joined(needed(elements(system), "system"), "system")
    if text ~= '""' then out[1] = '{"role":"system","content":' .. text .. "}" end
  end
  local turn, last = #out + 1, nil
  for _, one in ipairs(needed(elements(messages), "messages")) do
    local message = parts_of(one, "messages")
    only(message, MESSAGE, "messages")
    local content, role = needed(message.content, "content"), message.role
    if role ~= '"user"' and role ~= '"assistant"' then refuse("role") end
    local blocks = byte(content) ~= 34 and needed(elements(content), "content")
    if blocks and #blocks == 0 then refuse("content") end
    if not blocks then
      out[#out + 1] = '{"role":' .. role .. ',"content":' .. content .. "}"
    elseif role == '"user"' then
      turn = user_messages(blocks, out, turn)
    else
      assistant_message(blocks, out)
    end
    if role == '"assistant"' then turn = #out + 1 end
    last = role
  end
  -- Its API would go on with that, the other one begins a turn
  if last == '"assistant"' then refuse("messages that end with the assistant's") end
  return "[" .. concat(out, ",") .. "]"
end

local TOOL = {
  type = true, name = true, description = true, input_schema = true, strict = true, eager_input_streaming = true,
}

local function tools_of(tools)
  local out = {}
  for i, one in ipairs(tools) do
    local tool = parts_of(one, "tools")
    if tool.type and type_of(tool) ~= "custom" then refuse("tools of type " .. type_of(tool)) end
    pass_over(tool, "defer_loading", "^false$")
    pass_over(tool, "allowed_callers", DIRECT_ALONE)
    only(tool, TOOL, "tools")
    if tool.eager_input_streaming == "true" then leave("eager_input_streaming") end
    out[i] = '{"type":"function","function":{"name":' .. word(tool.name, "tools")
      .. (tool.description and ',"description":' .. word(tool.description, "tools") or "")
      .. ',"parameters":' .. object(tool.input_schema, "tools") .. (tool.strict and ',"strict":' .. tool.strict or "") .. "}}"
  end
  return "[" .. concat(out, ",") .. "]"
end

local CHOICE = { type = true, name = true, disable_parallel_tool_use = true }
local CHOICES = { auto = '"auto"', any = '"required"', none = '"none"' }

local function choice_of(text)
  local choice = parts_of(text, "tool_choice")
  only(choice, CHOICE, "tool_choice")
  local kind = type_of(choice)
  local said = CHOICES[kind]
  if kind == "tool" then said = '{"type":"function","function":{"name":' .. word(choice.name, "tool_choice") .. "}}" end
  return ',"tool_choice":' .. needed(said, "tool_choice of type " .. kind)
    .. (choice.disable_parallel_tool_use == "true" and ',"parallel_tool_calls":false' or "")
end

local CONFIG = { effort = true, format = true }
local FORMAT = { type = true, schema = true }

-- A schema binds the answer there as it does here.
local function format_of(value, where)
  local found = parts_of(value, where)
  if type_of(found) ~= "json_schema" then refuse(where .. " of type " .. type_of(found)) end
  only(found, FORMAT, where)
  return ',"response_format":{"type":"json_schema","json_schema":{"name":"answer","strict":true,"schema":'
    .. object(found.schema, where) .. "}}"
end

local MOST_STOPS = 4
local NOTHING = { model = true, messages = true, system = true }

-- What becomes of a member of the body: a text, empty for nothing.
local SAID = {
  temperature = function(value) return ',"temperature":' .. value end,
  top_p = function(value) return ',"top_p":' .. value end,
  max_tokens = function(value) return ',"max_completion_tokens":' .. value end,
  stream = function(value)
    return value == "true" and ',"stream":true,"stream_options":{"include_usage":true}' or ""
  end,
  stop_sequences = function(value)
    local stops = #needed(elements(value), "stop_sequences")
    if stops > MOST_STOPS then refuse("stop_sequences") end
    return stops > 0 and ',"stop":' .. value or ""
  end,
  tools = function(value)
    local tools = needed(elements(value), "tools")
    return #tools > 0 and ',"tools":' .. tools_of(tools) or ""
  end,
  tool_choice = choice_of,
  output_format = function(value) return format_of(value, "output_format") end,
  thinking = function(value, body)
    local effort, kind = effort_in(body), type_of(parts_of(value, "thinking"))
    if effort then return ',"reasoning_effort":"' .. effort .. '"' end
    -- As much as the model likes: it does where it is told nothing
    if kind ~= "disabled" and not (kind == "adaptive" and terms.reasoning) then leave("thinking") end
    return ""
  end,
  output_config = function(value, body)
    local config = parts_of(value, "output_config")
    only(config, CONFIG, "output_config")
    if config.effort and not effort_in(body) then leave("output_config.effort") end
    return config.format and format_of(config.format, "output_config.format") or ""
  end,
  top_k = function() return draw_anyhow("top_k") end,
  mcp_servers = function(value) return match(value, NONE_OF_THEM) and "" or refuse("mcp_servers") end,
  -- How the API is to shorten a long conversation: the other one gets all of it
  context_management = function() leave("context_management") return "" end,
  metadata = function() leave("metadata") return "" end,
  service_tier = function() leave("service_tier") return "" end,
}

local function to_chat(s)
  local body, order = members(s)
  if not body then refuse("body") end
  local out = { '{"model":' .. needed(body.model, "model") .. ',"messages":'
    .. messages_of(body.system ~= "null" and body.system or nil, needed(body.messages, "messages")) }
  for _, name in ipairs(order) do
    local value = body[name]
    if name == "tool_choice" and #(body.tools and elements(body.tools) or {}) == 0 then refuse(name) end
    if value ~= "null" and not NOTHING[name] then
      if name == "cache_control" then leave(name) else out[#out + 1] = needed(SAID[name], name)(value, body) end
    end
  end
  return concat(out) .. "}"
end

local function in_other_words(s, wanted) return said_by(to_chat, s, wanted) end
