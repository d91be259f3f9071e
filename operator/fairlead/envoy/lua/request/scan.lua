-- The scan: one pass over the top level of a JSON object ------------------------------------------------------------
-- Byte by byte and with plain searches only, so that LuaJIT compiles it; values are skipped, not checked: what is wrong
-- inside them stays wrong and is the provider's to refuse.

-- Where the member of each slot stands: its key's opening quote (0 = it is not there), the comma before it (0 = it is
-- the first), its value's first byte and the first byte after its value.
local key_at, comma_at, value_at, value_end = {}, {}, {}, {}

local function skip_space(s, i)
  local c = byte(s, i)
  while c == 32 or c == 10 or c == 13 or c == 9 do
    i = i + 1
    c = byte(s, i)
  end
  return i
end

-- The position after the string whose opening quote stands at i, or nil.
local function skip_string(s, i)
  local quote_at = find(s, '"', i + 1, true)
  while quote_at do
    local b = quote_at - 1
    while byte(s, b) == 92 do b = b - 1 end
    if (quote_at - b) % 2 == 1 then return quote_at + 1 end
    quote_at = find(s, '"', quote_at + 1, true)
  end
  return nil
end

-- The position after the object or array that starts at i, or nil.
local function skip_container(s, i)
  local depth = 0
  while true do
    local c = byte(s, i)
    if c == 34 then
      i = skip_string(s, i)
      if not i then return nil end
    else
      if c == 123 or c == 91 then
        depth = depth + 1
      elseif c == 125 or c == 93 then
        depth = depth - 1
        if depth == 0 then return i + 1 end
      elseif not c then
        return nil
      end
      i = i + 1
    end
  end
end

-- The position after the number, true, false or null that starts at i, or nil.
local function skip_literal(s, i)
  local start = i
  local c = byte(s, i)
  while c and (c >= 97 and c <= 122 or c >= 48 and c <= 57 or c == 45 or c == 46 or c == 43 or c >= 65 and c <= 90) do
    i = i + 1
    c = byte(s, i)
  end
  return i > start and i or nil
end

local function skip_value(s, i)
  local c = byte(s, i)
  if c == 34 then return skip_string(s, i) end
  if c == 123 or c == 91 then return skip_container(s, i) end
  return skip_literal(s, i)
end

local function unescape(digits)
  if digits == "017f" or digits == "017F" then return "s" end
  if lower(digits) == "212a" then return "k" end
  local code = tonumber(digits, 16)
  return code < 128 and char(code) or "?"
end

-- The name of a member that is read, if a lenient server would take this other key for it: by escapes, or by folding
-- case as Go does (there the long s and the Kelvin sign are letters too). Two readers that disagree on which model is
-- asked for, or on a limit, are a way around both.
local function disguise(key, slots)
  if #key > LONGEST_ESCAPED then return nil end
  if find(key, "[\\\128-\255]") then
    key = gsub(key, "\\u(%x%x%x%x)", unescape)
    key = gsub(gsub(key, "\197\191", "s"), "\226\132\170", "k")
  elseif not find(key, "%u") then
    return nil
  end
  local plain = lower(key)
  return slots[plain] and plain
end

-- Notes where the members to read stand in the object at i. Returns the position after the object, or nil and the
-- refusal.
local function scan(s, i, reading)
  local slots, starts = reading.slots, reading.starts
  for slot = reading.first, reading.last do key_at[slot] = 0 end
  if byte(s, i) ~= 123 then return nil, MALFORMED end
  i = skip_space(s, i + 1)
  if byte(s, i) == 125 then return i + 1 end
  local comma = 0
  while byte(s, i) == 34 do
    local key_start = i
    local key_end = skip_string(s, i)
    if not key_end then return nil, MALFORMED end
    i = skip_space(s, key_end)
    if byte(s, i) ~= 58 then return nil, MALFORMED end
    local value = skip_space(s, i + 1)
    i = skip_value(s, value)
    if not i then return nil, MALFORMED end
    if starts[byte(s, key_start + 1)] then
      local key = sub(s, key_start + 1, key_end - 2)
      local slot = slots[key]
      if slot then
        if key_at[slot] ~= 0 then return nil, doubled(key) end
        key_at[slot], comma_at[slot], value_at[slot], value_end[slot] = key_start, comma, value, i
      else
        local name = disguise(key, slots)
        if name then return nil, disguised(name) end
      end
    end
    i = skip_space(s, i)
    local c = byte(s, i)
    if c == 125 then return i + 1 end
    if c ~= 44 then return nil, MALFORMED end
    comma = i
    i = skip_space(s, i + 1)
  end
  return nil, MALFORMED
end

-- The text of a slot's value, nil when the member is absent.
local function value_of(s, slot)
  if key_at[slot] == 0 then return nil end
  return sub(s, value_at[slot], value_end[slot] - 1)
end
