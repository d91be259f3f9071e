-- Blocks of a request in the words of Messages; lua/converse/spelling.lua has the same functions ------------------------

-- What a client says of the cache, which Messages take at the same places.
local function mark(found)
  return found.cache_control and ',"cache_control":' .. object(found.cache_control, "cache_control") or ""
end

local function spell_text(text, marked) return '{"type":"text","text":' .. text .. marked .. "}" end

-- `quote`: the one before `data`, which may lack it.
local function spell_image(kind, quote, data, marked)
  return '{"type":"image","source":{"type":"base64","media_type":"' .. kind .. '","data":' .. quote .. data .. "}"
    .. marked .. "}"
end

local function spell_link(url, marked)
  return '{"type":"image","source":{"type":"url","url":' .. url .. "}" .. marked .. "}"
end

local function spell_use(id, name, input)
  return '{"type":"tool_use","id":' .. id .. ',"name":' .. name .. ',"input":' .. input .. "}"
end

-- `content`: a string of JSON, a list of blocks, or nil.
local function spell_result(id, content, marked)
  local said = ""
  if type(content) == "string" then
    said = ',"content":' .. content
  elseif content then
    said = ',"content":[' .. concat(content, ",") .. "]"
  end
  return '{"type":"tool_result","tool_use_id":' .. id .. said .. marked .. "}"
end

local function spell_tool(name, description, schema, strict, marked)
  return '{"name":' .. name .. (description and ',"description":' .. description or "") .. ',"input_schema":' .. schema
    .. (strict and ',"strict":true' or "") .. marked .. "}"
end

-- `kind`: `auto`, `any`, `none` or `tool`, of that name. `alone`: what the client calls it to have one call at a time.
local function spell_choice(kind, name, alone)
  return '{"type":"' .. kind .. '"' .. (name and ',"name":' .. name or "")
    .. (alone and kind ~= "none" and ',"disable_parallel_tool_use":true' or "") .. "}"
end

-- Ids of calls that other providers gave may have characters that Messages take in none.
local IN_IDS = "%w_-"
