-- ARGV: for each counter: its name, and how long it is kept from now on (`-` = forever).
-- Counters that are there are kept longer, never shorter. Returns: nothing.
for at = 1, #ARGV, 2 do
  local key, keep = counter_key(ARGV[at]), ARGV[at + 1]
  local left = redis.call("PTTL", key) -- below 0: there is none, or it is kept forever
  if keep == "-" then
    redis.call("PERSIST", key)
  elseif left >= 0 and left < tonumber(keep) then
    redis.call("PEXPIRE", key, keep)
  end
end
return {}
