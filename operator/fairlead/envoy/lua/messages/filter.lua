-- The filter -----------------------------------------------------------------------------------------------------------

local CLIENTS = "@clients@" -- whose clients it speaks to: attempts that were not said in other words for them pass by
local UNSAYABLE = 470 -- which the upstream filter made of an answer
local CONVERSE = "converse" -- in words of Messages already, whoever wrote them
local UNCLEAR = '"The model\'s provider gave no answer that can be understood."'

local function read_stream(h, asked)
  local state, last = new_stream(asked), nil
  for chunk in h:bodyChunks() do
    last = chunk
    local length = chunk:length()
    if length > 0 then chunk:setBytes(translated(state, chunk:getBytes(0, length))) end
  end
  local out = {}
  finish(state, out) -- of a provider that does not say that it is done
  if last and #out > 0 then
    local length = last:length()
    last:setBytes((length > 0 and last:getBytes(0, length) or "") .. concat(out))
  end
end

local function read_whole(h, status, encoded)
  local body = h:body(true) -- may wait for it: headers from before are void then
  local length = body:length()
  local text = length > 0 and body:getBytes(0, length) or ""
  if status >= 300 and is_own(text) then
    if status == UNSAYABLE then h:headers():replace(":status", "502") end
    return
  end
  local said = not encoded and (status < 300 and @whole@(text) or status >= 300 and problem_of(text, status))
  local headers = h:headers()
  if not said then
    said = error_of(502, UNCLEAR)
    headers:replace(":status", "502")
    headers:remove("content-encoding")
  end
  headers:replace("content-length", tostring(body:setBytes(said)))
  headers:replace("content-type", "application/json")
end

function envoy_on_response(h)
  local ours = h:streamInfo():dynamicMetadata():get(NAMESPACE)
  local translated = ours and ours.translated
  if translated ~= CLIENTS and translated ~= CONVERSE then return end
  local headers = h:headers()
  local conversed = ours.converse and ours.converse ~= ""
  local left_out = conversed and ours.converse_left_out or not conversed and ours.left_out
  if left_out and left_out ~= "" then headers:replace("x-fairlead-left-out", left_out) end
  local status = tonumber(headers:get(":status"))
  if translated == CONVERSE then
    if status == UNSAYABLE then headers:replace(":status", "502") end
    return
  end
  local encoding = headers:get("content-encoding")
  local encoded = encoding ~= nil and encoding ~= "identity"
  if status < 300 and ours.stream and not encoded then -- also of another type: it ends by an error, as no stream
    headers:remove("content-length")
    headers:replace("content-type", "text/event-stream")
    return read_stream(h, not ours.unasked)
  end
  read_whole(h, status, encoded)
end
