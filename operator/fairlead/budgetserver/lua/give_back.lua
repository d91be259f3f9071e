-- ARGV: remembered, then units of leases, by their names. Those that are open are released; what they held is booked nowhere.
-- Returns: how many that were.
local remembered, released = ARGV[1], 0
check_kind(OPEN, "zset")
check_kind(OPENS, "hash")
for at = 2, #ARGV do
  local key = entry_key(ARGV[at])
  local found = redis.call("HMGET", key, "p", "a", "k", "y", "b")
  if found[1] == "open" then
    if not is_entry(found[1], found[3], found[4], found[2], found[5]) then damaged(key) end
    check_field(OPENS, found[4])
    check_field(OPENS, units_of(found[4]))
    for name in string.gmatch(found[3], "[^\n]+") do check_counter(name) end
  end
end
for at = 2, #ARGV do
  local key = entry_key(ARGV[at])
  local found = redis.call("HMGET", key, "p", "a", "k", "y")
  if found[1] == "open" then
    for name in string.gmatch(found[3], "[^\n]+") do add(name, "0", minus(found[2]), "0", nil) end
    redis.call("HSET", key, "p", "expired")
    redis.call("PEXPIRE", key, remembered)
    redis.call("ZREM", OPEN, ARGV[at])
    closes(found[4], ARGV[at])
    released = released + 1
  end
end
return released
