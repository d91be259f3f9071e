-- ARGV: request, payer, now, expires after, forget after, most open, what the names of a lease's units begin with (`-` = no
-- lease), how many units, amount of one, fewest, share, whether `most open` is the payer's own limit in flight, of which
-- units are no part (0/1), then one or two plans: amount, number of postings, and for each posting: counter, cap, downgrade
-- at, keep (`-` = none).
-- Returns: verdict, downgraded, units (of one that asked before, those that stand), then spent, reserved and estimated of each posting of the plan that was judged.
local request, payer, now, after, forget = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]

local function plan_at(at)
  if not ARGV[at] then return nil, at end
  local plan = { amount = ARGV[at], postings = {} }
  local postings = tonumber(ARGV[at + 1])
  at = at + 2
  for posting = 1, postings do
    plan.postings[posting] = { counter = ARGV[at], cap = ARGV[at + 1], downgrade = ARGV[at + 2], keep = ARGV[at + 3] }
    at = at + 4
  end
  return plan, at
end

local direct, at = plan_at(13)
local smaller = plan_at(at)

local function read(plan)
  for _, posting in ipairs(plan.postings) do
    local found = redis.call("HMGET", counter_key(posting.counter), "s", "r", "g")
    if not (whole(found[1]) and whole(found[2]) and whole(found[3])) then damaged(posting.counter) end
    posting.spent, posting.reserved, posting.estimated = found[1] or "0", found[2] or "0", found[3] or "0"
    posting.new = not (found[1] or found[2])
  end
end

local function answer(verdict, downgraded, plan, units)
  local reply = { verdict, downgraded, units or 0 }
  for _, posting in ipairs(plan.postings) do
    reply[#reply + 1], reply[#reply + 2], reply[#reply + 3] = posting.spent, posting.reserved, posting.estimated
  end
  return reply
end

local function names_of(plan)
  local names = {}
  for index, posting in ipairs(plan.postings) do names[index] = posting.counter end
  return table.concat(names, "\n")
end

-- How many units of the lease stand, from the first on, as they would be reserved now.
local wish, unit = ARGV[7], ARGV[9]
local function standing()
  local names, number = names_of(direct), 0
  while true do
    local found = redis.call("HMGET", entry_key(wish .. number + 1), "p", "a", "k")
    if found[1] ~= "open" or found[2] ~= unit or found[3] ~= names then return number end
    number = number + 1
  end
end

local known = redis.call("HGET", entry_key(request), "d")
if known then
  local plan = known == "1" and smaller or direct
  read(plan)
  return answer("replayed", known, plan, wish ~= "-" and known == "0" and standing() or 0)
end

local plan, downgraded = direct, "0"
read(plan)
check_field(OPENS, units_of(payer))
local opened = tonumber(redis.call("HGET", OPENS, payer) or "0")
if ARGV[12] == "1" then opened = opened - tonumber(redis.call("HGET", OPENS, units_of(payer)) or "0") end
if opened >= tonumber(ARGV[6]) then return answer("crowded", "0", plan) end
if smaller then
  for _, posting in ipairs(direct.postings) do
    if posting.downgrade ~= "-" then
      local a, b = split(posting.spent)
      local c, d = split(posting.downgrade)
      if not less(a, b, c, d) then plan, downgraded = smaller, "1" end
    end
  end
  if downgraded == "1" then read(plan) end
end

local amount_high, amount_low = split(plan.amount)
for _, posting in ipairs(plan.postings) do
  if posting.cap ~= "-" then
    local spent_high, spent_low = split(posting.spent)
    local cap_high, cap_low = split(posting.cap)
    local high, low = split(posting.reserved)
    high, low = plus(high, low, spent_high, spent_low)
    high, low = plus(high, low, amount_high, amount_low)
    if not less(spent_high, spent_low, cap_high, cap_low) or less(cap_high, cap_low, high, low) then
      return answer("rejected", downgraded, plan)
    end
  end
end

-- Whether so many units fit: what is left pays for `share` times as many, and at most half of what is not spent is reserved.
-- `fairlead.budget.lease` says the same.
local function units_fit(number)
  local unit_high, unit_low = split(unit)
  for _, posting in ipairs(plan.postings) do
    local bars = { posting.cap, smaller and posting.downgrade or "-" }
    for _, bar in ipairs(bars) do
      if bar ~= "-" then
        local bar_high, bar_low = split(bar)
        local spent_high, spent_low = split(posting.spent)
        local held_high, held_low = split(posting.reserved)
        held_high, held_low = plus(held_high, held_low, amount_high, amount_low)
        local high, low = times(unit_high, unit_low, number * tonumber(ARGV[11]))
        high, low = plus(high, low, held_high, held_low)
        high, low = plus(high, low, spent_high, spent_low)
        if less(bar_high, bar_low, high, low) then return false end
        high, low = times(unit_high, unit_low, number)
        high, low = plus(high, low, held_high, held_low)
        high, low = times(high, low, 2)
        high, low = plus(high, low, spent_high, spent_low)
        if less(bar_high, bar_low, high, low) then return false end
      end
    end
  end
  return true
end

local units = 0
if wish ~= "-" and downgraded == "0" and redis.call("EXISTS", entry_key(wish .. 1)) == 0 then
  local most = math.min(tonumber(ARGV[8]), math.floor(tonumber(ARGV[6]) / 2) - opened - 1)
  for number = most, tonumber(ARGV[10]), -1 do
    if units_fit(number) then
      units = number
      break
    end
  end
end
local unit_high, unit_low = split(unit)
local all = text_of(plus(amount_high, amount_low, times(unit_high, unit_low, units)))

for _, posting in ipairs(plan.postings) do
  if not holds(posting.counter, "r", all) then return refused(posting.counter, all) end
end
for _, posting in ipairs(plan.postings) do
  local key = counter_key(posting.counter)
  redis.call("HINCRBY", key, "r", all)
  posting.reserved = redis.call("HGET", key, "r")
  if posting.new and posting.keep ~= "-" then redis.call("PEXPIRE", key, posting.keep) end
end
local counters, due = names_of(plan), string.format("%d", now + after)
local function open_entry(name, amount)
  local key = entry_key(name)
  redis.call("HSET", key, "p", "open", "y", payer, "a", amount, "b", "0", "g", "0", "d", downgraded, "k", counters, "t", due)
  redis.call("PEXPIRE", key, forget)
  return redis.call("ZADD", OPEN, due, name) -- 0 where one of that name is counted as open, and its entry was lost
end
local new, new_units = open_entry(request, plan.amount), 0
for number = 1, units do new_units = new_units + open_entry(wish .. number, unit) end
redis.call("HINCRBY", OPENS, payer, new + new_units)
if new_units > 0 then redis.call("HINCRBY", OPENS, units_of(payer), new_units) end
return answer("granted", downgraded, plan, units)
