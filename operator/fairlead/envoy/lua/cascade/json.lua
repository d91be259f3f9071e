-- Fairlead's judge of a cascade: whether an answer is good enough, or the next model is to be asked. All parts of
-- lua/cascade/ are joined into one chunk; see envoy/judge.py.
--
-- JSON as RFC 8259 has it, read strictly: what a client's library would refuse is no JSON here either. A string, a number
-- and a boolean are Lua's own; null is `NULL`, an object is `{ object = members }`, a list is `{ list = values }`.

local byte, find, gmatch, gsub, match = string.byte, string.find, string.gmatch, string.gsub, string.match
local char, concat, format, lower, sub = string.char, table.concat, string.format, string.lower, string.sub

local NULL = {}
local DEEPEST = 128 -- objects and lists inside each other
local MOST_VALUES = 200000
local QUOTE = 34

local CHARACTERS = {
  "[\194-\223][\128-\191]", "\224[\160-\191][\128-\191]", "[\225-\236\238\239][\128-\191][\128-\191]",
  "\237[\128-\159][\128-\191]", "\240[\144-\191][\128-\191][\128-\191]",
  "[\241-\243][\128-\191][\128-\191][\128-\191]", "\244[\128-\143][\128-\191][\128-\191]",
}

local function is_utf8(text)
  if not find(text, "[\128-\255]") then return true end
  for i = 1, #CHARACTERS do text = gsub(text, CHARACTERS[i], "c") end
  return not find(text, "[\128-\255]")
end

local function utf8_of(code)
  if code < 0x80 then return char(code) end
  local last = char(0x80 + code % 0x40)
  code = (code - code % 0x40) / 0x40
  if code < 0x20 then return char(0xc0 + code) .. last end
  last = char(0x80 + code % 0x40) .. last
  code = (code - code % 0x40) / 0x40
  if code < 0x10 then return char(0xe0 + code) .. last end
  return char(0xf0 + (code - code % 0x40) / 0x40) .. char(0x80 + code % 0x40) .. last
end

local ESCAPES = { ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }
local NO_CHARACTER = "\239\191\189" -- half a character of UTF-16

-- What the escape at `at`, a backslash, stands for, and the place after it; nil for one that JSON has not.
local function escape_at(text, at)
  local kind = sub(text, at + 1, at + 1)
  if kind ~= "u" then return ESCAPES[kind], at + 2 end
  local digits = match(text, "^%x%x%x%x", at + 2)
  if not digits then return nil end
  local code = tonumber(digits, 16)
  if code < 0xd800 or code > 0xdfff then return utf8_of(code), at + 6 end
  local low = code < 0xdc00 and match(text, "^\\u([dD][c-fC-F]%x%x)", at + 6)
  if not low then return NO_CHARACTER, at + 6 end
  return utf8_of(0x10000 + (code - 0xd800) * 0x400 + tonumber(low, 16) - 0xdc00), at + 12
end

-- The place after the string that begins at `at`, and what it says; nil for none.
local function string_at(text, at)
  local from, pieces = at + 1, nil
  local start = from
  while true do
    local found = find(text, '["\\%z\1-\31]', from)
    local c = found and byte(text, found)
    if c == QUOTE then
      local rest = sub(text, start, found - 1)
      if not pieces then return found + 1, rest end
      pieces[#pieces + 1] = rest
      return found + 1, concat(pieces)
    end
    if c ~= 92 then return nil end
    local said, after = escape_at(text, found)
    if not said then return nil end
    pieces = pieces or {}
    pieces[#pieces + 1] = sub(text, start, found - 1) .. said
    from, start = after, after
  end
end

local function number_at(text, at)
  local after = match(text, "^%-?0()", at) or match(text, "^%-?[1-9]%d*()", at)
  if not after then return nil end
  after = match(text, "^%.%d+()", after) or after
  after = match(text, "^[eE][+-]?%d+()", after) or after
  return after, tonumber(sub(text, at, after - 1))
end

local WORDS = { { "^true()", true }, { "^false()", false }, { "^null()", NULL } }
local value_at

local function list_at(text, at, state)
  local values = {}
  at = match(text, "^[ \t\r\n]*()", at + 1)
  if byte(text, at) == 93 then return at + 1, { list = values } end
  while true do
    local after, value = value_at(text, at, state)
    if not after then return nil end
    values[#values + 1] = value
    local c
    c, at = match(text, "^[ \t\r\n]*([,%]])[ \t\r\n]*()", after)
    if c == "]" then return match(text, "^[ \t\r\n]*%]()", after), { list = values } end
    if not c then return nil end
  end
end

local function object_at(text, at, state)
  local members = {}
  at = match(text, "^[ \t\r\n]*()", at + 1)
  if byte(text, at) == 125 then return at + 1, { object = members } end
  while byte(text, at) == QUOTE do
    local after, key = string_at(text, at)
    after = after and match(text, "^[ \t\r\n]*:[ \t\r\n]*()", after)
    if not after then return nil end
    local past, value = value_at(text, after, state)
    if not past then return nil end
    members[key] = value
    local c
    c, at = match(text, "^[ \t\r\n]*([,}])[ \t\r\n]*()", past)
    if c == "}" then return match(text, "^[ \t\r\n]*}()", past), { object = members } end
    if not c then return nil end
  end
  return nil
end

function value_at(text, at, state)
  local c = byte(text, at)
  state.values = state.values + 1
  if state.values > MOST_VALUES then return nil end
  if c == QUOTE then return string_at(text, at) end
  if c == 123 or c == 91 then
    state.depth = state.depth + 1
    if state.depth > DEEPEST then return nil end
    local after, value = (c == 123 and object_at or list_at)(text, at, state)
    state.depth = state.depth - 1
    return after, value
  end
  for i = 1, 3 do
    local after = match(text, WORDS[i][1], at)
    if after then return after, WORDS[i][2] end
  end
  return number_at(text, at)
end

-- The value that a text is; nil for what is no JSON, or too much of it.
local function decoded(text)
  if not is_utf8(text) then return nil end
  local after, value = value_at(text, match(text, "^[ \t\r\n]*()"), { depth = 0, values = 0 })
  if not after or find(text, "[^ \t\r\n]", after) then return nil end
  return value
end

-- What an object or a list has under these names, one inside the other; nil where that is not there.
local function member(value, ...)
  for i = 1, select("#", ...) do
    local members = type(value) == "table" and value.object
    if not members then return nil end
    value = members[(select(i, ...))]
  end
  return value
end

local NONE = {}
local function members_of(value) return type(value) == "table" and value.object or nil end
local function values_of(value) return type(value) == "table" and value.list or NONE end
local function text_of(value) return type(value) == "string" and value or nil end
