-- Leases ------------------------------------------------------------------------------------------------------------

local leases = {}

do -- a chunk of Lua has 200 locals at most

-- Who comes often gets room for its next requests along with a check: a lease of so many units, each a reservation of its
-- own in the budget server's ledger. A request takes the next unit without asking, and its report settles that. What
-- was not used when a lease ends is given back by what is said next to the budget server on this worker, of whomever.
--
-- A lease is learned with the answer to the request that asked for it, which a model may take seconds for. So every so
-- many requests one asks, whether or not a lease is on its way: as many units come as requests do.
local remove = table.remove
local OFTEN = 4 -- requests of a key in a second: who comes less often asks for none
local FEWEST, MOST = 4, 32 -- units that are asked for: as many as came in the last second
local MOST_HELD = 8 -- leases of one key
local MOST_BACK = 8 -- leases in one message
local SMALLEST = 1024 -- bytes: a lease for small requests covers somewhat larger ones
local LONGEST = 15 -- seconds that a lease lasts at most: one that ends later was told by another clock, or this one was set back
local LONGEST_ANSWER = 600 -- seconds after which the answer to one that asked is not waited for

local keys, known = {}, 0 -- by consumer, model, route and what else makes requests alike: how often they come, what they hold
local queue, first, last = {}, 1, 0 -- leases, about in the order of their ends
local owed, owing = {}, 0 -- what is to be given back: `<id>:<first unused>-<last>`
local watched = 0 -- until when an answer may bring a lease

local function end_lease(lease)
  if lease.over then return end
  lease.over = true
  if lease.taken >= lease.units or owing >= KEPT then return end
  owing = owing + 1
  owed[owing] = lease.id .. ":" .. lease.taken + 1 .. "-" .. lease.units
end

local function is_over(lease, moment) return lease.over or lease.ends <= moment or lease.ends > moment + LONGEST end

local function sweep(moment)
  while first <= last and is_over(queue[first], moment) do
    end_lease(queue[first])
    queue[first], first = nil, first + 1
  end
  if first > last then first, last = 1, 0 end
end

-- What is to be given back, for one message: it is said once. Nil where nothing is.
function leases.back()
  sweep(now())
  if owing == 0 then return nil end
  local from = owing > MOST_BACK and owing - MOST_BACK + 1 or 1
  local words = concat(owed, ";", from, owing)
  for i = from, owing do owed[i] = nil end
  owing = from - 1
  return words
end

-- A consumer was refused: what it holds is given back.
function leases.void(consumer)
  for i = first, last do
    if queue[i].consumer == consumer then end_lease(queue[i]) end
  end
end

-- How often such requests come. The largest of two seconds are remembered, since what is asked for is for the next.
local function note(key, moment, bytes, limit, answers)
  local seen = keys[key]
  if not seen then
    if known >= KEPT then keys, known = {}, 0 end
    seen, known = { second = moment, count = 0, rate = 0, since = MOST, held = {}, now = {}, before = {} }, known + 1
    keys[key] = seen
  end
  if seen.second ~= moment then
    seen.rate = seen.second == moment - 1 and seen.count or 0
    seen.second, seen.count, seen.before, seen.now = moment, 0, seen.now, seen.before
    seen.now.bytes, seen.now.limit, seen.now.answers = nil, nil, nil
  end
  seen.count, seen.since = seen.count + 1, seen.since + 1
  local largest = seen.now
  if bytes > (largest.bytes or 0) then largest.bytes = bytes end
  if limit > (largest.limit or 0) then largest.limit = limit end
  if answers > (largest.answers or 0) then largest.answers = answers end
  return seen
end

local function largest(seen, what)
  local one, other = seen.now[what] or 0, seen.before[what] or 0
  return one > other and one or other
end

-- What a check asks for beside its own request: `<units>,<bytes>,<limit>,<answers>`.
local function wanted(seen, units, limited)
  local bytes, size = largest(seen, "bytes"), SMALLEST
  while size < bytes do size = size * 2 end
  return format("%d,%d,%s,%d", units, size, limited and format("%.0f", largest(seen, "limit")) or "-", largest(seen, "answers"))
end

-- The first lease of those that are held which covers the request, and how many units all have; ends those that hold no
-- more.
local function covering(seen, moment, bytes, limit, answers, revision)
  local held, found, left, i = seen.held, nil, 0, 1
  while held[i] do
    local lease = held[i]
    if lease.taken >= lease.units or is_over(lease, moment) or lease.revision ~= revision then
      end_lease(lease)
      remove(held, i)
    else
      if not found and bytes <= lease.bytes and limit <= lease.limit and answers <= lease.answers then found = lease end
      left, i = left + lease.units - lease.taken, i + 1
    end
  end
  return found, left
end

-- Of a request whose cost tokens bound: the unit that it takes, and what remains in its budget; or nil, and what its check
-- asks for, nil for nothing, with the key by which the answer is known. `ask` is `<limit on its output> <answers>`.
function leases.take(consumer, model, bytes, route, ask, asked, stream, revision)
  local output, number = match(ask, "^([%d-]+) (%d+)$")
  if not output then return nil end
  local moment, limited = now(), output ~= "-"
  local limit, answers = limited and tonumber(output) or 0, tonumber(number)
  local key = concat({ consumer, model, route, asked, limited and "n" or "-", stream and "s" or "-" }, " ")
  local seen = note(key, moment, bytes, limit, answers)
  local lease, left = covering(seen, moment, bytes, limit, answers, revision)
  local rate = seen.count >= MOST and MOST or seen.rate -- of a burst its first second says enough
  local units = rate < FEWEST and FEWEST or rate < MOST and rate or MOST
  if rate >= OFTEN and seen.since >= units and left < units then
    seen.since, watched = 0, moment + LONGEST_ANSWER
    return nil, wanted(seen, units, limited), key
  end
  if not lease then return nil end
  lease.taken = lease.taken + 1
  return lease.id .. "." .. lease.taken, lease.remaining
end

-- Whether an answer is to be looked at.
function leases.watched() return watched > now() end

-- `<id> <units> <end> <bytes> <limit> <answers> <revision> <remaining>`
local WORDS = "^(%S+) (%d+) (%d+) (%d+) (%S+) (%d+) (%S+) (%S+)$"

-- Learns what the answer to a check has granted beside its own request.
function leases.learn(key, text)
  local id, units, ends, bytes, limit, answers, revision, remaining = match(text, WORDS)
  if not id then return end
  local lease = {
    id = id, units = tonumber(units), taken = 0, ends = math.min(tonumber(ends), now() + LONGEST), bytes = tonumber(bytes),
    limit = tonumber(limit) or 0,
    answers = tonumber(answers), revision = revision, remaining = remaining, consumer = match(key or "", "^%S*"),
  }
  local seen = key and keys[key]
  if not seen or last - first >= KEPT then return end_lease(lease) end
  if #seen.held >= MOST_HELD then end_lease(remove(seen.held, 1)) end
  last = last + 1
  queue[last], seen.held[#seen.held + 1] = lease, lease
end

end
