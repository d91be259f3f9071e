-- Fairlead's upstream filter: runs once per attempt, after its host is chosen and the client's credentials are off. Puts
-- the host's credential on, writes model and path as the host wants them, and lets nothing of ours out.
--
-- credential = <secret>/<key>, or <secret>/<key>/<header>. From the configuration alone, never from a request.
-- x-fl-host = <credential> <host's wire id> <base path> <hop>  <members of the attempt's log line>
--             <wire id in the body> <last wire id> <last target> <bytes of the body> <path>
-- The path is last and whatever the client sent; nothing before it has a space.
-- Attempts share one header map and the body is replayed as it was, so everything is written absolutely.

local match, find, sub = string.match, string.find, string.sub
local HOST = '^(%S+) (%S+) (%S+) (%S+) ("attempt":%S+) (%S+) (%S+) (%S+) (%d+) /v1(/%S+)$'

local CREDENTIALS = "@credentials_dir@"
local CREDENTIAL_BYTES = 65536

local CREDENTIAL_MS = 100

local values, read_at = {}, {} -- by file

-- What no header can carry is as absent as a file that is not there.
local function read_credential(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read(CREDENTIAL_BYTES + 1)
  file:close()
  if not text or #text > CREDENTIAL_BYTES then return nil end
  local value = match(text, "^(.-)%s*$") -- most editors end a file with a newline
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

local missed = false -- whether this worker ever lacked a credential: until then nobody asks the metadata

-- No prompt leaves without the credential. The attempt must fail at the provider all the same: an answer of this filter's
-- own would end the request, since Envoy retries none of those.
local function send_nothing(h, headers, base)
  missed = true
  h:streamInfo():dynamicMetadata():set("fairlead", "unsent", "1")
  headers:replace(":path", base == "-" and "/" or base)
  local bytes = h:body(true):setBytes("{}") -- may wait for the body: headers from before are void then
  h:headers():replace("content-length", tostring(bytes))
end

-- The request filter put the model first, in these very bytes.
local function write_model(h, model)
  local body = h:body(true)
  local text = body:getBytes(0, body:length())
  local _, last = find(text, '^{"model":"[^"]*"')
  if last then body:setBytes('{"model":"' .. model .. '"' .. sub(text, last + 1)) end
  return last ~= nil
end

local function close(h)
  h:respond({ [":status"] = "503" }, "")
end

function envoy_on_request(h)
  local headers = h:headers()
  local line = headers:get("x-fl-host") or ""
  headers:remove("x-fl-host")
  local credential, model, base, hop, log, written, last_model, last_target, bytes, path = match(line, HOST)
  if not model then
    -- A copy on its way to the shadows' hop passes as it is; an answer here would crash Envoy.
    if sub(line, 1, 7) ~= "shadow " then close(h) end
    return
  end
  local value, header
  if credential ~= "-" then value, header = credential_of(h, credential) end
  if value then headers:replace(header, value) end
  if missed then h:streamInfo():dynamicMetadata():set("fairlead", "unsent", "") end -- attempts share it
  headers:replace(":path", base == "-" and path or base .. path)
  if hop == "-" then
    headers:replace(":fl-attempt", log) -- for the log: HTTP/1 does not send it
  else
    headers:replace("x-fl-hop", hop)
    headers:replace("x-fl-attempt", log)
    headers:remove(":fl-attempt") -- of the attempt before: HTTP/2, which a hop speaks, would refuse it
    headers:remove(":fl-target")
    headers:remove(":fl-model")
  end
  if model == "*" then
    model = last_model
    local metadata = h:streamInfo():dynamicMetadata()
    metadata:set("fairlead", "last_target", last_target)
    metadata:set("fairlead", "last_model", match(last_target, "^[^/]*/[^/]*/(.*)$"))
    metadata:set("fairlead", "last_wire", last_model)
    headers:replace(":fl-target", last_target)
    headers:replace(":fl-model", last_model)
  end
  if credential ~= "-" and not value then
    send_nothing(h, headers, base)
  elseif model ~= written then
    if not write_model(h, model) then close(h) end
  elseif headers:get("content-length") ~= bytes then
    -- What the attempt before said of a body with a longer or shorter model.
    headers:replace("content-length", bytes)
  end
end

-- Whatever a provider says to an attempt that brought nothing, it is the refusal of a credential.
function envoy_on_response(h)
  if not missed then return end
  local ours = h:streamInfo():dynamicMetadata():get("fairlead")
  if ours and ours.unsent == "1" then h:headers():replace(":status", "401") end
end
