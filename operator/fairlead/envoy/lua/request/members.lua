-- Members: which one a key of the body is ---------------------------------------------------------------------------

-- A character in UTF-8.
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

local ESCAPES = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

-- What a string of JSON says, whose escapes the scan has seen: `qwen\/qwen3-32b` is what PHP writes. Nil and the code
-- of half a character of UTF-16, which is none.
local function unescaped(text)
  local pieces, from, at = {}, 1, find(text, "\\", 1, true)
  while at do
    local kind, last = sub(text, at + 1, at + 1), at + 1
    local one = ESCAPES[kind] or kind
    if kind == "u" then
      local code = tonumber(sub(text, at + 2, at + 5), 16)
      last = at + 5
      if code >= 0xd800 and code < 0xe000 then
        local low = code < 0xdc00 and match(text, "^\\u([dD][c-fC-F]%x%x)", last + 1)
        if not low then return nil, code end
        code, last = 0x10000 + (code - 0xd800) * 0x400 + tonumber(low, 16) - 0xdc00, last + 6
      end
      one = utf8_of(code)
    end
    pieces[#pieces + 1] = sub(text, from, at - 1) .. one
    from = last + 1
    at = find(text, "\\", from, true)
  end
  return concat(pieces) .. sub(text, from)
end

-- The name in the value of `model`, or nil and the refusal of what is no name.
local function model_in(text)
  if byte(text) ~= 34 or #text > LONGEST_MODEL or #text == 2 then return nil, BAD_MODEL end
  local name, half = sub(text, 2, -2), nil
  if find(name, "\\", 1, true) then
    name, half = unescaped(name)
    if half then return nil, odd_model(format("U+%04X", half)) end
  end
  if #name > MODEL_LENGTH then return nil, BAD_MODEL end
  local control = match(name, "%c") or match(name, "\194([\128-\159])")
  if control then return nil, odd_model(format("U+%04X", byte(control))) end
  return name
end

local folded

do -- a chunk of Lua has 200 locals at most

-- What an escape stands for, as far as names go: letters that fold into others somewhere are the long s, the Kelvin sign
-- (Go), the dotted and the dotless i (Java).
local function unescape(kind, digits)
  if kind ~= "u" then return digits end
  local code = tonumber(digits, 16) or 0 -- an escape that was cut through
  if code == 0x17f then return "s" end
  if code == 0x212a then return "k" end
  if code == 0x130 or code == 0x131 then return "i" end
  return code < 128 and char(code) or ""
end

-- The name that a lenient server may take a key for: by escapes, by the end of a C string, by folding case, or by
-- writing `maxTokens` for `max_tokens`. Two readers that disagree on which model is asked for, or on a limit, are a way
-- around both.
function folded(key)
  key = gsub(key, "\\(.)(%x?%x?%x?%x?)", unescape)
  key = match(key, "^%Z*")
  key = gsub(gsub(gsub(key, "\197\191", "s"), "\226\132\170", "k"), "\196[\176\177]", "i")
  return gsub(lower(key), "[^a-z0-9]", "")
end

end

local LONGEST_KEY = 6 * (#"content_policy_fallbacks" + 1) -- all in escapes, and the end of a C string

local unclear -- the refusal of a member of this body that is noted only

-- The slot of a key in what is read of an object, nil when it is not read; nil and the refusal of a disguise.
local function slot_of(key, reading)
  local slot = reading.slots[key]
  if slot or reading.harmless[key] then return slot end
  key = sub(key, 1, LONGEST_KEY)
  slot = reading.folded[folded(key)]
  if slot and slot >= reading.noted then
    unclear = unclear or disguised(NAMES[slot])
    return nil
  end
  if slot then return nil, disguised(NAMES[slot]) end
  if reading.known >= KEPT then reading.harmless, reading.known = {}, 0 end
  reading.harmless[key], reading.known = true, reading.known + 1
  return nil
end
