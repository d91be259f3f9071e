-- Attempts that are to be signed: behind what signs them. Envoy lets one go out unsigned where it has nothing to sign by.
--
-- No prompt leaves then. The attempt fails at the provider all the same, as one without its credential does: see
-- lua/upstream/attempt.lua, whose half this is.

function envoy_on_request(h)
  local headers = h:headers()
  headers:remove("x-fl-sign")
  if headers:get("authorization") then return end
  local metadata = h:streamInfo():dynamicMetadata()
  metadata:set("fairlead", "unsent", "1")
  metadata:set("fairlead", "failed", "401")
  headers:replace(":path", "/")
  local bytes = h:body(true):setBytes("{}") -- may wait for the body: headers from before are void then
  h:headers():replace("content-length", tostring(bytes))
end
