-- Fairlead's downgrade: runs once per request, after the budget check. Where the check asked for it, another route
-- answers: the one that the asked route's metadata names, with the last resort of that route.
--
-- The body stays as the request filter wrote it, so the word for the id in it stays as well: each attempt swaps it.

local match = string.match

function envoy_on_request(h)
  local headers = h:headers()
  if not headers:get("x-fl-downgrade") then return end
  headers:remove("x-fl-downgrade")
  local line = h:metadata():get("downgrade")
  if not line then return end
  local route, last_model, last_target = match(line, "^(%S+) (%S+) (%S+)$")
  local metadata = h:streamInfo():dynamicMetadata()
  local written, path = match(metadata:get("fairlead")["way"], "^(%S+) %S+ %S+ (.*)$")
  metadata:set("fairlead", "way", written .. " " .. last_model .. " " .. last_target .. " " .. path)
  headers:replace("x-fl-route", route)
  h:clearRouteCache()
end
