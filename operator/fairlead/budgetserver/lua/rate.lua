-- Takes the prefix of the shelf's keys; a name and a rating. Gives the content and what was said before, empty if nothing;
-- nothing where there is no such answer.
local key = KEYS[1] .. ":" .. ARGV[1]
local content, before = unpack(redis.call("HMGET", key, "content", "rating"))
if not content then return {} end
if not before then redis.call("HSET", key, "rating", ARGV[2]) end
return { content, before or "" }
