-- The scan: one pass over a JSON object (RFC 8259), every byte of it ------------------------------------------------
-- What this accepts every parser accepts, and reads alike: lenient ones, which take comments, single quotes or escapes
-- of their own for JSON, could find another model in what a stricter one skips. Values are checked, not made.
--
-- Bytes are read through pointers, which LuaJIT compiles to plain loads; four at a time inside strings. `p` is such that
-- p[i] is byte i of the Lua string, counted from 1; the byte after the last one is 0, which ends every loop.

local ffi = require("ffi")
local cast = ffi.cast
local BYTES, WORDS = ffi.typeof("const uint8_t *"), ffi.typeof("const int32_t *")
local band, bor, bxor = bit.band, bit.bor, bit.bxor

-- Where the member of each slot stands: its key's opening quote (0 = it is not there), the comma before it (0 = it is
-- the first), its value's first byte and the first byte after its value.
local key_at, comma_at, value_at, value_end = {}, {}, {}, {}

local p, whole -- the text of this request, and the last place where four bytes of it begin
local members, containers -- of all objects so far; objects and arrays so far, the body itself left out
local opened, deepest = {}, 0 -- 123 or 91, by depth; the depth of the deepest container so far

local function start_scan(s)
  p, whole = cast(BYTES, s) - 1, #s - 3
  members, containers, deepest = 0, 0, 0
  look_anew()
end

local function skip_space(i)
  local c = p[i]
  while c == 32 or c == 10 or c == 13 or c == 9 do
    i = i + 1
    c = p[i]
  end
  return i
end

-- The position after the character of UTF-8 that starts at i with a byte above 127, or nil.
local function skip_character(i, c)
  local second = p[i + 1]
  if c >= 0xc2 and c <= 0xdf then return band(second, 0xc0) == 0x80 and i + 2 or nil end
  if band(second, 0xc0) ~= 0x80 or band(p[i + 2], 0xc0) ~= 0x80 then return nil end
  if c >= 0xe0 and c <= 0xef then
    if c == 0xe0 and second < 0xa0 or c == 0xed and second > 0x9f then return nil end
    return i + 3
  end
  if c < 0xf0 or c > 0xf4 or band(p[i + 3], 0xc0) ~= 0x80 then return nil end
  if c == 0xf0 and second < 0x90 or c == 0xf4 and second > 0x8f then return nil end
  return i + 4
end

local function is_hex(c) return c >= 48 and c <= 57 or c >= 97 and c <= 102 or c >= 65 and c <= 70 end

-- The position after the escape whose backslash stands at i, or nil.
local function skip_escape(i)
  local c = p[i + 1]
  if c == 110 or c == 34 or c == 92 or c == 116 or c == 47 or c == 114 or c == 98 or c == 102 then return i + 2 end
  if c == 117 and is_hex(p[i + 2]) and is_hex(p[i + 3]) and is_hex(p[i + 4]) and is_hex(p[i + 5]) then return i + 6 end
  return nil
end

local special = ffi.new("uint8_t[256]") -- bytes that are not plain text of a string: 1
for c = 0, 255 do special[c] = (c < 32 or c > 127 or c == 34 or c == 92) and 1 or 0 end

-- The position after the string whose opening quote stands at i, or nil.
local function skip_string(i)
  i = i + 1
  while i do
    -- None of these four bytes is special.
    while i <= whole do
      local x = cast(WORDS, p + i)[0]
      if band(0x80808080, bor(x, x - 0x20202020, bxor(x, 0x22222222) - 0x01010101, bxor(x, 0x5c5c5c5c) - 0x01010101))
        ~= 0 then break end
      i = i + 4
    end
    while special[p[i]] == 0 do i = i + 1 end
    local c = p[i]
    if c == 34 then return i + 1 end
    if c == 92 then
      i = skip_escape(i)
    elseif c > 127 then
      repeat
        if c > 0xe0 and c < 0xed and band(p[i + 1], p[i + 2], 0x80) == 0x80 and band(bor(p[i + 1], p[i + 2]), 0x40) == 0
        then
          i = i + 3
        else
          i = skip_character(i, c)
        end
        c = i and p[i]
      until not i or c < 128
    else
      return nil
    end
  end
  return nil
end

-- The position after one digit or more from i on, or nil.
local function skip_digits(i)
  local start = i
  while p[i] >= 48 and p[i] <= 57 do i = i + 1 end
  return i > start and i or nil
end

-- The position after the number that starts at i, or nil.
local function skip_number(i)
  if p[i] == 45 then i = i + 1 end
  if p[i] == 48 then i = i + 1 else i = skip_digits(i) end
  if i and p[i] == 46 then i = skip_digits(i + 1) end
  if i and (p[i] == 101 or p[i] == 69) then
    i = i + 1
    if p[i] == 43 or p[i] == 45 then i = i + 1 end
    i = skip_digits(i)
  end
  return i
end

-- The position after the number, true, false or null that starts at i, or nil.
local function skip_literal(i)
  local c = p[i]
  if c < 58 then return skip_number(i) end
  if c == 116 then return p[i + 1] == 114 and p[i + 2] == 117 and p[i + 3] == 101 and i + 4 or nil end
  if c == 110 then return p[i + 1] == 117 and p[i + 2] == 108 and p[i + 3] == 108 and i + 4 or nil end
  if c == 102 then
    return p[i + 1] == 97 and p[i + 2] == 108 and p[i + 3] == 115 and p[i + 4] == 101 and i + 5 or nil
  end
  return nil
