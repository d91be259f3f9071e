-- Members: which one a key of the body is ---------------------------------------------------------------------------

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

-- Characters that names are made of and JSON may escape: `qwen\/qwen3-32b` is what PHP writes.
local function plain(kind, digits)
  if kind == "/" then return "/" .. digits end
  local code = kind == "u" and tonumber(digits, 16)
  return code and code < 128 and char(code) or nil
end

-- The name that a lenient server may take a key for: by escapes, by the end of a C string, by folding case, or by
-- writing `maxTokens` for `max_tokens`. Two readers that disagree on which model is asked for, or on a limit, are a way
-- around both.
local function folded(key)
  key = gsub(key, "\\(.)(%x?%x?%x?%x?)", unescape)
  key = match(key, "^%Z*")
  key = gsub(gsub(gsub(key, "\197\191", "s"), "\226\132\170", "k"), "\196[\176\177]", "i")
  return gsub(lower(key), "[^a-z0-9]", "")
end

local LONGEST_KEY = 6 * (#"previous_response_id" + 1) -- all in escapes, and the end of a C string

local harmless, known = {}, 0 -- keys of requests that are none of these: most are looked up once

-- The slot of a key in what is read of an object, nil when it is not read; nil and the refusal of a disguise.
local function slot_of(key, reading)
  local slot = reading.slots[key]
  if slot or harmless[key] then return slot end
  key = sub(key, 1, LONGEST_KEY)
  slot = reading.folded[folded(key)]
  if slot then return nil, disguised(NAMES[slot]) end
  if known >= KEPT then harmless, known = {}, 0 end
  harmless[key], known = true, known + 1
  return nil
end
