-- A request to OpenAI's chat/completions as one to Anthropic's Messages, or Bedrock's Converse -------------------------
--
-- By the rules of lua/messages/request.lua: texts are copied as they stand, what the other API cannot say is refused by its
-- name, and hints that it has no place for are left out, and named. How blocks are spelled there stands in spelling.lua.

local TEXT = { type = true, text = true, cache_control = true }

-- The block of a text; nil for an empty or a blank one, which the other API does not take. Models say blank ones before
-- they call a tool.
local function text_block(part, where)
  only(part, TEXT, where)
  local text = word(part.text, "content")
  return not is_blank(text) and spell_text(text, mark(part, where)) or nil
end

local KINDS = { ["image/jpg"] = "image/jpeg" } -- as many call it
local IMAGE, SHOWN = { type = true, image_url = true, cache_control = true }, { url = true, detail = true }

local function image_block(part, where)
  only(part, IMAGE, "image_url")
  local image = parts_of(needed(part.image_url, "image_url"), "image_url")
  only(image, SHOWN, "image_url")
  if image.detail and image.detail ~= '"auto"' then leave("detail") end
  local url = word(image.url, "image_url")
  local kind, at = match(url, '^"data:([^;,"]+);base64,()')
  kind = kind and kind:lower()
  if kind then return spell_image(KINDS[kind] or kind, '"', sub(url, at), mark(part, where)) end
  if not find(url, '^"https?:') then refuse("image_url") end
  return spell_link(url, mark(part, where))
end

