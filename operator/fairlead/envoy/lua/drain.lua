-- Answers the preStop hook of a pod: says that the pod takes no more, and waits until its last request has ended.
-- It runs in Envoy itself, so that a gateway pod is one container of Envoy's official image, which has no shell.
-- DRAIN_PATH is set before this text: only who knows it can drain a gateway. Without one (nil) nobody can.

local SETTLE_PAUSES = 10 -- of half a second: until every node has heard that the pod takes no more
local REPORT_PAUSES = 10 -- for reports that are on their way to the budget server, which is asked again for some seconds
local CALLS = "/stats?filter=^cluster.!(budget|reports).upstream_rq_active$"

local function admin(h, method, path)
  local headers = {[":method"] = method, [":path"] = path, [":authority"] = "admin"}
  local _, body = h:httpCall("admin", headers, "", 2000)
  return body or ""
end

local function pause(h)
  h:httpCall("pause", {[":method"] = "GET", [":path"] = "/", [":authority"] = "pause"}, "", 5000)
end

function envoy_on_request(h)
  if h:headers():get(":path") ~= DRAIN_PATH then
    return
  end
  -- From here on readiness is 503 and every answer ends its connection; new requests are still served.
  admin(h, "POST", "/healthcheck/fail")
  for _ = 1, SETTLE_PAUSES do
    pause(h)
  end
  -- The kubelet ends the wait when the grace period does.
  while true do
    local active = string.match(admin(h, "GET", "/stats?filter=^http.fairlead.downstream_rq_active$"), ": (%d+)")
    if active == "0" then
      break
    end
    pause(h)
  end
  -- Reports in batches wait a tenth of a second for others (`envoy/batches.py`), and would end with the process.
  for _ = 1, REPORT_PAUSES do
    pause(h)
    if not string.find(admin(h, "GET", CALLS), ": [1-9]") then
      break
    end
  end
  h:respond({[":status"] = "200", ["content-type"] = "text/plain"}, "drained\n")
end
