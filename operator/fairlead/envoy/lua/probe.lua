-- A probe that brings the endpoint's credential ---------------------------------------------------------------------------
--
-- For whoever has the key that only the operator knows. It names an endpoint, and the configuration says where that is and
-- what is asked there: the credential goes nowhere else. The attempt is one as others, to the endpoint's last resort.

local ENDPOINT = "x-fairlead-endpoint"
local CONSUMER, CLIENT = "x-fl-consumer", "fairlead read-back"
local NAMESPACE = "fairlead"

local clusters, paths, versions = {}, {}, {}
for endpoint, cluster, path, version in string.gmatch("@probes@", "(%S+) (%S+) (%S+) (%S+)\n") do
  clusters[endpoint], paths[endpoint] = cluster, path
  if version ~= "-" then versions[endpoint] = version end
end

function envoy_on_request(h)
  local headers = h:headers()
  local endpoint = headers:get(ENDPOINT) or ""
  if headers:get(CONSUMER) ~= CLIENT or not clusters[endpoint] then
    h:respond({ [":status"] = "404" }, "")
    return
  end
  -- No model, which is how the upstream filter knows that any answer is one.
  h:streamInfo():dynamicMetadata():set(NAMESPACE, "way", "- - " .. endpoint .. "/- 0 " .. paths[endpoint])
  if versions[endpoint] then headers:replace("anthropic-version", versions[endpoint]) end
  headers:replace(":fl-probe", "1") -- for the log, which leaves it out: HTTP/1 does not send it
  headers:replace("x-fl-l0", clusters[endpoint])
  h:clearRouteCache()
end
