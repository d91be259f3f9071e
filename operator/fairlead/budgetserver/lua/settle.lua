-- ARGV: request, payer, cost, estimated (0/1), remembered, now, reserved (0/1), gateway's usage counter (`-` = none), its
-- requests, input, output, cached, then for each posting: counter, keep. A usage counter whose route has others before it,
-- with commas, is booked as the last of them as well.
-- Returns: what is booked, then counter, spent for each that changed. Nothing for a repeated report; `unknown` where what
-- was reserved is not remembered.
local request, payer, cost, estimated, remembered = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local RESERVED, USAGE_COUNTER, POSTINGS = 7, 8, 13

local key = entry_key(request)
local found = redis.call("HMGET", key, "p", "a", "b", "g", "k", "y")
local phase, held, booked, guessed, names = found[1], found[2], found[3], found[4], found[5]
if phase == "settled" then return {} end
if redis.call("EXISTS", key) == 1 and not is_entry(phase, names, found[6], held, booked) then damaged(key) end
if phase == "open" or not phase then
  check_kind(OPEN, "zset")
  check_field(OPENS, found[6] or payer)
  check_field(OPENS, units_of(found[6] or payer))
end
for at = POSTINGS, #ARGV, 2 do check_counter(ARGV[at]) end
for name in string.gmatch(names or "", "[^\n]+") do check_counter(name) end
local fields = ARGV[USAGE_COUNTER] ~= "-" and { ARGV[USAGE_COUNTER] } or {}
local before, last = string.match(ARGV[USAGE_COUNTER], "^([^|]*|[^|]*|)[^|]*,(.*)$")
if before then fields[2] = before .. last end
for _, field in ipairs(fields) do
  for _, number in pairs(redis.call("HMGET", BOOKED, field .. "n", field .. "i", field .. "o", field .. "c")) do
    if not whole(number) then damaged(BOOKED) end
  end
end
-- It has been booked, so long ago that nobody remembers it.
if not phase and ARGV[RESERVED] == "1" then return { "unknown" } end

-- An estimate is cut at what was held, so it fits wherever the reservation did.
if not (phase and estimated == "1") then
  local function wrong(name) return not holds(name, "s", cost) and refused(name, cost) end
  for at = POSTINGS, #ARGV, 2 do
    local failed = not phase and wrong(ARGV[at])
    if failed then return failed end
  end
  for name in string.gmatch(names or "", "[^\n]+") do
    local failed = wrong(name)
    if failed then return failed end
  end
end

-- Was it taken before the reading at which reconciliation found its tokens missing, and booked them?
local covered = false
if ARGV[USAGE_COUNTER] ~= "-" and tonumber(ARGV[6]) <= tonumber(redis.call("HGET", WAIVERS, payer .. "\n") or "0") then
  if phase == "waived" then
    covered = true
  elseif tonumber(redis.call("HGET", WAIVERS, payer) or "0") > 0 then
    covered = true
    redis.call("HINCRBY", WAIVERS, payer, -1)
  end
end
if covered then cost, estimated = "0", "0" end

local keep = {}
if not phase then
  held, booked, guessed, names = cost, "0", "0", ""
  for at = POSTINGS, #ARGV, 2 do
    if not keep[ARGV[at]] then
      names = names == "" and ARGV[at] or names .. "\n" .. ARGV[at]
      keep[ARGV[at]] = ARGV[at + 1]
    end
  end
elseif phase == "waived" and not covered then
  redis.call("HINCRBY", WAIVERS, found[6], 1)
end

if estimated == "1" then
  local a, b = split(held)
  local c, d = split(cost)
  if less(a, b, c, d) then cost = held end
end
local spent = booked == "0" and cost or difference(cost, booked)
local guess = estimated == "1" and cost or "0"
if guessed == "1" and booked ~= "0" then guess = difference(guess, booked) end
local release = phase == "open" and minus(held) or "0"

local reply = { cost }
for name in string.gmatch(names, "[^\n]+") do
  reply[#reply + 1] = name
  reply[#reply + 1] = string.format("%d", add(name, spent, release, guess, keep[name]))
end
redis.call("HSET", key, "p", "settled", "y", payer, "a", held, "b", cost, "g", estimated, "k", names)
if not phase then redis.call("HSET", key, "d", "0") end
redis.call("PEXPIRE", key, remembered)
if phase == "open" then
  redis.call("ZREM", OPEN, request)
  closes(found[6], request)
elseif not phase and redis.call("ZREM", OPEN, request) == 1 then -- its entry was lost
  closes(payer, request)
end
if ARGV[USAGE_COUNTER] ~= "-" and not covered then
  for index, suffix in ipairs({ "n", "i", "o", "c" }) do
    local number = ARGV[USAGE_COUNTER + index]
    for _, field in ipairs(fields) do
      if number ~= "0" or suffix == "n" then redis.call("HINCRBY", BOOKED, field .. suffix, number) end
    end
  end
end
return reply
