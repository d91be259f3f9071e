-- Fairlead's token filter. All parts of lua/tokens/ are joined into one chunk; see envoy/token_filter.py.
--
-- The reader: one JSON document that comes in pieces, of which it keeps the piece that it reads. A table `r`: `s` is the
-- piece, `i` the next byte in it, `more` brings the next piece, or nil.

local byte, find, gmatch = string.byte, string.find, string.gmatch
local lower, match, sub = string.lower, string.match, string.sub
local concat = table.concat

local LONGEST_WORD = 520 -- bytes of a key, a number or a name that is read; what is longer is none of ours

-- Goes to the next piece. False at the end.
local function fill(r)
  repeat
    local piece = r.more and r.more()
    if not piece then
      r.s, r.i, r.more = "", 1, nil
      return false
    end
    r.s, r.i = piece, 1
  until piece ~= ""
  return true
end

-- The next byte that is no space, which is not consumed; nil at the end.
local function next_byte(r)
  repeat
    local s, i = r.s, r.i
    local c = byte(s, i)
    while c == 32 or c == 10 or c == 13 or c == 9 do
      i = i + 1
      c = byte(s, i)
    end
    r.i = i
    if c then return c end
  until not fill(r)
  return nil
end

-- Goes behind the string that begins at the next byte. False when it does not end.
local function skip_string(r)
  local from, escaped = r.i + 1, 0 -- escaped: 1 when a backslash in the piece before makes the byte at `from` plain
  repeat
    local s = r.s
    local quote_at = find(s, '"', from, true)
    while true do
      local stop = quote_at or #s + 1
      local b = stop - 1
      while b >= from and byte(s, b) == 92 do b = b - 1 end
      local run = stop - 1 - b
      if b < from then run = run + escaped end
      if not quote_at then
        from, escaped = 1, run % 2
        break
      end
      if run % 2 == 0 then
        r.i = quote_at + 1
        return true
      end
      from, escaped = quote_at + 1, 0
      quote_at = find(s, '"', from, true)
    end
  until not fill(r)
  return false
end

-- Goes behind everything up to the bracket that closes `depth` open ones. False when it does not come.
local function skip_open(r, depth)
  while true do
    local at = find(r.s, '["%[%]{}]', r.i)
    if not at then
      if not fill(r) then return false end
    else
      local c = byte(r.s, at)
      r.i = at
      if c == 34 then
        if not skip_string(r) then return false end
      else
        r.i = at + 1
        depth = depth + ((c == 123 or c == 91) and 1 or -1)
        if depth == 0 then return true end
      end
    end
  end
end

-- The next byte on, up to before `pattern` finds something (or behind it): joined over pieces while it is short. Nil when
-- it is too long or does not end.
local function short_text(r, pattern, from)
  while true do
    local s, i = r.s, r.i
    local at, last = find(s, pattern, i + from)
    if at then
      if at - i > LONGEST_WORD then return nil end
      return sub(s, i, at - 1), at, last
    end
    local rest = sub(s, i)
    if #rest > LONGEST_WORD or not fill(r) then return nil end
    r.s = rest .. r.s
  end
end

-- A string without escapes, without its quotes; "" for any other, which is skipped. False when it does not end.
local function read_string(r)
  local short, past = match(r.s, '^"([^"\\]*)"()', r.i)
  if past and #short < LONGEST_WORD then
    r.i = past
    return short
  end
  local text, at = short_text(r, '["\\]', 1)
  if text and byte(r.s, at) == 34 then
    r.i = at + 1
    return sub(text, 2)
  end
  return skip_string(r) and ""
end

-- A number or a word; "" for one that is too long, which is skipped. False when it does not end.
local function read_word(r)
  local short, past = match(r.s, "^([^,%]}%s]+)()[,%]}%s]", r.i)
  if past and #short < LONGEST_WORD then
    r.i = past
    return short
  end
  local text, at = short_text(r, "[,%]}%s]", 0)
  if text then
    r.i = at
    return text
  end
  repeat
    at = find(r.s, "[,%]}%s]", r.i)
    if at then
      r.i = at
      return ""
    end
  until not fill(r)
  return false
end

-- Goes behind the next value. False when it does not end.
local function skip_value(r)
  local c = next_byte(r)
  if c == 34 then return skip_string(r) end
  if c == 123 or c == 91 then
    r.i = r.i + 1
    return skip_open(r, 1)
  end
  return c ~= nil and read_word(r) ~= false
end

-- Reads an object: calls `member(r, name, first, context)` before each value, whose first byte is `first`; what it leaves
-- unread (it returns nil) is skipped. It returns false to give up. False when this is no whole object.
local function read_object(r, member, context)
  if next_byte(r) ~= 123 then return false end
  r.i = r.i + 1
  local c = next_byte(r)
  if c == 125 then
    r.i = r.i + 1
    return true
  end
  while c == 34 do
    -- Most names stand in one piece, with the beginning of their value: one look at the text instead of several.
    local name, at = match(r.s, '^"([^"\\]*)"%s*:%s*()[^%s]', r.i)
    local first
    if at then
      r.i, first = at, byte(r.s, at)
    else
      name = read_string(r)
      if not name or next_byte(r) ~= 58 then return false end
      r.i = r.i + 1
      first = next_byte(r)
      if not first then return false end
    end
    local done = member(r, name, first, context)
    if done == nil then done = skip_value(r) end
    if not done then return false end
    c = next_byte(r)
    if c == 125 then
      r.i = r.i + 1
      return true
    end
    if c ~= 44 then return false end
    r.i = r.i + 1
    c = next_byte(r)
  end
  return false
end