end

-- The position of the value of the member whose key starts at i, in an object at `depth`, and the one after the key; or
-- nil.
local function skip_key(i, depth)
  members = members + 1
  if p[i] ~= 34 or members > MOST_MEMBERS then return nil end
  local key_end = skip_string(i)
  local value = key_end and skip_space(key_end)
  if not value or p[value] ~= 58 then return nil end
  value = skip_space(value + 1)
  if depth <= opaque then
    opaque = NEVER
    if LEADS[p[i + 1]] == 1 then look_at(p, i + 1, key_end - 2, p[value], depth) end
  end
  return value, key_end
end

-- The position of the first value inside the container that starts at i, or of its end and true; or nil.
local function enter(i, c, depth)
  opened[depth] = c
  containers = containers + 1
  if containers > MOST_CONTAINERS then return nil end
  if depth > deepest then
    deepest = depth
    if depth == DEEPEST then return nil end -- the body itself is one more
  end
  i = skip_space(i + 1)
  if p[i] == c + 2 then return i, true end
  if c == 123 then return (skip_key(i, depth)), false end
  return i, false
end

-- The position after the object or array that starts at i, or nil.
local function skip_container(i)
  local c = p[i]
  local depth, inside, empty = 1, c, false
  i, empty = enter(i, c, depth)
  while i do
    c = p[i]
    local entered = false
    if empty then
      empty = false
    elseif c == 123 or c == 91 then
      depth, inside, entered = depth + 1, c, true
      i, empty = enter(i, c, depth)
    else
      if c == 34 then i = skip_string(i) else i = skip_literal(i) end
      i = i and skip_space(i)
    end
    if i and not entered then
      -- A value is over; so may be what it stands in.
      while p[i] == inside + 2 do
        depth, i = depth - 1, i + 1
        if depth < opaque then opaque = NEVER end
        if depth == 0 then return i end
        inside = opened[depth]
        i = skip_space(i)
      end
      if p[i] ~= 44 then return nil end
      i = skip_space(i + 1)
      if inside == 123 then i = skip_key(i, depth) end
    end
  end
  return nil
end

local function skip_value(i)
  local c = p[i]
  if c == 34 then return skip_string(i) end
  if c == 123 or c == 91 then return skip_container(i) end
  return skip_literal(i)
end

-- Why the scan stopped.
local function refused()
  if members > MOST_MEMBERS or containers > MOST_CONTAINERS then return TOO_MANY_MEMBERS end
  return deepest == DEEPEST and TOO_DEEP or MALFORMED
end

-- Notes where the members to read stand in the object at i. Returns the position after the object, or nil and the
-- refusal.
local function scan(s, i, reading)
  local starts = reading.starts
  for slot = reading.first, reading.last do key_at[slot] = 0 end
  if p[i] ~= 123 then return nil, MALFORMED end
  i = skip_space(i + 1)
  if p[i] == 125 then return i + 1 end
  local comma, keys = 0, 0
  while true do
    local key = i
    keys = keys + 1
    if keys > MOST_KEYS then return nil, TOO_MANY_KEYS end
    opaque = NEVER
    local value, key_end = skip_key(i, 0)
    i = value and skip_value(value)
    if not i then return nil, refused() end
    if starts[p[key + 1]] then
      local slot, problem = slot_of(sub(s, key + 1, key_end - 2), reading)
      if problem then return nil, problem end
      if slot then
        if key_at[slot] ~= 0 then
          if slot < reading.noted then return nil, doubled(NAMES[slot]) end
          unclear = unclear or doubled(NAMES[slot])
        end
        key_at[slot], comma_at[slot], value_at[slot], value_end[slot] = key, comma, value, i
      end
    end
    i = skip_space(i)
    local c = p[i]
    if c == 125 then return i + 1 end
    if c ~= 44 then return nil, MALFORMED end
    comma = i
    i = skip_space(i + 1)
  end
end

-- The text of a slot's value, nil when the member is absent.
local function value_of(s, slot)
  if key_at[slot] == 0 then return nil end
  return sub(s, value_at[slot], value_end[slot] - 1)
end

-- Objects inside a body that was scanned: all these bytes were counted then.

-- Notes where the members of the object at i stand. Returns the position after it, or nil and the refusal.
local function look(s, i, reading)
  members, containers, deepest = 0, 0, 0
  return scan(s, i, reading)
end

-- The position after the value at i.
local function past(i)
  members, containers, deepest = 0, 0, 0
  return skip_value(i)
end

-- Notes the members of each object in the list at `from`, and calls `judge` with `s` and `with`, until it has a refusal;
-- returns that.
local function each_in(s, from, reading, judge, with)
  local i = skip_space(from + 1)
  while p[i] ~= 93 do
    local problem
    if p[i] == 123 then
      i, problem = look(s, i, reading)
      problem = problem or judge(s, with)
      if problem then return problem end
    else
      i = past(i)
    end
    i = skip_space(i)
    if p[i] == 44 then i = skip_space(i + 1) end
  end
  return nil
end

-- Whether a slot's value is there and begins with this byte.
local function begins(slot, c) return key_at[slot] ~= 0 and p[value_at[slot]] == c end
