-- The filter -----------------------------------------------------------------------------------------------------------

local function read_stream(h, state)
  local last
  for chunk in h:bodyChunks() do
    last = chunk
    local length = chunk:length()
    if length > 0 then chunk:setBytes(signed_chunk(state, chunk:getBytes(0, length))) end
  end
  local rest = signed_rest(state)
  if last and rest ~= "" then
    local length = last:length()
    last:setBytes((length > 0 and last:getBytes(0, length) or "") .. rest)
  end
end

local function read_whole(h, state)
  local body = h:body(true) -- may wait for it: headers from before are void then
  local length = body:length()
  if length == 0 then return end
  local text = body:getBytes(0, length)
  local said = signed_whole(text, state)
  if said ~= text then h:headers():replace("content-length", tostring(body:setBytes(said))) end
end

local ERROR_BYTES = 65536

local function is_short_json(headers)
  local length = headers:get("content-length")
  return (not length or tonumber(length) <= ERROR_BYTES) and find(headers:get("content-type") or "", "^application/json") ~= nil
end

-- Where an endpoint does not have the answer before any more, some servers say 404, which would be taken for an address or a
-- model that is wrong; OpenAI says 400.
local function read_error(h, ours, raw)
  local body = h:body(true) -- may wait for it: headers from before are void then
  local length = body:length()
  if length == 0 or length > ERROR_BYTES then return end
  local text = body:getBytes(0, length)
  local said = renamed(text, raw, ours.previous)
  if said == text then return end
  local headers = h:headers()
  headers:replace("content-length", tostring(body:setBytes(said)))
  if headers:get(":status") == "404" then headers:replace(":status", "400") end
end

function envoy_on_response(h)
  local ours = h:streamInfo():dynamicMetadata():get(NAMESPACE)
  if not ours or not ours.signs then return end
  local headers = h:headers()
  local encoding = headers:get("content-encoding")
  if encoding and encoding ~= "identity" then return end
  local signers = signers_of(ours.signs)
  if headers:get(":status") ~= "200" then
    local _, raw = opened_id(signers, ours.consumer, ours.previous or "")
    if raw and is_short_json(headers) then read_error(h, ours, raw) end
    return
  end
  local target = ours.last_target or match(ours.tried or "", "^%d+,%d+,(.*)$")
  if not target or not signers[match(target, "^[^/]*")] then return end
  local state = new_state(signers, ours.consumer, target, ours.previous)
  if find(headers:get("content-type") or "", "^%s*text/event%-stream") then
    headers:remove("content-length")
    return read_stream(h, state)
  end
  read_whole(h, state)
end
