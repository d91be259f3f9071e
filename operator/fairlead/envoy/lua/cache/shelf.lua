-- Kept answers of this worker, by their whole keys; the least recently used goes when the bytes do not suffice ----------

local byte, concat, find, format = string.byte, table.concat, string.find, string.format
local gmatch, lower, match, sub = string.gmatch, string.lower, string.match, string.sub

local MOST_BYTES = @most_bytes@ -- of all keys and answers together, in this worker
local LARGEST = @largest@ -- of one of them
local OVERHEAD = 512 -- bytes of an entry beside its strings

local entries = {} -- by key: Lua compares strings whole, so two keys that hash alike are still two
local bytes = 0
local newest, oldest -- ends of the list of entries, in the order of their use

local function unlink(entry)
  if entry.newer then entry.newer.older = entry.older else newest = entry.older end
  if entry.older then entry.older.newer = entry.newer else oldest = entry.newer end
  entry.newer, entry.older = nil, nil
end

local function link(entry)
  entry.older = newest
  if newest then newest.newer = entry else oldest = entry end
  newest = entry
end

local function drop(entry)
  unlink(entry)
  entries[entry.key] = nil
  bytes = bytes - entry.bytes
end

-- The entry of a key that was made less than `ttl` milliseconds before now; it is the most recently used one then.
local function look_up(key, now, ttl)
  local entry = entries[key]
  if not entry then return nil end
  if now - entry.made >= ttl or entry.made > now then -- a clock that was set back makes nothing last longer
    drop(entry)
    return nil
  end
  unlink(entry)
  link(entry)
  return entry
end

-- Whether an answer of so many bytes can be kept under a key.
local function has_room(key, length)
  local size = #key + length + OVERHEAD
  return size <= LARGEST and size <= MOST_BYTES
end

-- Keeps an entry with `key`, `body`, `made`; others make room.
local function keep(entry)
  if not has_room(entry.key, #entry.body) then return end
  local before = entries[entry.key]
  if before then drop(before) end
  entry.bytes = #entry.key + #entry.body + OVERHEAD
  while oldest and bytes + entry.bytes > MOST_BYTES do drop(oldest) end
  entries[entry.key] = entry
  bytes = bytes + entry.bytes
  link(entry)
end
