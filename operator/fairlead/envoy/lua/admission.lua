-- Fairlead's admission: runs once per request, after the budget check.
--
-- Where nobody answered the check in time and requests pass all the same (`failurePolicy: Open`), it refuses those whose
-- budget is at its end, and bounds the rate of the others. What it knows of the former is what the request filter sends
-- along (it remembers verdicts), and what came back for others in the same moment.
--
-- A lease that came with the check is known to the request filter when the answer comes. Until then it stands beside the
-- request, to be given back by its report: there may be no answer.
--
-- Where the check asked for it, another route answers: the one that the asked route's metadata names, with the last
-- resort of that route. The body stays as the request filter wrote it, so the word for the id in it stays as well: each
-- attempt swaps it.

local match, now = string.match, os.time

local NAMESPACE, RATE_LIMIT = "fairlead", "envoy.filters.http.ratelimit"
local REFUSED = '{"error":{"message":"The budget is spent.","type":"insufficient_quota","param":null,'
  .. '"code":"insufficient_quota"}}'
local UNAVAILABLE = '@unavailable@'
local UNCHECKED_PER_SECOND = 100 -- of one consumer, in this worker
local MOMENT = 5 -- seconds for which a refusal holds for checks that were under way with it
local KEPT = 4096

local refused, refusals = {}, 0 -- consumer -> when something of it was refused for good
local second, passed = 0, {} -- how many of a consumer have passed unchecked in this second

local function respond(h, status, code, headers, body)
  h:streamInfo():dynamicMetadata():set(NAMESPACE, "error", code)
  headers[":status"], headers["content-type"] = status, "application/json"
  h:respond(headers, body)
end

-- Nobody has answered the check of a request: says whether it was refused here.
local function refuses(h, own)
  local moment, consumer = now(), own.consumer
  local said = own.closed or own.short
  if said or (refused[consumer] or 0) >= moment - MOMENT then
    respond(h, "429", "insufficient_quota", {}, said or REFUSED)
    return true
  end
  if moment ~= second then second, passed = moment, {} end
  local count = (passed[consumer] or 0) + 1
  passed[consumer] = count
  if count <= UNCHECKED_PER_SECOND then return false end
  respond(h, "503", "budget_unavailable", { ["retry-after"] = "5" }, UNAVAILABLE)
  return true
end

function envoy_on_request(h)
  local metadata = h:streamInfo():dynamicMetadata()
  local said = metadata:get(RATE_LIMIT)
  if said and said.lease then
    local id, units = match(said.lease, "^(%S+) (%d+) ")
    if id then metadata:set("fairlead.lease", "unlearned", id .. ":1-" .. units) end
  end
  if not said then
    local own = metadata:get(NAMESPACE)
    if own and own.ask and refuses(h, own) then return end
  end
  local headers = h:headers()
  if not headers:get("x-fl-downgrade") then return end
  headers:remove("x-fl-downgrade")
  local line = h:metadata():get("downgrade")
  if not line or metadata:get(NAMESPACE).unsaid then return end -- the other route may want words that there are not
  local route, last_model, last_target = match(line, "^(%S+) (%S+) (%S+)$")
  local written, path = match(metadata:get(NAMESPACE)["way"], "^(%S+) %S+ %S+ (.*)$")
  metadata:set(NAMESPACE, "way", written .. " " .. last_model .. " " .. last_target .. " " .. path)
  local own, asked = metadata:get(NAMESPACE), headers:get("x-fl-route")
  metadata:set(NAMESPACE, "asked", own.asked and own.asked .. "," .. asked or asked) -- a rule may have led here
  headers:replace("x-fl-route", route)
  h:clearRouteCache()
end

function envoy_on_response(h)
  if h:headers():get(":status") ~= "429" then return end
  local said = h:streamInfo():dynamicMetadata():get(RATE_LIMIT)
  local who = said and said.closed and match(said.closed, "^%S+")
  if not who then return end
  if refusals >= KEPT then refused, refusals = {}, 0 end
  if not refused[who] then refusals = refusals + 1 end
  refused[who] = now()
end
