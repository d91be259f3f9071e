-- Strings that hold JSON: what they say, and whether it is an object ---------------------------------------------------

local NAMED = { ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

local function utf8_of(code)
  if code < 128 then return char(code) end
  if code < 2048 then return char(192 + floor(code / 64), 128 + code % 64) end
  if code < 65536 then return char(224 + floor(code / 4096), 128 + floor(code / 64) % 64, 128 + code % 64) end
  return char(240 + floor(code / 262144), 128 + floor(code / 4096) % 64, 128 + floor(code / 64) % 64, 128 + code % 64)
end

-- What a string of JSON says; nil where half a character is escaped in it.
local function unquoted(text)
  local inner = sub(text, 2, -2)
  local out, n, at = {}, 0, 1
  while true do
    local found = find(inner, "\\", at, true)
    if not found then break end
    out[n + 1] = sub(inner, at, found - 1)
    local code = tonumber(match(inner, "^u(%x%x%x%x)", found + 1) or "", 16)
    if not code then
      out[n + 2], at = NAMED[sub(inner, found + 1, found + 1)], found + 2
      if not out[n + 2] then return nil end
    else
      at = found + 6
      if code >= 55296 and code < 57344 then
        local low = code < 56320 and match(inner, "^\\u([dD][c-fC-F]%x%x)", at)
        if not low then return nil end
        code, at = 65536 + (code - 55296) * 1024 + tonumber(low, 16) - 56320, at + 6
      end
      out[n + 2] = utf8_of(code)
    end
    n = n + 2
  end
  out[n + 1] = sub(inner, at)
  return concat(out)
end

-- An id of a call without the characters of the class `odd`, which stand there in hexadecimal: other providers give ids that
-- the other API does not take. However an id is spelled in JSON, it is the same one. Nil for an empty one.
local function plain_id(id, odd)
  local inner = sub(id, 2, -2)
  if not find(inner, odd) then return inner ~= "" and id or nil end
  return '"' .. gsub(unquoted(id) or inner, odd, function(c) return format("_%02x", byte(c)) end) .. '"'
end

local DEEPEST = 128

local HEX, AFTER_BACKSLASH = {}, {}
for c = 0, 255 do HEX[c], AFTER_BACKSLASH[c] = false, false end
for c in gmatch("0123456789abcdefABCDEF", ".") do HEX[byte(c)] = true end
for c in gmatch('"\\/bfnrt', ".") do AFTER_BACKSLASH[byte(c)] = true end

-- The place after the string of RFC 8259 that begins at `at`, or nil.
local function after_plain_string(p, at)
  while true do
    at = at + 1
    local c = p[at]
    if c == 34 then return at + 1 end
    if c < 32 then return nil end
    if c == 92 then
      at = at + 1
      if p[at] == 117 then
        for i = at + 1, at + 4 do
          if not HEX[p[i]] then return nil end
        end
        at = at + 4
      elseif not AFTER_BACKSLASH[p[at]] then
        return nil
      end
    end
  end
end

local function after_digits(p, at)
  local from = at
  while p[at] >= 48 and p[at] <= 57 do at = at + 1 end
  return at > from and at or nil
end

local function after_number(p, at)
  if p[at] == 45 then at = at + 1 end
  local stop = after_digits(p, at)
  if not stop or p[at] == 48 and stop > at + 1 then return nil end
  if p[stop] == 46 then stop = after_digits(p, stop + 1) end
  if stop and (p[stop] == 101 or p[stop] == 69) then
    stop = stop + 1
    if p[stop] == 43 or p[stop] == 45 then stop = stop + 1 end
    stop = after_digits(p, stop)
  end
  return stop
end

local WORDS = { [116] = "true", [102] = "false", [110] = "null" }

local function after_scalar(s, p, at)
  local c = p[at]
  if c == 34 then return after_plain_string(p, at) end
  local known = WORDS[c]
  if not known then return after_number(p, at) end
  return sub(s, at, at + #known - 1) == known and at + #known or nil
end

-- The place of the value of the member that is next, or nil.
local function value_of_member(p, at)
  local stop = p[at] == 34 and after_plain_string(p, at)
  at = stop and after_blanks(p, stop)
  return at and p[at] == 58 and after_blanks(p, at + 1) or nil
end

-- The place after the value of RFC 8259 that begins at `at`; nil where there is none. What models write is often none.
local function after_strict(s, at)
  local p, open, depth = bytes_of(s), {}, 0 -- what closes each of those that are open
  while true do
    local c = p[at]
    local close = c == 123 and 125 or c == 91 and 93
    if close then
      depth = depth + 1
      if depth > DEEPEST then return nil end
      open[depth], at = close, after_blanks(p, at + 1)
    else
      at = after_scalar(s, p, at)
      if not at then return nil end
      if depth == 0 then return at end
      at = after_blanks(p, at)
    end
    while p[at] == open[depth] do -- nothing is in it, or nothing more
      depth = depth - 1
      if depth == 0 then return at + 1 end
      at, close = after_blanks(p, at + 1), nil
    end
    if not close then
      if p[at] ~= 44 then return nil end
      at = after_blanks(p, at + 1)
    end
    if open[depth] == 125 then
      at = value_of_member(p, at)
      if not at then return nil end
    end
  end
end

-- The input of a tool from the arguments of a call; nil where they are no object.
local function input_of(arguments)
  if is_nothing(arguments) or arguments == '""' then return "{}" end
  local input = byte(arguments) == 34 and unquoted(arguments)
  local open = input and match(input, "^%s*(){")
  local past = open and after_strict(input, open)
  return past and find(input, "^%s*$", past) and input or nil
end
