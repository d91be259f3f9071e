-- ARGV: now, limit, expires after, correctable.
-- Returns: payer, booked, whether it is a unit of a lease (0/1) for each reservation that was given up.
local now, after = ARGV[1], tonumber(ARGV[3])
local reply = {}
check_shared()
for _, request in ipairs(redis.call("ZRANGEBYSCORE", OPEN, "-inf", now, "LIMIT", 0, ARGV[2])) do
  local key = entry_key(request)
  local found = redis.call("HMGET", key, "p", "a", "k", "y", "t")
  if found[1] == "open" then
    if not is_entry(found[1], found[3], found[4], found[2], found[5]) then damaged(key) end
    check_payer(found[4])
    for name in string.gmatch(found[3], "[^\n]+") do check_counter(name) end
  end
  redis.call("ZREM", OPEN, request)
  if found[1] == "open" then
    local amount, payer = found[2], found[4]
    local left = tonumber(redis.call("HGET", WAIVERS, payer) or "0")
    local at = tonumber(redis.call("HGET", WAIVERS, payer .. "\n") or "0")
    local unit = is_unit(request)
    local waived = not unit and left > 0 and tonumber(found[5]) - after <= at
    local booked = (waived or unit) and "0" or amount
    for name in string.gmatch(found[3], "[^\n]+") do add(name, booked, minus(amount), booked, nil) end
    closes(payer, request)
    if waived then redis.call("HINCRBY", WAIVERS, payer, -1) end
    redis.call("HSET", key, "p", waived and "waived" or "expired", "b", booked, "g", unit and "0" or "1")
    redis.call("PEXPIRE", key, ARGV[4])
    reply[#reply + 1], reply[#reply + 2], reply[#reply + 3] = payer, booked, unit and 1 or 0
  elseif not PHASES[found[1]] then
    -- Its entry is gone, or set aside: nobody's limit is used up by what is no more.
    local payer = payer_of(request)
    if payer then
      check_field(OPENS, payer)
      check_field(OPENS, units_of(payer))
      closes(payer, request)
    end
  end
end
return reply
