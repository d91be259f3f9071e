-- Fairlead's cache: answers that were given before. It stands behind the budget check, so whoever has no money, or was
-- stopped, gets none. What a worker has not itself, it looks for where gateways share, on routes that do. See
-- envoy/cache.py.

local CACHE, HEADER, MADE = "fairlead.cache", "x-fairlead-cache", "x-fl-made"

-- Whether an answer is of the ladder that its key names: routes lead to clusters of another version while they change.
local function is_own(made, makers)
  return made ~= nil and find(makers, " " .. made .. " ", 1, true) ~= nil
end

local function note(h, outcome)
  h:streamInfo():dynamicMetadata():set(NAMESPACE, "cache", outcome)
end

-- Gives a kept answer.
local function give(h, entry, now)
  local metadata = h:streamInfo():dynamicMetadata()
  metadata:set(NAMESPACE, "cache", "hit")
  metadata:set(NAMESPACE, "error", "hit") -- no error: an answer of a filter, which keeps its type and its body
  metadata:set(NAMESPACE, "hit", entry.target)
  metadata:set(CACHE, "saved", entry.usage)
  h:respond({ [":status"] = "200", ["content-type"] = entry.kind, ["age"] = format("%d", (now - entry.made) / 1000) },
    entry.body)
end

local function is_too_old(entry, now, oldest_s) return oldest_s and now - entry.made > oldest_s * 1000 end

-- The entry that a request is answered by: this worker's, or a shared one, which this worker then has, too. May yield.
local function kept_answer(h, key, path, oldest_s)
  local context = h:filterContext()
  local ttl, stored, now = context:get("ttl"), context:get("stored"), tonumber(h:timestamp())
  local entry = look_up(key, now, ttl)
  if entry and is_too_old(entry, now, oldest_s) then entry = nil end
  if not stored then return entry end
  local found = "worker"
  if not entry then
    entry, found = find_shared(h, key, path, ttl)
    if entry then keep(entry) end
    if entry and is_too_old(entry, tonumber(h:timestamp()), oldest_s) then entry, found = nil, "old" end
  end
  h:streamInfo():dynamicMetadata():set(NAMESPACE, "looked", found)
  return entry
end

function envoy_on_request(h)
  local ours = h:streamInfo():dynamicMetadata():get(NAMESPACE)
  local path = ours and ours.way and match(ours.way, " (/%S*)$")
  if not ENDS[path] then return end
  -- What goes on from another answer is never the same, and an id that is one caller's is nobody else's.
  if ours.pinned or ours.signs and h:filterContext():get("shared") then return note(h, "bypass") end
  local unread, unkept, oldest_s = directives(h:headers())
  local owner = not unkept and owner_of(ours.consumer, h:filterContext():get("shared"))
  if not owner then return note(h, "bypass") end
  local buffer = h:body(true) -- yields; what is taken from h before it is out of scope after it
  local length = buffer:length()
  if not has_room("", length) then return note(h, "bypass") end
  local key = key_of(owner, h:filterContext(), ours, h:headers(), length > 0 and buffer:getBytes(0, length) or "")
  local entry = not unread and kept_answer(h, key, path, oldest_s)
  if entry then return give(h, entry, tonumber(h:timestamp())) end
  note(h, "miss")
  h:streamInfo():dynamicMetadata():set(CACHE, "key", key)
end

function envoy_on_response(h)
  local metadata, headers = h:streamInfo():dynamicMetadata(), h:headers()
  local ours, made = metadata:get(NAMESPACE), headers:get(MADE)
  if made then headers:remove(MADE) end
  local outcome = ours and ours.cache
  if not outcome then return end
  headers:replace(HEADER, outcome)
  if outcome ~= "miss" or headers:get(":status") ~= "200" or headers:get("content-encoding") then return end
  local _, forbidden = directives(headers)
  local context = h:filterContext()
  if forbidden or not is_own(made, context:get("makers")) then return end
  local key = metadata:get(CACHE).key
  local shared_ttl = context:get("stored") and context:get("ttl")
  local kind, target = headers:get("content-type") or JSON, headers:get("x-fairlead-target")
  local path = match(ours.way, " (/%S*)$")
  local pieces, count, length = {}, 0, 0
  for chunk in h:bodyChunks() do
    local size = chunk:length()
    if size > 0 and pieces then
      length = length + size
      if has_room(key, length) then
        count = count + 1
        pieces[count] = chunk:getBytes(0, size)
      else
        pieces = nil -- it goes on to the client all the same
      end
    end
  end
  if not pieces then return end
  metadata = h:streamInfo():dynamicMetadata()
  ours = metadata:get(NAMESPACE)
  if ours.finish ~= "stop" or ours.broken or ours.makeshift then return end
  local body = concat(pieces)
  if not may_be_kept(body, path, is_stream(kind)) then return end
  local usage, now = ours.usage or NOTHING_SAID, tonumber(h:timestamp())
  local entry = { key = key, body = body, kind = kind, target = target, made = now, usage = usage }
  keep(entry)
  if shared_ttl then leave(h, entry, shared_ttl) end
end
