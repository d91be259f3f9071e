-- Spans of JSON: values as the text that they are, without a look at what is in them ---------------------------------
--
-- Bytes are read through a pointer, which LuaJIT compiles to plain loads; p[i] is byte i, and the one after the last is 0.

local ffi = require("ffi")
local BYTES = ffi.typeof("const uint8_t *")

local function bytes_of(s) return ffi.cast(BYTES, s) - 1 end

local function after_blanks(p, at)
  while p[at] == 32 or p[at] == 10 or p[at] == 13 or p[at] == 9 do at = at + 1 end
  return at
end

-- The place after a string that begins at `at`, or nil where it does not end before `last`.
local function after_string(p, at, last)
  at = at + 1
  while at <= last do
    local c = p[at]
    if c == 34 then return at + 1 end
    at = at + (c == 92 and 2 or 1)
  end
  return nil
end

local function after_container(p, at, last)
  local depth = 0
  while at <= last do
    local c = p[at]
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

-- The place after the value that begins at `at`, or nil where it does not end.
local function after_value(p, at, last)
  local c = p[at]
  if c == 34 then return after_string(p, at, last) end
  if c == 91 or c == 123 then return after_container(p, at, last) end
  local from = at
  while c > 32 and c ~= 44 and c ~= 125 and c ~= 93 do
    at = at + 1
    c = p[at]
  end
  return at > from and at or nil
end

-- The place of what comes next in a list, behind the comma.
local function after_comma(p, at)
  at = after_blanks(p, at)
  return p[at] == 44 and after_blanks(p, at + 1) or at
end

-- The members of an object, by name, as texts, and their names in order. Nil for anything else, where it does not end, and
-- where a name stands there twice.
local function members(s)
  local p, last = bytes_of(s), #s
  local at = after_blanks(p, 1)
  if p[at] ~= 123 then return nil end
  local found, order, count = {}, {}, 0
  at = after_blanks(p, at + 1)
  while p[at] == 34 do
    local past = after_string(p, at, last)
    if not past then return nil end
    local value = after_blanks(p, past)
    if p[value] ~= 58 then return nil end
    value = after_blanks(p, value + 1)
    local stop = after_value(p, value, last)
    local name = stop and sub(s, at + 1, past - 2)
    if not name or found[name] then return nil end
    count = count + 1
    found[name], order[count] = sub(s, value, stop - 1), name
    at = after_comma(p, stop)
  end
  if p[at] ~= 125 or after_blanks(p, at + 1) <= last then return nil end
  return found, order
end

-- The elements of an array, as texts; nil for anything else.
local function elements(s)
  local p, last = bytes_of(s), #s
  local at = after_blanks(p, 1)
  if p[at] ~= 91 then return nil end
  local list, count = {}, 0
  at = after_blanks(p, at + 1)
  while at <= last and p[at] ~= 93 do
    local stop = after_value(p, at, last)
    if not stop then return nil end
    count = count + 1
    list[count] = sub(s, at, stop - 1)
    at = after_comma(p, stop)
  end
  return list
end

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }
local function escaped(c) return ESCAPES[c] or format("\\u%04x", byte(c)) end

-- A text as a string of JSON.
local function quoted(text) return '"' .. gsub(text, '[%c"\\]', escaped) .. '"' end

local function is_text(value) return value and byte(value) == 34 and value ~= '""' end
local function is_nothing(value) return not value or value == "null" end
local function count(text) return tonumber(match(text or "", "^%d+$") or "") or 0 end
