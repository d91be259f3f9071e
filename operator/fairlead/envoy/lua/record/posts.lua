-- Posts to a recorder -------------------------------------------------------------------------------------------------
--
-- A post is made and forgotten: nobody waits for its answer, and what does not fit the cluster's limits is dropped.
-- record = <cluster> <what to take out> <id> <route>

local sub, match = string.sub, string.match
local NAMESPACE = "fairlead"
local MOST = 65536 -- bytes of a body that are kept
local POST_MS = 5000

local function record_of(h)
  local own = h:streamInfo():dynamicMetadata():get(NAMESPACE)
  local record = own and own.record
  if record == "" or record == "-" then return nil end
  return record, own
end

-- Lets a body pass chunk by chunk; its beginning, and how long it was.
local function pass(h)
  local parts, count, bytes = {}, 0, 0
  for chunk in h:bodyChunks() do
    local length = chunk:length()
    local room = MOST - bytes
    if length > 0 and room > 0 then
      count = count + 1
      parts[count] = chunk:getBytes(0, length < room and length or room)
    end
    bytes = bytes + length
  end
  return table.concat(parts), bytes
end

local function post(h, record, part, said, body, bytes)
  local cluster, redact, id, route = match(record, "^(%S+) (%S+) (%S+) (%S+)$")
  if not cluster then return end
  -- A cluster that is gone is an error, and one of a recorder is nobody's trouble.
  pcall(h.httpCall, h, cluster, {
    [":method"] = "POST",
    [":path"] = "/v1/parts",
    [":authority"] = "recorder",
    ["content-type"] = "application/octet-stream",
    ["x-fl-record"] = id,
    ["x-fl-part"] = part,
    ["x-fl-route"] = route,
    ["x-fl-redact"] = redact,
    ["x-fl-target"] = said.target or "-",
    ["x-fl-status"] = said.status or "-",
    ["x-fl-kind"] = said.kind or "-",
    ["x-fl-bytes"] = string.format("%.0f", bytes),
  }, body, POST_MS, true)
end

local function said_by(headers, target)
  return { status = headers:get(":status"), kind = headers:get("content-type"), target = target }
end