-- The blocks of a message's content. `pictured`: whether pictures may be among them.
local function blocks_of(message, where, pictured)
  local content, blocks = message.content, {}
  if not content then return blocks end
  if byte(content) == 34 then
    blocks[1] = text_block({ text = content, cache_control = message.cache_control }, where)
    return blocks
  end
  if message.cache_control then leave("cache_control") end
  for _, one in ipairs(needed(elements(content), "content")) do
    local part = parts_of(one, "content")
    local kind = type_of(part)
    if kind == "text" then
      blocks[#blocks + 1] = text_block(part, where)
    elseif kind == "refusal" and where == "assistant" then
      blocks[#blocks + 1] = text_block({ text = part.refusal }, where)
    elseif kind == "image_url" and pictured then
      blocks[#blocks + 1] = image_block(part, where)
    else
      refuse("content of type " .. kind)
    end
  end
  return blocks
end

local ODD_IN_IDS = "[^" .. IN_IDS .. "]"

local function id_of(value, name) return needed(plain_id(word(value, name), ODD_IN_IDS), name) end

-- What packages make of an answer themselves, and send back beside it, says nothing more: `parsed`, `parsed_arguments`.
local CALL = { id = true, type = true, ["function"] = true, index = true }
local FUNCTION = { name = true, arguments = true, parsed_arguments = true }

local function call_block(one)
  local call = parts_of(one, "tool_calls")
  if call.type and type_of(call) ~= "function" then refuse("tool_calls of type " .. type_of(call)) end
  only(call, CALL, "tool_calls")
  local named = parts_of(needed(call["function"], "tool_calls"), "tool_calls")
  only(named, FUNCTION, "tool_calls")
  return spell_use(id_of(call.id, "tool_calls"), word(named.name, "tool_calls"), needed(input_of(named.arguments), "arguments"))
end

local MESSAGE = { role = true, content = true, cache_control = true, name = true }
local RESULT = { role = true, content = true, cache_control = true, name = true, tool_call_id = true }
local ANSWER = { role = true, content = true, cache_control = true, name = true, refusal = true, tool_calls = true,
  parsed = true }
-- What models thought, and what they cite, as clients send it back
local SHOWN_BEFORE = { "reasoning", "reasoning_content", "reasoning_details", "thinking_blocks", "annotations" }

local SPEAKERS = {}

function SPEAKERS.user(message, turns)
  only(message, MESSAGE, "user")
  say(turns, "user", blocks_of(message, "user", true))
end

function SPEAKERS.assistant(message, turns)
  for _, name in ipairs(SHOWN_BEFORE) do
    if message[name] and not match(message[name], "^%[%s*%]$") then leave(name) end
    message[name] = nil
  end
  only(message, ANSWER, "assistant")
  local blocks = blocks_of(message, "assistant", false)
  if message.refusal then blocks[#blocks + 1] = text_block({ text = message.refusal }, "refusal") end
  for _, one in ipairs(message.tool_calls and needed(elements(message.tool_calls), "tool_calls") or {}) do
    blocks[#blocks + 1] = call_block(one)
  end
  say(turns, "assistant", blocks)
end

function SPEAKERS.tool(message, turns)
  only(message, RESULT, "tool")
  local id, content, marked = id_of(message.tool_call_id, "tool_call_id"), message.content, ""
  if content and byte(content) == 34 then
    marked = mark(message)
  elseif content then
    content = blocks_of(message, "tool", true)
  end
  local results = turn_of(turns, "user").results
  results[#results + 1] = spell_result(id, content, marked)
end

local SYSTEM = { system = true, developer = true }

-- The members of a request that say who said what: what the system says stands apart. And whether it ends with what tools
-- said.
local function conversation_of(messages)
  local system, turns, last = {}, {}, nil
  for _, one in ipairs(needed(elements(messages), "messages")) do
    local message = parts_of(one, "messages")
    if message.name then leave("name") end
    last = match(message.role or "", '^"(%l+)"$') or ""
    if SYSTEM[last] then
      only(message, MESSAGE, last)
      if #turns > 0 then leave("order of system") end
      for _, block in ipairs(blocks_of(message, last, false)) do system[#system + 1] = block end
    else
      needed(SPEAKERS[last], "role")(message, turns)
    end
  end
  if #turns == 0 then refuse("messages") end
  -- There it would be the beginning of the answer
  if turns[#turns].role == "assistant" then refuse("messages that end with the assistant's") end
  local after_tools = #turns[#turns].results > 0
  return said_in(system, turns), after_tools
end

local TOOL = { type = true, ["function"] = true, cache_control = true }
local DEFINED = { name = true, description = true, parameters = true, strict = true, cache_control = true }

-- The schema of a tool's input, which is an object in both APIs, but has to say so in the other one alone.
local function schema_of(parameters)
  if not parameters then return '{"type":"object"}' end
  local found, order = members(object(parameters, "tools"))
  if not found then refuse("tools") end
  if found.type then return parameters end
  return '{"type":"object"' .. (#order > 0 and "," or "") .. match(parameters, "^{(.*)$")
end

local function tools_of(tools)
  local out = {}
  for i, one in ipairs(tools) do
    local tool = parts_of(one, "tools")
    if type_of(tool) ~= "function" then refuse("tools of type " .. type_of(tool)) end
    only(tool, TOOL, "tools")
    local named = parts_of(needed(tool["function"], "tools"), "tools")
    only(named, DEFINED, "tools")
    out[i] = spell_tool(word(named.name, "tools"), named.description and word(named.description, "tools"),
      schema_of(named.parameters), named.strict == "true", mark(tool.cache_control and tool or named))
  end
  return "[" .. concat(out, ",") .. "]"
end

local CHOICES = { ['"auto"'] = "auto", ['"required"'] = "any", ['"none"'] = "none" }
local CHOICE = { type = true, ["function"] = true }

-- Which tool is to be called, and whether several at once may be; nil where nothing is said of it.
local function choice_of(choice, parallel)
  local alone = parallel == "false" and "parallel_tool_calls" or nil
  if not choice then return alone and spell_choice("auto", nil, alone) or nil end
  local kind = CHOICES[choice]
  if kind then return spell_choice(kind, nil, alone) end
  local found = parts_of(choice, "tool_choice")
  if type_of(found) ~= "function" then refuse("tool_choice of type " .. type_of(found)) end
  only(found, CHOICE, "tool_choice")
  local named = parts_of(needed(found["function"], "tool_choice"), "tool_choice")
  return spell_choice("tool", word(named.name, "tool_choice"), alone)
end
