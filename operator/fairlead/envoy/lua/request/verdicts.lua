-- Verdicts ----------------------------------------------------------------------------------------------------------

local closing_of, note_end

do -- a chunk of Lua has 200 locals at most

-- For whom nothing fits any more, or nothing like the request that was refused, as the budget server said with a 429,
-- until when. Such a request is refused without asking, also while checks fail. Now and then one of them asks all the
-- same, since a correction can make room again; its refusal goes along, for the filter after the check to give where
-- nobody answers. So does that of a smaller request whose budget is at its end: it passes only where somebody says so.
local RATE_LIMIT, LEASE = "envoy.filters.http.ratelimit", "fairlead.lease"
local EVERY_ROUTE = "*"
local ASKED_EVERY = 10 -- seconds between two that ask
local LONGEST_ANSWER = 600 -- seconds after which the answer to one that asked is not waited for
local LONGEST_RETRY = 60 -- seconds; OpenAI's clients come back at once after a longer one, unless told not to

local closed, closings = {}, 0 -- by consumer, then by what is closed: `*`, a route, or a route and a model
local asking = 0 -- until when an answer may tell that there is room again

-- The lines of a verdict: `<consumer> <what is closed> <until> <come back> <revision> <bytes> <limit> <answers> <at end>`,
-- then what stands in x-ratelimit-limit, x-ratelimit-remaining, x-fairlead-budget-remaining, and the message.
local WORDS = "^(%S+) (%S+) (%d+) (%d+) (%S+) (%d+) (%S+) (%d+) ?(%d?)$"

local function remember(text)
  local words, limit, left, dollars, message = match(text, "^([^\n]*)\n([^\n]*)\n([^\n]*)\n([^\n]*)\n(.*)$")
  local consumer, what, ends, back, revision, bytes, output, answers, at_end = match(words or "", WORDS)
  if not consumer then return end
  leases.void(consumer)
  if closings >= KEPT then closed, closings = {}, 0 end
  local all = closed[consumer]
  if not all then
    all = {}
    closed[consumer] = all
  end
  local known = all[what]
  if not known then closings = closings + 1 end
  -- That a request would never fit says less than that the budget is at its end.
  if known and known.at_end and known.revision == revision and at_end ~= "1" then return end
  all[what] = {
    ends = tonumber(ends), back = tonumber(back), revision = revision, asked = now() + ASKED_EVERY,
    bytes = tonumber(bytes), output = output, answers = tonumber(answers), at_end = at_end == "1",
    headers = {
      ["x-ratelimit-limit"] = limit, ["x-ratelimit-remaining"] = left, ["x-fairlead-budget-remaining"] = dollars,
    },
    message = message,
  }
end

-- Whether a request may cost at least as much as the one that was refused; `ask` is `<limit on its output> <answers>`.
local function covers(verdict, bytes, ask)
  if verdict.bytes == 0 then return true end
  local output, answers = match(ask, "^(%S+) (%d+)")
  if bytes < verdict.bytes or tonumber(answers) < verdict.answers then return false end
  if output == "-" or verdict.output == "-" then return output == verdict.output end
  return tonumber(output) >= tonumber(verdict.output)
end

local function refused(verdict)
  local headers = {}
  for name, value in pairs(verdict.headers) do headers[name] = value end
  local wait = verdict.back - now()
  if verdict.back > 0 then
    headers["retry-after"], headers["x-ratelimit-reset"] = format("%d", wait), format("%d", wait)
  end
  if verdict.back == 0 or wait > LONGEST_RETRY then headers["x-should-retry"] = "false" end
  return no_quota(verdict.message, headers)
end

-- The refusal of a request by a verdict that holds. Nil: nothing is known, or this request is one that asks.
local function closing(all, what, bytes, ask, revision, metadata)
  local verdict = all[what]
  if not verdict then return nil end
  local moment = now()
  if verdict.revision ~= revision or (verdict.ends > 0 and verdict.ends <= moment) then
    all[what] = nil
    return nil
  end
  if not covers(verdict, bytes, ask) then
    if verdict.at_end then metadata:set(NAMESPACE, "short", refused(verdict).body) end
    return nil
  end
  local answer = refused(verdict)
  if verdict.asked > moment then return answer end
  verdict.asked, asking = moment + ASKED_EVERY, moment + LONGEST_ANSWER
  metadata:set(NAMESPACE, "closed", answer.body)
  return nil
end

-- `asked`: the route that was asked, where a rule leads to another one; policies of both count.
function closing_of(consumer, route, asked, model, bytes, ask, revision, metadata)
  local all = closed[consumer]
  if not all then return nil end
  return closing(all, EVERY_ROUTE, bytes, ask, revision, metadata)
    or closing(all, route, bytes, ask, revision, metadata)
    or asked and closing(all, asked, bytes, ask, revision, metadata)
    or closing(all, route .. "|" .. model, bytes, ask, revision, metadata)
end

local AT_END = no_quota("Your budget is at its end, and it cannot be told now whether it has room again.").body

-- What the directory has of a consumer whose budget is at its end, `<until> <route or *> <until> <route or *> ...`: it
-- outlives this worker and what it remembers. Where the check is answered, that decides.
function note_end(directory, consumer, route, asked, metadata)
  local text = directory:get("x:" .. consumer)
  if not text then return end
  for ends, what in gmatch(text, "(%d+) (%S+)") do
    if (what == EVERY_ROUTE or what == route or what == asked) and (ends == "0" or tonumber(ends) > now()) then
      metadata:set(NAMESPACE, "short", AT_END)
      return
    end
  end
end

-- Learns from the budget server's answers, which no provider can forge: they are metadata.
local function learn(h)
  if h:headers():get(":status") ~= "429" and asking < now() and not leases.watched() then return end
  local metadata = h:streamInfo():dynamicMetadata()
  local said = metadata:get(RATE_LIMIT)
  if not said then return end
  if said.closed then return remember(said.closed) end
  -- What a check that is answered says to the client; this request has not asked.
  if said.remaining then h:headers():replace("x-fairlead-budget-remaining", said.remaining) end
  if said.lease then leases.learn(metadata:get(LEASE).key, said.lease) end
  local back = said.reservation and leases.back()
  -- Where no answer comes, what the filter behind the check has left there is given back: the whole lease.
  if back or said.lease then metadata:set(LEASE, "back", back or "-") end
  local own = said.reservation and metadata:get(NAMESPACE)
  if own and own.closed then closed[own.consumer] = nil end -- this one asked, and found room
end

if "@checked@" ~= "" then envoy_on_response = learn end -- else no answer is looked at

end
