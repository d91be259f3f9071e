-- Blocks of a request in the words of Converse; lua/messages/spelling.lua has the same functions ------------------------
-- https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html

-- Of the request that is said: whether a tool was called in it, and the mark inside of its result. `terms.claude` says
-- whether Claude is to read it, who alone has all of Messages.
local has_calls, marked_inside

local function begin_request() has_calls, marked_inside = false, nil end

local MARK = { type = true, ttl = true }
local POINT, POINT_1H = ',{"cachePoint":{"type":"default"}}', ',{"cachePoint":{"type":"default","ttl":"1h"}}'

-- A mark of the cache is a block of its own behind what it marks. Results have none inside: it stands behind them.
local function mark(found, where)
  if not found.cache_control then return "" end
  if not terms.claude then
    leave("cache_control")
    return ""
  end
  local said = parts_of(found.cache_control, "cache_control")
  for name in pairs(said) do
    if not MARK[name] then leave("cache_control." .. name) end
  end
  local point = said.ttl == '"1h"' and POINT_1H or POINT
  if where ~= "tool" then return point end
  marked_inside = point
  return ""
end

local function spell_text(text, marked) return '{"text":' .. text .. "}" .. marked end

local FORMATS = { ["image/png"] = "png", ["image/jpeg"] = "jpeg", ["image/jpg"] = "jpeg", ["image/gif"] = "gif", ["image/webp"] = "webp" }

local function spell_image(kind, quote, data, marked)
  local kept = match(kind, "^image\\(/.*)$") -- `/` may be escaped
  if kept then kind = "image" .. kept end
  return '{"image":{"format":"' .. needed(FORMATS[kind], "images of type " .. kind) .. '","source":{"bytes":' .. quote .. data
    .. "}}}" .. marked
end

local function spell_link() refuse("images by URL") end

local LONGEST = 66 -- bytes of a name or an id with its quotes

local function short(text, name) return #text <= LONGEST and text or refuse(name) end

local function spell_use(id, name, input)
  has_calls = true
  return '{"toolUse":{"toolUseId":' .. short(id, "ids of calls above 64 characters") .. ',"name":'
    .. short(name, "names of tools above 64 characters") .. ',"input":' .. input .. "}}"
end

-- `content`: a string of JSON, a list of blocks, or nil. A blank text is none.
local function spell_result(id, content, marked, failed)
  has_calls = true
  if type(content) == "string" then content = not is_blank(content) and { spell_text(content, "") } or nil end
  local point = marked ~= "" and marked or marked_inside or ""
  marked_inside = nil
  return '{"toolResult":{"toolUseId":' .. short(id, "ids of calls above 64 characters") .. ',"content":['
    .. (content and concat(content, ",") or "") .. "]" .. (failed and ',"status":"error"' or "") .. "}}" .. point
end

local function spell_tool(name, description, schema, strict, marked)
  return '{"toolSpec":{"name":' .. short(name, "names of tools above 64 characters")
    .. (is_text(description) and ',"description":' .. description or "") .. ',"inputSchema":{"json":' .. schema .. "}"
    .. (strict and ',"strict":true' or "") .. "}}" .. marked
end

-- That none is to be called, and `alone`, that no two are at once, cannot be said.
local function spell_choice(kind, name, alone)
  if kind == "none" then refuse("tool_choice of type none") end
  if alone then refuse(alone) end
  return '{"' .. kind .. '":{' .. (name and '"name":' .. name or "") .. "}}"
end

local IN_IDS = "%w_.:-"

-- Puts a mark behind all that is said: `conversation` ends with its last message.
local function at_its_end(conversation, marked)
  local said = sub(conversation, 1, -4)
  return (marked == "" or sub(said, -#marked) == marked) and conversation or said .. marked .. "]}]"
end

-- A whole request. `config` are members of `inferenceConfig`, `more` of what Claude has besides; `rest` is what follows.
local function spell_request(conversation, tools, choice, config, more, rest)
  if has_calls and not tools then refuse("calls of tools without tools") end
  return "{" .. sub(conversation, 2)
    .. (tools and ',"toolConfig":{"tools":' .. tools .. (choice and ',"toolChoice":' .. choice or "") .. "}" or "")
    .. (#config > 0 and ',"inferenceConfig":{' .. concat(config, ",") .. "}" or "")
    .. (#more > 0 and ',"additionalModelRequestFields":{' .. concat(more, ",") .. "}" or "") .. rest .. "}"
end

-- The schema that an answer is to have, which Converse takes as a text.
local function spell_format(schema, name, description)
  return '"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":' .. quoted(schema)
    .. (name and ',"name":' .. name or "") .. (description and ',"description":' .. description or "") .. "}}}"
end

-- `output`: members of `outputConfig`.
local function spell_output(output)
  return #output > 0 and ',"outputConfig":{' .. concat(output, ",") .. "}" or ""
end
