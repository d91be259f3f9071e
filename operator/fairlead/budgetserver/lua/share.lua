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
if not is(sum, 'string') or not is(due, 'zset') or not is(sizes, 'hash')
  or redis.call('zcard', due) ~= redis.call('hlen', sizes) then
  redis.call('del', due, sizes, sum)
end

-- A number as this script writes it: `inf`, `nan` or a negative one of somebody else's would stand for ever.
local function whole(text)
  return text and #text <= 15 and string.match(text, '^%d+$') and tonumber(text)
end
local function counted()
  local all = 0
  for _, one in ipairs(redis.call('hvals', sizes)) do all = all + (whole(one) or 0) end
  return all
end
local bytes = whole(redis.call('get', sum)) -- gone while others stand: counted, too
if not bytes or bytes > most then bytes = counted() end
local doubtful = false

local function drop(one)
  local of = whole(redis.call('hget', sizes, one))
  if of then bytes = bytes - of else doubtful = true end
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
if doubtful or bytes < 0 then bytes = counted() end
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
