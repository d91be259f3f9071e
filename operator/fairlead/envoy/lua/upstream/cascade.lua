-- Cascades: a rung that is a model, with a ladder of its own behind a hop ------------------------------------------------
--
-- x-fl-host = cascade <the ladder's cluster> <its first target> <route> <retries> <judged: 1, or ->
--             <no target> <bytes that went out so far> <members of the attempt's log line> <way>
-- Behind the hop the request has no metadata: what the filters there need goes along in headers, and what became of it
-- comes back in one: see lua/cascade/filter.lua.

local RUNG = '^cascade (%S+) (%S+) (%S+) (%S+) (%S+) %S* (%S*) ("attempt":%S+) (%S+ %S+ %S+ %d+ /v1/%S+)$'
local JUDGED = "^([^|]*)|(r?)|([^|]*)|([^|]*)|([^|]*)|([^|]*)|([^|]*)|([^|]*)|([^|]*)$"

-- A model in `x-fairlead-cascade`, by one of its targets.
local function model_of(target)
  local provider, model = match(target, "^([^/]*)/[^/]*/(.*)$")
  return provider and provider .. "/" .. model or "-"
end

local function note_verdict(metadata, ours, target, verdict)
  local one = model_of(target) .. "=" .. verdict
  metadata:set(NAMESPACE, "cascade", ours.cascade and ours.cascade .. ", " .. one or one)
end

-- Sends the request to a model's own ladder. False where this host is none.
local function enter_rung(h, headers, line)
  local cluster, first, route, retries, judged, sent, log, way = match(line, RUNG)
  if not cluster then return false end
  note_attempt(h, first, tonumber(sent) and sent or "0", log)
  local metadata = h:streamInfo():dynamicMetadata()
  local ours = metadata:get(NAMESPACE)
  if ours.rung and ours.rung ~= "" then note_verdict(metadata, ours, ours.rung, "failed") end -- no word came back
  metadata:set(NAMESPACE, "rung", first)
  headers:replace("x-fl-route", route)
  headers:replace("x-fl-rung", cluster)
  headers:replace("x-fl-retries", retries)
  headers:replace("x-fl-judge", judged)
  headers:replace("x-fl-way", way)
  headers:replace("x-fl-model", ours.model)
  headers:replace("x-fl-consumer", ours.consumer)
  headers:replace("x-fl-stream", "false")
  if ours.ask then headers:replace("x-fl-ask", ours.ask) end
  if ours.asked then headers:replace("x-fl-asked", ours.asked) end
  return true
end

-- Notes what came of a model; for the router it leaves whether the next one is to be asked. False where the answer comes
-- from no hop, whatever its provider says.
local function leave_rung(h, headers, said)
  local metadata = h:streamInfo():dynamicMetadata()
  local ours = metadata:get(NAMESPACE) or NONE
  local verdict, rejected, lost, target, region, provider, model, wire, attempts = match(said, JUDGED)
  if not ours.rung or not verdict then
    headers:remove("x-fl-judged")
    return false
  end
  local status = headers:get(":status")
  local is_good = rejected == "" and find(status, "^2") ~= nil
  -- What was rejected, and is the answer all the same, since no better model answers.
  local before = is_good and ours.cascade and ", " .. ours.cascade
  if before and find(before, ", " .. model_of(target) .. "=", 1, true) then metadata:set(NAMESPACE, "makeshift", "1") end
  note_verdict(metadata, ours, target == "-" and ours.rung or target, verdict)
  metadata:set(NAMESPACE, "rung", "")
  metadata:set(NAMESPACE, "last_target", target)
  metadata:set(NAMESPACE, "last_region", region)
  metadata:set(NAMESPACE, "last_provider", provider)
  metadata:set(NAMESPACE, "last_model", model)
  metadata:set(NAMESPACE, "last_wire", wire)
  metadata:set(NAMESPACE, "attempts", format("%d", (tonumber(ours.attempts) or 0) + (tonumber(attempts) or 0)))
  if lost ~= "" then
    metadata:set(NAMESPACE, "lost", ours.lost and ours.lost .. ";" .. lost or lost)
    metadata:set("fairlead.lease", "lost", "1")
  end
  local began = is_good and match(ours.tried or "", "^%d+,%d+,")
  metadata:set(NAMESPACE, "tried", began and began .. target or "")
  if not is_good and rejected == "" then metadata:set(NAMESPACE, "failed", status) end
  if rejected == "" then headers:remove("x-fl-judged") else headers:replace("x-fl-judged", "rejected") end
  return true
end
