-- Ids of answers that a provider keeps, as clients get them: `resp_fl1_<MAC>_<target and the provider's id>` ------------
--
-- The MAC binds both to the caller who got them, under a secret that every gateway mounts which has this provider: any of
-- them knows what another one signed, and nobody else can sign. Keys of a caller may change; its name is what counts.

local signers_of, signed_id, opened_id

do -- a chunk of Lua has 200 locals at most

local CREDENTIALS = "@credentials_dir@"
local SECRET_BYTES, LEAST_SECRET = 65536, 32
local LONGEST_ID = 1024
local DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" -- RFC 4648, 5

local VALUES = {}
for i = 1, 64 do VALUES[byte(DIGITS, i)] = i - 1 end

local function digit(value) return sub(DIGITS, value + 1, value + 1) end

local function encoded(text)
  local out = {}
  for at = 1, #text, 3 do
    local a, b, c = byte(text, at, at + 2)
    local bits = a * 65536 + (b or 0) * 256 + (c or 0)
    out[#out + 1] = digit(math.floor(bits / 262144)) .. digit(math.floor(bits / 4096) % 64)
      .. (b and digit(math.floor(bits / 64) % 64) or "") .. (c and digit(bits % 64) or "")
  end
  return concat(out)
end

local function decoded(text)
  if #text % 4 == 1 then return nil end
  local out = {}
  for at = 1, #text, 4 do
    local a, b, c, d = byte(text, at, at + 3)
    local bits = VALUES[a] * 262144 + VALUES[b] * 4096 + VALUES[c or 65] * 64 + VALUES[d or 65]
    local bytes = char(math.floor(bits / 65536), math.floor(bits / 256) % 256, bits % 256)
    out[#out + 1] = sub(bytes, 1, d and 3 or c and 2 or 1)
  end
  return concat(out)
end

local secrets, read_at = {}, {} -- by file, for a second at most

-- What a file holds; nil where it cannot be read, or can be guessed.
local function secret_of(name)
  local moment = now()
  if read_at[name] ~= moment then
    local file = io.open(CREDENTIALS .. "/" .. name, "rb")
    local text = file and file:read(SECRET_BYTES)
    if file then file:close() end
    text = text and match(text, "^(.*%S)")
    secrets[name], read_at[name] = text and #text >= LEAST_SECRET and text or nil, moment
  end
  return secrets[name]
end

local known, parsed -- the last text, and what it says

-- By provider, the files of the secrets that its ids are signed by: `<provider>,<file>,<file> <provider>,...`.
function signers_of(text)
  if text ~= known then
    known, parsed = text, {}
    for provider, list in gmatch(text, "([^ ,]+),(%S+)") do
      local files = {}
      for file in gmatch(list, "[^,]+") do files[#files + 1] = file end
      parsed[provider] = files
    end
  end
  return parsed
end

local function files_of(signers, target) return signers[match(target, "^[^/]*")] end

local function signature(secret, consumer, what) return mac_of(secret, "response\0" .. consumer .. "\0" .. what) end

-- The first secret that is there: a new one may not be mounted yet, and what is signed by none cannot be gone on from.
local function signing(files)
  for i = 1, files and #files or 0 do
    local secret = secret_of(files[i])
    if secret then return secret end
  end
  return nil
end

-- What a client gets for a provider's id; nil where it gets the provider's. Proxies give base64, with `/`, `+` and `=`.
function signed_id(signers, consumer, target, id)
  local secret = signing(files_of(signers, target))
  if not secret or #id > LONGEST_ID or not find(id, "^[%w%p]+$") or find(id, '["\\]') then return nil end
  local what = target .. " " .. id
  return "resp_fl1_" .. signature(secret, consumer, what) .. "_" .. encoded(what)
end

-- The target and the provider's id of what this caller got, or nil.
function opened_id(signers, consumer, text)
  local mac, rest = match(text, "^resp_fl1_(%x+)_([%w_-]+)$")
  local what = mac and #text <= 4 * LONGEST_ID and decoded(rest)
  local target, id = match(what or "", "^(%S+) (%S+)$")
  local files = target and files_of(signers, target)
  for i = 1, files and #files or 0 do
    local secret = secret_of(files[i])
    if secret and signature(secret, consumer, what) == mac and encoded(what) == rest then return target, id end
  end
  return nil
end

end
