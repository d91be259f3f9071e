-- A request to Anthropic's Messages as one to Bedrock's Converse --------------------------------------------------------
--
-- By the rules of lua/messages/request.lua.

local TEXT = { type = true, text = true, cache_control = true }

local function text_block(block, where)
  only(block, TEXT, where)
  local text = word(block.text, where)
  return not is_blank(text) and spell_text(text, mark(block, where)) or nil
end

-- Blocks of text alone.
local function texts_of(content, where)
  if byte(content) == 34 then return { not is_blank(content) and spell_text(content, "") or nil } end
  local blocks = {}
  for _, one in ipairs(needed(elements(content), where)) do
    local block = parts_of(one, where)
    if type_of(block) ~= "text" then refuse(where .. " of type " .. type_of(block)) end
    blocks[#blocks + 1] = text_block(block, where)
  end
  return blocks
end

local IMAGE = { type = true, source = true, cache_control = true }
local BASE64, URL = { type = true, media_type = true, data = true }, { type = true, url = true }

local function image_block(block, where)
  only(block, IMAGE, "image")
  local source = parts_of(needed(block.source, "image"), "source")
  local kind = type_of(source)
  if kind == "url" then
    only(source, URL, "source")
    return spell_link(word(source.url, "source"))
  end
  if kind ~= "base64" then refuse("source of type " .. kind) end
  only(source, BASE64, "source")
  return spell_image(sub(word(source.media_type, "source"), 2, -2), "", word(source.data, "source"), mark(block, where))
end

local RESULT = { type = true, tool_use_id = true, content = true, is_error = true, cache_control = true }

local function result_block(block)
  only(block, RESULT, "tool_result")
  local content = block.content
  if content and byte(content) ~= 34 then
    local blocks = {}
    for _, one in ipairs(needed(elements(content), "tool_result")) do
      local inner = parts_of(one, "tool_result")
      local kind = type_of(inner)
      if kind ~= "text" and kind ~= "image" then refuse("tool_result of type " .. kind) end
      blocks[#blocks + 1] = (kind == "image" and image_block or text_block)(inner, "tool")
    end
    content = blocks
  end
  return spell_result(word(block.tool_use_id, "tool_use_id"), content, mark(block), block.is_error == "true")
end

local USE = { type = true, id = true, name = true, input = true, caller = true, cache_control = true }
local DIRECT = '^{%s*"type"%s*:%s*"direct"%s*}$' -- the model itself, and not a program that it wrote: says nothing

local function use_block(block)
  only(block, USE, "tool_use")
  if block.caller and not match(block.caller, DIRECT) then refuse("tool_use.caller") end
  return spell_use(word(block.id, "id"), word(block.name, "name"), object(block.input, "input")) .. mark(block)
end

local THOUGHT = { type = true, thinking = true, signature = true, data = true }

-- What a model thought before, which Claude alone wants back; it signed that.
local function thought_block(block)
  only(block, THOUGHT, "thinking")
  if not terms.claude or not is_text(block.signature or block.data) then
    leave("thinking")
    return nil
  end
  if block.data then return '{"reasoningContent":{"redactedContent":' .. block.data .. "}}" end
  return '{"reasoningContent":{"reasoningText":{"text":' .. word(block.thinking, "thinking") .. ',"signature":'
    .. block.signature .. "}}}"
end

local SAYS = {
  user = { text = function(block) return text_block(block, "text") end, image = image_block, tool_result = result_block },
  assistant = { text = function(block) return text_block(block, "text") end, tool_use = use_block,
    thinking = thought_block, redacted_thinking = thought_block },
}

local MESSAGE = { role = true, content = true }

local function conversation_of(system, messages)
  local turns = {}
  for _, one in ipairs(needed(elements(messages), "messages")) do
    local message = parts_of(one, "messages")
    only(message, MESSAGE, "messages")
    local content, role = needed(message.content, "content"), match(message.role or "", '^"(%l+)"$') or ""
    local says = needed(SAYS[role], "role")
    if byte(content) == 34 then
      say(turns, role, { not is_blank(content) and spell_text(content, "") or nil })
    else
      local blocks = {}
      for _, inner in ipairs(needed(elements(content), "content")) do
        local block = parts_of(inner, "content")
        local kind = type_of(block)
        blocks[#blocks + 1] = needed(says[kind], "content of type " .. kind)(block)
      end
      say(turns, role, blocks)
    end
  end
  if #turns == 0 then refuse("messages") end
  return said_in(system and texts_of(system, "system") or {}, turns)
end

local TOOL = {
  type = true, name = true, description = true, input_schema = true, strict = true, eager_input_streaming = true,
  cache_control = true,
}

-- The tools of a request; nil for none.
local function tools_of(value)
  local out = {}
  for i, one in ipairs(value and needed(elements(value), "tools") or out) do
    local tool = parts_of(one, "tools")
    if tool.type and type_of(tool) ~= "custom" then refuse("tools of type " .. type_of(tool)) end
    only(tool, TOOL, "tools")
    if tool.eager_input_streaming == "true" then leave("eager_input_streaming") end
    out[i] = spell_tool(word(tool.name, "tools"), tool.description and word(tool.description, "tools"),
      object(tool.input_schema, "tools"), tool.strict == "true", mark(tool))
  end
  return #out > 0 and "[" .. concat(out, ",") .. "]" or nil
end

local CHOICE = { type = true, name = true, disable_parallel_tool_use = true }
local CHOICES = { auto = true, any = true, none = true, tool = true }

local function choice_of(text)
  local choice = parts_of(text, "tool_choice")
  only(choice, CHOICE, "tool_choice")
  local kind = type_of(choice)
  if not CHOICES[kind] then refuse("tool_choice of type " .. kind) end
  return spell_choice(kind, kind == "tool" and word(choice.name, "tool_choice") or nil,
    choice.disable_parallel_tool_use == "true" and "disable_parallel_tool_use" or nil)
end

local config, more, output -- of the request that is said

local CONFIG, FORMAT = { format = true, effort = true }, { type = true, schema = true }

local function add_format(value, name)
  local found = parts_of(value, name)
  if type_of(found) ~= "json_schema" then refuse(name .. " of type " .. type_of(found)) end
  only(found, FORMAT, name)
  output[#output + 1] = spell_format(object(found.schema, name))
end

-- By name: what becomes of a member of the body. What is not here is refused.
local SAID = {
  temperature = function(value) config[#config + 1] = '"temperature":' .. value end,
  top_p = function(value) config[#config + 1] = '"topP":' .. value end,
  max_tokens = function(value) config[#config + 1] = '"maxTokens":' .. value end,
  stop_sequences = function(value)
    if #needed(elements(value), "stop_sequences") > 0 then config[#config + 1] = '"stopSequences":' .. value end
  end,
  top_k = function(value)
    if terms.claude then more[#more + 1] = '"top_k":' .. value else draw_anyhow("top_k") end
  end,
  thinking = function(value, body)
    local kind = type_of(parts_of(value, "thinking"))
    if kind == "disabled" then return end
    if terms.claude then
      more[#more + 1] = '"thinking":' .. value
    elseif effort_in(body) then
      output[#output + 1] = '"effort":"' .. effort_in(body) .. '"'
    elseif kind ~= "adaptive" or not terms.reasoning then -- as much as the model likes: it does where it is told nothing
      leave("thinking")
    end
  end,
  output_format = function(value) add_format(value, "output_format") end,
  output_config = function(value, body)
    local found = parts_of(value, "output_config")
    only(found, CONFIG, "output_config")
    if found.format then add_format(found.format, "output_config.format") end
    if found.effort and terms.claude then
      output[#output + 1] = '"effort":' .. word(found.effort, "output_config.effort")
    elseif found.effort and not effort_in(body) then
      leave("output_config.effort")
    end
  end,
  metadata = function() leave("metadata") end,
  service_tier = function() leave("service_tier") end,
}
for _, name in ipairs({ "model", "messages", "system", "tools", "tool_choice", "stream", "cache_control" }) do
  SAID[name] = function() end
end

-- Which text ended the answer is told where somebody asks for it.
local STOP_ASKED = ',"additionalModelResponseFieldPaths":["/stop_sequence"]'

local function value_in(body, name)
  local value = body[name]
  return value ~= "null" and value or nil
end

local function to_converse(s)
  local body, order = members(s)
  if not body then refuse("body") end
  begin_request()
  config, more, output = {}, {}, {}
  local conversation = conversation_of(value_in(body, "system"), needed(value_in(body, "messages"), "messages"))
  if value_in(body, "cache_control") then conversation = at_its_end(conversation, mark(body)) end
  local tools, choice = tools_of(value_in(body, "tools")), value_in(body, "tool_choice")
  if choice and not tools then refuse("tool_choice") end
  for _, name in ipairs(order) do
    if body[name] ~= "null" then needed(SAID[name], name)(body[name], body) end
  end
  local asked = value_in(body, "stop_sequences") and terms.claude and STOP_ASKED or ""
  return spell_request(conversation, tools, choice and choice_of(choice), config, more, spell_output(output) .. asked)
end

local function in_other_words(s, wanted) return said_by(to_converse, s, wanted) end
