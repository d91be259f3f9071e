-- Takes the prefix of the shelf's keys; a name, its content, now, how long it is kept, how many are, how many go at once.
-- Gives how many answers that could still be rated went to make room.
local ages = KEYS[1] .. ":ages"
local name, content, now, kept, most, some = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
if redis.call("ZADD", ages, "NX", now, name) == 1 then
  redis.call("HSET", KEYS[1] .. ":" .. name, "content", content)
  redis.call("PEXPIRE", KEYS[1] .. ":" .. name, kept)
end
redis.call("PEXPIRE", ages, kept)
redis.call("ZREMRANGEBYSCORE", ages, "-inf", now - kept)
local beyond = math.min(some, redis.call("ZCARD", ages) - most)
if beyond <= 0 then return 0 end
local oldest = redis.call("ZPOPMIN", ages, beyond)
for at = 1, #oldest, 2 do redis.call("DEL", KEYS[1] .. ":" .. oldest[at]) end
return beyond
