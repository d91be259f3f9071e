-- Shared answers: what other workers and gateways have kept, at the budget server ---------------------------------------
-- Nothing of it is a client's trouble: who gets no answer in time asks a provider. Nothing of it is believed.

local ANSWERS = "!answers" -- the cluster
local FIND_MS, LEAVE_MS = @find_ms@, @leave_ms@
local FAILURES, OPEN_MS = 5, 5000 -- in a row; for so long nobody is asked then
local NOTHING_SAID = { report = "-" } -- of the usage of an answer
local WHY = { ["503"] = "unavailable", ["504"] = "timeout" }
local BUSY = "429" -- of the server

local failures = 0
local closed = 0 -- until when nobody is asked
local trying = 0 -- until when one that is asked after that is waited for

-- Whether a question may be asked: after each pause one at a time.
local function may_ask(now)
  if failures < FAILURES then return true end
  if closed > now or trying > now then return false end
  trying = now + 2 * FIND_MS
  return true
end

local function note_failure(now)
  failures, trying = failures + 1, 0
  if failures >= FAILURES then closed = now + OPEN_MS end
end

local function headers_to(path)
  return {
    [":method"] = "POST", [":path"] = path, [":authority"] = "fairlead", ["content-type"] = "application/octet-stream",
  }
end

-- The usage that words of a report say, as the token filter has it; nil for other words.
local function usage_of(words)
  if words == "-" then return NOTHING_SAID end
  local input, output, cached, more = match(words, "^%d ([%d-]+) ([%d-]+) (%d+) %d+ %d+ %d+ %d+(.*)$")
  if not input or more ~= "" and not match(more, "^ %- %d+$") then return nil end -- tokens of images
  return { input = tonumber(input), output = tonumber(output), cached = tonumber(cached), report = words }
end

-- The entry that an answer of the store is, or nil where it would not have been kept.
local function entry_of(key, headers, body, path, ttl, now)
  local made = match(headers["x-fl-at"] or "", "^%d+$")
  local kind, target = match(headers["x-fl-kind"] or "", "^[ -~]+$"), match(headers["x-fl-target"] or "", "^[!-~]+$")
  local usage = usage_of(headers["x-fl-usage"] or "")
  if not (made and #made <= 15 and kind and target and usage and body) then return nil end
  if headers["x-fl-bytes"] ~= format("%d", #body) or not has_room(key, #body) then return nil end
  made = tonumber(made)
  if made > now then made = now end -- another gateway's clock, which may be ahead
  if now - made >= ttl or not may_be_kept(body, path, is_stream(kind)) then return nil end
  return { key = key, body = body, kind = kind, target = target, made = made, usage = usage }
end

-- Looks for an answer: its entry, or nil and why there is none. Yields; what is taken from h before it is out of scope
-- after it.
local function find_shared(h, key, path, ttl)
  if not may_ask(tonumber(h:timestamp())) then return nil, "open" end
  -- A cluster that is not there yet is an error of Lua's.
  local options = { timeout_ms = FIND_MS, send_xff = false }
  local ok, headers, body = pcall(h.httpCall, h, ANSWERS, headers_to("/v1/answers/find"), key, options)
  local now, status = tonumber(h:timestamp()), ok and headers[":status"] or "503"
  local entry = status == "200" and entry_of(key, headers, body, path, ttl, now)
  if entry or status == "404" then
    failures, trying = 0, 0
    return entry or nil, entry and "shared" or "absent"
  end
  -- Neither has failed, and a burst is over before a pause would be. The second is this gateway's own limit.
  if status == BUSY or ok and headers["x-envoy-overloaded"] then return nil, "busy" end
  note_failure(now)
  return nil, status == "200" and "damaged" or WHY[status] or "unavailable"
end

-- Leaves an entry for the others. Nobody waits for that, and what does not fit the cluster's limits is dropped.
local function leave(h, entry, ttl)
  if failures >= FAILURES and closed > entry.made then return end
  local headers = headers_to("/v1/answers/keep")
  headers["x-fl-key-bytes"] = format("%d", #entry.key)
  headers["x-fl-at"], headers["x-fl-ttl"] = format("%.0f", entry.made), format("%.0f", ttl)
  headers["x-fl-kind"], headers["x-fl-target"] = entry.kind, entry.target or "-"
  headers["x-fl-usage"] = entry.usage.report
  pcall(h.httpCall, h, ANSWERS, headers, entry.key .. entry.body, LEAVE_MS, true)
end
