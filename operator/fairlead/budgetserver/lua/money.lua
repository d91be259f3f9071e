-- Put before each script. What the script takes stands in one argument, a line for each.
local lines = ARGV[1]
local ARGV = {}
for line in string.gmatch(lines, "[^\n]+") do ARGV[#ARGV + 1] = line end

-- Nano-dollars do not fit into a double above 9 million dollars, so a number is never taken
-- from Redis as a double: sums are made by HINCRBY, which is exact, and compared as two parts, dollars and the rest.
local function split(text)
  if not text then return 0, 0 end
  if #text <= 9 then return 0, tonumber(text) end
  return tonumber(string.sub(text, 1, -10)), tonumber(string.sub(text, -9))
end

local function plus(a, b, c, d)
  local high, low = a + c, b + d
  if low >= 1000000000 then return high + 1, low - 1000000000 end
  return high, low
end

-- A small whole number of times an amount: below 2 ^ 53 in both parts.
local function times(a, b, number)
  local low = b * number
  local carry = math.floor(low / 1000000000)
  return a * number + carry, low - carry * 1000000000
end

local function text_of(a, b)
  if a == 0 then return string.format("%.0f", b) end
  return string.format("%.0f%09.0f", a, b)
end

local function less(a, b, c, d) return a < c or (a == c and b < d) end

local PREFIX = KEYS[1]
local function counter_key(name) return PREFIX .. "c:" .. name end
local function entry_key(request) return PREFIX .. "e:" .. request end
local OPEN, WAIVERS, BOOKED = PREFIX .. "open", PREFIX .. "waivers", PREFIX .. "booked"
local OPENS = PREFIX .. "opens"

-- What somebody else may have written is looked at before a script writes anything: Redis undoes nothing. Whoever called
-- sets aside what cannot be read (`mend`), and calls again.
local function damaged(what) error("DAMAGED " .. what, 0) end

local function whole(text) return not text or (#text <= 20 and string.match(text, "^%-?%d+$") ~= nil) end

local function check_kind(key, kind)
  local found = redis.call("TYPE", key).ok
  if found ~= "none" and found ~= kind then damaged(key) end
end

local function check_field(key, field)
  if not whole(redis.call("HGET", key, field)) then damaged(key) end
end

local function check_counter(name)
  local found = redis.call("HMGET", counter_key(name), "s", "r", "g")
  if not (whole(found[1]) and whole(found[2]) and whole(found[3])) then damaged(name) end
end

local function check_shared()
  check_kind(OPEN, "zset")
  check_kind(OPENS, "hash")
  check_kind(WAIVERS, "hash")
  check_kind(BOOKED, "hash")
end

local PHASES = { open = true, settled = true, expired = true, waived = true }

-- Whether an entry is one: its phase, amounts and times, then its names and its payer.
local function is_entry(phase, names, payer, ...)
  for index = 1, select("#", ...) do
    local number = select(index, ...)
    if not number or not whole(number) then return false end
  end
  return PHASES[phase] and names and payer and true or false
end

local function check_payer(payer)
  check_field(OPENS, payer)
  check_field(OPENS, payer .. "\n")
  check_field(WAIVERS, payer)
  check_field(WAIVERS, payer .. "\n")
end

-- Tells a unit of a lease by its name (`fairlead.budget.lease`).
local function is_unit(request) return string.sub(request, 1, 6) == "lease|" end

-- Whose a reservation was whose entry is gone: a request's name begins with its payer, a unit's with ten digits of their
-- digest (`fairlead.budget.lease`). Nil where nobody of that name has anything open.
local payers_by_digits
local function payer_of(request)
  if not is_unit(request) then return string.match(request, "^(.+)|[^|]+$") end
  if not payers_by_digits then
    payers_by_digits = {}
    for _, payer in ipairs(redis.call("HKEYS", OPENS)) do
      if not string.find(payer, "\n", 1, true) then payers_by_digits[string.sub(redis.sha1hex(payer), 1, 10)] = payer end
    end
  end
  return payers_by_digits[string.sub(request, 7, 16)]
end

-- Where it is counted how many units of leases a payer has among its open reservations.
local function units_of(payer) return payer .. "\n" end

-- One reservation of a payer is no longer open. With the last, no unit is.
local function closes(payer, request)
  local left = redis.call("HINCRBY", OPENS, payer, -1)
  local units = is_unit(request) and redis.call("HINCRBY", OPENS, units_of(payer), -1)
  if left <= 0 then redis.call("HDEL", OPENS, payer) end
  if left <= 0 or units and units <= 0 then redis.call("HDEL", OPENS, units_of(payer)) end
end

-- Adds to a counter, and gives a new one the time after which nobody asks for it any more.
local function add(name, spent, reserved, estimated, keep)
  local key = counter_key(name)
  local new = keep and keep ~= "-" and redis.call("EXISTS", key) == 0
  local now = spent == "0" and tonumber(redis.call("HGET", key, "s") or "0") or redis.call("HINCRBY", key, "s", spent)
  if reserved ~= "0" then redis.call("HINCRBY", key, "r", reserved) end
  if estimated ~= "0" then redis.call("HINCRBY", key, "g", estimated) end
  if new then redis.call("PEXPIRE", key, keep) end
  return now
end

-- Says whether an amount is one, and a counter's field can hold it beside what it has: sums of 64 bits end at
-- 9,223,372,036 dollars. Scripts ask this of all that they take before they write anything: Redis undoes nothing.
local function holds(name, field, amount)
  if not string.match(amount, "^%d+$") or #amount > 19 then return false end
  local high = plus(0, 0, split(amount))
  local found = redis.call("HGET", counter_key(name), field)
  if found and string.sub(found, 1, 1) ~= "-" then
    local a, b = split(found)
    high = plus(a, b, split(amount))
  end
  return high < 9223372036
end

local function refused(name, amount)
  return redis.error_reply("REFUSED " .. name .. ": " .. amount .. " nano-dollars are more than a counter holds")
end

local function minus(text)
  if text == "0" then return text end
  if string.sub(text, 1, 1) == "-" then return string.sub(text, 2) end
  return "-" .. text
end

-- A difference of two amounts as text, exact: HINCRBY does the sum.
local function difference(a, b)
  redis.call("SET", PREFIX .. "t", a)
  redis.call("DECRBY", PREFIX .. "t", b)
  local text = redis.call("GET", PREFIX .. "t")
  redis.call("DEL", PREFIX .. "t")
  return text
end
