-- Keeps a shared answer; those that end soonest make room.
-- KEYS: the prefix of an installation's answers
-- ARGV: name, content, milliseconds it is good for, now, bytes that all may have, bytes that this one counts as
-- Returns how many bytes all have, or -1 where there is no room for this one: then it is not kept.
--   <prefix>:<name> = content   <prefix>|due = names by their end   <prefix>|size = name -> bytes   <prefix>|bytes = sum

local MOST_AT_ONCE = 1024 -- that make room for one

local prefix, name, content = KEYS[1], ARGV[1], ARGV[2]
local ttl, now, most, size = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local due, sizes, sum = prefix .. '|due', prefix .. '|size', prefix .. '|bytes'

-- What keeps the books is made anew where somebody has damaged it; what they lose ends by itself.
local function is(key, kind)
  local found = redis.call('type', key).ok
  return found == kind or found == 'none'
end
local bytes = is(sum, 'string') and tonumber(redis.call('get', sum) or '0')
if not bytes or not is(due, 'zset') or not is(sizes, 'hash') or redis.call('zcard', due) ~= redis.call('hlen', sizes) then
  redis.call('del', due, sizes, sum)
  bytes = 0
end

local function drop(one)
  bytes = bytes - (tonumber(redis.call('hget', sizes, one) or '0') or 0)
  redis.call('del', prefix .. ':' .. one)
  redis.call('zrem', due, one)
  redis.call('hdel', sizes, one)
end

if redis.call('hexists', sizes, name) == 1 then drop(name) end
for _, one in ipairs(redis.call('zrangebyscore', due, '-inf', now, 'limit', 0, MOST_AT_ONCE)) do drop(one) end
local room = size <= most
if room and bytes + size > most then
  for _, one in ipairs(redis.call('zrange', due, 0, MOST_AT_ONCE - 1)) do
    if bytes + size <= most then break end
    drop(one)
  end
end
room = room and bytes + size <= most
if room then
  redis.call('set', prefix .. ':' .. name, content, 'px', ttl)
  redis.call('zadd', due, now + ttl, name)
  redis.call('hset', sizes, name, size)
  bytes = bytes + size
end
redis.call('set', sum, bytes, 'keepttl')
for _, key in ipairs({ due, sizes, sum }) do
  if redis.call('pttl', key) < ttl then redis.call('pexpire', key, ttl + 60000) end
end
return room and bytes or -1
