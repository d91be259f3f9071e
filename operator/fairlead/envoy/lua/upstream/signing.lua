-- Signatures ------------------------------------------------------------------------------------------------------------
--
-- A host whose requests are signed has `!sign=<signer>` among the headers that it wants. Its credential is a credentials
-- file of AWS, which Envoy itself reads; or `-`, what AWS gives the pod.

local SIGNS = "@signs@" ~= "" -- whether some host of this gateway wants it

-- Whether a text is such a file, as far as it can be told without knowing who is to sign by it.
local function is_credentials_file(text)
  return find(text, "%f[%w]aws_access_key_id%s*=%s*%S") ~= nil and find(text, "%f[%w]aws_secret_access_key%s*=%s*%S") ~= nil
end

local files, looked_at = {}, {} -- whether each is there, and when that was seen

-- Whether there is something to sign by, as of CREDENTIAL_MS ago at most.
local function can_sign(h, credential)
  if credential == "-" then return true end
  local now = tonumber(h:timestamp())
  if now - (looked_at[credential] or 0) >= CREDENTIAL_MS or now < looked_at[credential] then
    local text = read_file(CREDENTIALS .. "/" .. credential)
    files[credential], looked_at[credential] = text ~= nil and is_credentials_file(text), now
  end
  return files[credential]
end

-- The filter behind this one that signs what goes to a host, or nil.
local function signer_of(forward) return SIGNS and match(forward, "!sign=(%x+)") or nil end
