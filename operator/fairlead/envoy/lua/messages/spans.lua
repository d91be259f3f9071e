-- Spans of JSON: values as the text that they are, without a look at what is in them ---------------------------------

local ffi = require("ffi")
local BYTES = ffi.typeof("const uint8_t *")

-- The place after a string that begins at `at`, or nil where it does not end. Bytes are read through a pointer, which
-- LuaJIT compiles to plain loads; p[i] is byte i, and the one after the last is 0.
local function after_string(s, at)
  local p, last = ffi.cast(BYTES, s) - 1, #s
  at = at + 1
  while at <= last do
    local c = p[at]
    if c == 34 then return at + 1 end
    at = at + (c == 92 and 2 or 1)
  end
  return nil
end

-- The place after the value that begins at `at`, or nil where it does not end.
local function after_value(s, at)
  local p, last = ffi.cast(BYTES, s) - 1, #s
  local c = p[at]
  if c == 34 then return after_string(s, at) end
  if c ~= 91 and c ~= 123 then return match(s, "^[^,}%]%s]+()", at) end
  local depth = 0
  while at <= last do
    c = p[at]
    if c == 34 then
      at = at + 1
      while at <= last and p[at] ~= 34 do at = at + (p[at] == 92 and 2 or 1) end
    elseif c == 123 or c == 91 then
      depth = depth + 1
    elseif c == 125 or c == 93 then
      depth = depth - 1
      if depth == 0 then return at + 1 end
    end
    at = at + 1
  end
  return nil
end

-- The members of an object, by name, as texts, and their names in order. Nil for anything else, where it does not end, and
-- where a name stands there twice.
local function members(s)
  local at = match(s, "^%s*{()")
  if not at then return nil end
  local found, order = {}, {}
  while true do
    local key = match(s, '^[%s,]*()"', at)
    if not key then
      if not match(s, "^%s*}%s*$", at) then return nil end
      return found, order
    end
    local past = after_string(s, key)
    local value = past and match(s, "^%s*:%s*()", past)
    local stop = value and after_value(s, value)
    local name = stop and sub(s, key + 1, past - 2)
    if not name or found[name] then return nil end
    found[name], order[#order + 1] = sub(s, value, stop - 1), name
    at = stop
  end
end

-- The elements of an array, as texts; nil for anything else.
local function elements(s)
  local at = match(s, "^%s*%[()")
  if not at then return nil end
  local list = {}
  while true do
    at = match(s, "^[%s,]*()[^%s,%]]", at)
    if not at then return list end
    local stop = after_value(s, at)
    if not stop then return nil end
    list[#list + 1] = sub(s, at, stop - 1)
    at = stop
  end
end

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }
local function escaped(c) return ESCAPES[c] or format("\\u%04x", byte(c)) end

-- A text as a string of JSON.
local function quoted(text) return '"' .. gsub(text, '[%c"\\]', escaped) .. '"' end

local function is_text(value) return value and byte(value) == 34 and value ~= '""' end
local function is_nothing(value) return not value or value == "null" end
local function count(text) return tonumber(match(text or "", "^%d+$") or "") or 0 end
