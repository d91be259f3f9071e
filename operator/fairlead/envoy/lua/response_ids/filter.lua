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

function envoy_on_response(h)
  local ours = h:streamInfo():dynamicMetadata():get(NAMESPACE)
  if not ours or not ours.signs then return end
  local headers = h:headers()
  local encoding = headers:get("content-encoding")
  if headers:get(":status") ~= "200" or encoding and encoding ~= "identity" then return end
  local target = ours.last_target or match(ours.tried or "", "^%d+,%d+,(.*)$")
  local signers = signers_of(ours.signs)
  if not target or not signers[match(target, "^[^/]*")] then return end
  local state = new_state(signers, ours.consumer, target, ours.previous)
  if find(headers:get("content-type") or "", "^%s*text/event%-stream") then
    headers:remove("content-length")
    return read_stream(h, state)
  end
  read_whole(h, state)
end
