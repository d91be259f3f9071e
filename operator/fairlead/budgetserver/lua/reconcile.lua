-- ARGV: version, now, number of usage counters, then field, state for each; number of gateways, then their names; then
-- for each booking: payer, requests, cost, first missing at, number of postings, and counter, keep for each posting.
-- Returns 1, or 0 when somebody else wrote since that version.
local USAGE_COUNTERS, GATEWAYS, VERSION = PREFIX .. "meters", PREFIX .. "gateways", PREFIX .. "version"
if (redis.call("GET", VERSION) or "0") ~= ARGV[1] then return 0 end
local now = ARGV[2]
check_shared()
check_kind(USAGE_COUNTERS, "hash")
check_kind(GATEWAYS, "hash")
if not whole(redis.call("GET", VERSION)) then damaged(VERSION) end

local check = 4 + 2 * tonumber(ARGV[3])
check = check + tonumber(ARGV[check]) + 1
while ARGV[check] do
  check_payer(ARGV[check])
  for posting = 1, tonumber(ARGV[check + 4]) do
    local name = ARGV[check + 3 + 2 * posting]
    check_counter(name)
    if not holds(name, "s", ARGV[check + 2]) then return refused(name, ARGV[check + 2]) end
  end
  check = check + 5 + 2 * tonumber(ARGV[check + 4])
end

redis.call("INCR", VERSION)
local at = 4
for _ = 1, tonumber(ARGV[3]) do
  redis.call("HSET", USAGE_COUNTERS, ARGV[at], ARGV[at + 1])
  at = at + 2
end
local gateways = tonumber(ARGV[at])
for index = 1, gateways do redis.call("HSET", GATEWAYS, ARGV[at + index], now) end
at = at + gateways + 1
while ARGV[at] do
  local payer, cost = ARGV[at], ARGV[at + 2]
  redis.call("HINCRBY", WAIVERS, payer, ARGV[at + 1])
  local first, since = ARGV[at + 3], redis.call("HGET", WAIVERS, payer .. "\n") or "0"
  if tonumber(first) > tonumber(since) then redis.call("HSET", WAIVERS, payer .. "\n", first) end
  local postings = tonumber(ARGV[at + 4])
  at = at + 5
  for _ = 1, postings do
    add(ARGV[at], cost, "0", "0", ARGV[at + 1])
    at = at + 2
  end
end
return 1
