-- Credentials ---------------------------------------------------------------------------------------------------------
--
-- credential = <secret>/<key>, or <secret>/<key>/<header>. From the configuration alone, never from a request.

local CREDENTIALS = "@credentials_dir@"
local CREDENTIAL_BYTES = 65536
local CREDENTIAL_MS = 100

local values, read_at = {}, {} -- by file

local function read_file(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read(CREDENTIAL_BYTES + 1)
  file:close()
  return text and #text <= CREDENTIAL_BYTES and text or nil
end

-- What no header can carry is as absent as a file that is not there.
local function read_credential(path)
  local text = read_file(path)
  if not text then return nil end
  local value = match(text, "^(.*%S)") or "" -- most editors end a file with a newline
  if value == "" or find(value, "%c") then return nil end
  return value
end

-- The credential's value, at most CREDENTIAL_MS old, and the header that carries it; nil where it cannot be had.
local function credential_of(h, name)
  local file, header = match(name, "^([^/]+/[^/]+)/?(.*)$")
  if not file then return nil end
  local now = tonumber(h:timestamp())
  if now - (read_at[file] or 0) >= CREDENTIAL_MS or now < read_at[file] then
    values[file], read_at[file] = read_credential(CREDENTIALS .. "/" .. file), now
  end
  local value = values[file]
  if not value then return nil end
  if header == "" then return "Bearer " .. value, "authorization" end
  return value, header
end
