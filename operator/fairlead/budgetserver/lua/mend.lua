-- ARGV: for each of what may be damaged: key, what it is (`counter`, `numbers`, `entry`, `zset`, `number`, `hash`; any other
-- word: it cannot be read, whatever it is).
-- Moves what cannot be read to a key of the same name behind `damaged:`. Returns what was moved.
local KINDS = { counter = "hash", numbers = "hash", entry = "hash", zset = "zset", number = "string", hash = "hash" }
local moved = {}

local function name_of(key) return PREFIX .. "damaged:" .. string.sub(key, #PREFIX + 1) end

local function move(key)
  redis.call("RENAME", key, name_of(key))
  moved[#moved + 1] = key
end

local function move_field(key, field, value)
  if redis.call("TYPE", name_of(key)).ok ~= "hash" then redis.call("DEL", name_of(key)) end
  redis.call("HSET", name_of(key), field, value)
  redis.call("HDEL", key, field)
  moved[#moved + 1] = key .. " " .. string.gsub(field, "%c", "")
end

for at = 1, #ARGV, 2 do
  local key, what = ARGV[at], ARGV[at + 1]
  local found = redis.call("TYPE", key).ok
  if found == "none" then
  elseif found ~= KINDS[what] then
    move(key)
  elseif what == "number" then
    if not whole(redis.call("GET", key)) then move(key) end
  elseif what == "numbers" then
    local all = redis.call("HGETALL", key)
    for index = 1, #all, 2 do
      if not whole(all[index + 1]) then move_field(key, all[index], all[index + 1]) end
    end
  elseif what == "counter" then
    for _, name in ipairs({ "s", "r", "g" }) do
      local value = redis.call("HGET", key, name)
      if not whole(value) then move_field(key, name, value) end
    end
  elseif what == "entry" then
    local entry = redis.call("HMGET", key, "p", "k", "y", "a", "b")
    if not is_entry(entry[1], entry[2], entry[3], entry[4], entry[5]) then move(key) end
  end
end
return moved
