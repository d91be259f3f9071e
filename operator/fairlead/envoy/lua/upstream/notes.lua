-- Notes of attempts ---------------------------------------------------------------------------------------------------

local FIRST = '"attempt":1,'

-- For the report at the end of the request: what this attempt is, and what became of the one before, if it sent something.
local function note_attempt(h, target, sent, log)
  local metadata, now = h:streamInfo():dynamicMetadata(), format("%.0f", tonumber(h:timestamp()))
  if sub(log, 1, 12) ~= FIRST then
    local ours = metadata:get(NAMESPACE)
    local began, before, other = match(ours.tried or "", "^(%d+),(%d+),(.*)$")
    if began and tonumber(sent) > tonumber(before) then
      local one = format("%d,%.0f,%s", tonumber(ours.failed) or 0, math.max(0, now - began), other)
      metadata:set(NAMESPACE, "lost", ours.lost and ours.lost .. ";" .. one or one)
      metadata:set("fairlead.lease", "lost", "1")
    end
    if ours.failed then metadata:set(NAMESPACE, "failed", "") end
  end
  metadata:set(NAMESPACE, "tried", now .. "," .. sent .. "," .. target)
end
