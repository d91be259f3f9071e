-- The filter: behind a cascade's hop, once for each model that is asked ---------------------------------------------------
--
-- On the way out it keeps what the request asks of its answer's form. On the way back it judges the answer, and says to the
-- gateway before the hop what became of this model, in one header that no provider's answer can carry past the attempt:
--
-- x-fl-judged = <verdict>|<r: the next model is to be asked>|<attempts that brought no answer, or one that was rejected>
--               |<target>|<region>|<provider>|<model>|<wire id>|<attempts>
--
-- Attempts are written as in a report, see `fairlead.budgetserver.descriptor`; one that was rejected has the words of its
-- usage behind it, with commas between.

local NAMESPACE, ASKED = "fairlead", "fairlead.judge"
local ANSWER_BYTES = 1048576 -- of an answer that is judged

local function path_of(metadata)
  return match((metadata:get(NAMESPACE) or NONE).way or "", " (/v1/[^ ]*)$") or ""
end

function envoy_on_request(h)
  local accept = h:filterContext():get("accept")
  local metadata = h:streamInfo():dynamicMetadata()
  local path = path_of(metadata)
  if not accept or not APIS[path] then return end
  local wanted = accept_of(accept)
  if not wanted.json and not wanted.tools then return end
  local body = h:body(true)
  local ok, asked = pcall(asked_by, path, body:getBytes(0, body:length()), accept)
  if not ok then return h:logErr("judge: " .. tostring(asked)) end
  metadata = h:streamInfo():dynamicMetadata() -- may have waited for the body
  if asked.format ~= "" then metadata:set(ASKED, "format", asked.format) end
  if asked.tools ~= "" then metadata:set(ASKED, "tools", asked.tools) end
end

-- Whether an answer comes as one piece of JSON that can be looked into; else what is said of it instead.
local function unread(headers)
  local length = tonumber(headers:get("content-length") or "")
  if length and length > ANSWER_BYTES then return "large" end
  local encoding = headers:get("content-encoding")
  if encoding and encoding ~= "identity" then return "unjudged" end
  if find(lower(headers:get("content-type") or ""), "event-stream", 1, true) then return "unjudged" end
  return nil
end

-- What is said of this model's answer, and whether the next one is to be asked.
local function verdict_of(h, headers)
  local status = headers:get(":status")
  if status ~= "200" then return status, false end
  local accept = h:filterContext():get("accept")
  if not accept then return "unjudged", false end
  local other = unread(headers)
  if other then return other, false end
  local body = h:body(true) -- waits: headers from before are void then
  local length = body:length()
  if length > ANSWER_BYTES then return "large", false end
  local metadata = h:streamInfo():dynamicMetadata()
  local kept = metadata:get(ASKED) or NONE
  local asked = { format = kept.format or "", tools = kept.tools or "" }
  local ok, found = pcall(fault, path_of(metadata), body:getBytes(0, length), accept, asked)
  if not ok then
    h:logErr("judge: " .. tostring(found))
    return "unjudged", false
  end
  return found or "accepted", found ~= nil
end

-- The attempts that brought no answer, and the last one, where it brought none that is good.
local function lost_of(h, ours, sent, is_rejected)
  local lost = ours.lost or ""
  local began, before, target = match(ours.tried or "", "^(%d+),(%d+),(.*)$")
  if not began or (tonumber(sent) or 0) <= tonumber(before) then return lost end
  local status, used = tonumber(ours.failed) or 0, ""
  if is_rejected then
    status = 200
    used = type(ours.usage) == "table" and ours.usage.report or ""
    if used ~= "" then used = "," .. gsub(used, " ", ",") end
  end
  local took = math.max(0, tonumber(h:timestamp()) - began)
  return format("%s%d,%.0f,%s%s", lost == "" and "" or lost .. ";", status, took, target, used)
end

function envoy_on_response(h)
  local verdict, is_rejected = verdict_of(h, h:headers())
  local headers, metadata = h:headers(), h:streamInfo():dynamicMetadata()
  local ours = metadata:get(NAMESPACE) or NONE
  local by = headers:get("x-fl-by")
  local sent, whom = match(by or "", "^(%d*)|(.*)$")
  headers:remove("x-fl-by")
  if not sent then return end
  local is_over = is_rejected or not find(headers:get(":status"), "^2")
  local lost = is_over and lost_of(h, ours, sent, is_rejected) or ours.lost or ""
  metadata:set(NAMESPACE, "verdict", verdict)
  if is_rejected then metadata:set(NAMESPACE, "rejected", "1") end
  headers:replace("x-fl-judged", concat({ verdict, is_rejected and "r" or "", lost, whom }, "|"))
end
