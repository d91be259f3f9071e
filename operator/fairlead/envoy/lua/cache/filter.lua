-- Fairlead's cache: answers that were given before. It stands behind the budget check, so whoever has no money, or was
-- stopped, gets none; see envoy/cache.py.

local CACHE, HEADER = "fairlead.cache", "x-fairlead-cache"
local NOTHING_SAID = { report = "-" } -- of the usage of an answer

local SSE, JSON = "text/event-stream", "application/json"

-- What an answer ends with, by path: a stream without it was cut.
local ENDS = {
  ["/v1/chat/completions"] = "data: ?%[DONE%]", ["/v1/completions"] = "data: ?%[DONE%]",
  ["/v1/messages"] = '"type"%s*:%s*"message_stop"', ["/v1/responses"] = '"type"%s*:%s*"response%.completed"',
}
local CALLED = '"type"%s*:%s*"[%w_]*_call"' -- an output of /v1/responses that is not the end of the work

-- Bytes of the value that begins at the first byte of a text, nil when it does not end: brackets outside strings.
local function whole(text)
  local depth, at = 0, 1
  while true do
    local found = find(text, '["%[%]{}]', at)
    if not found then return nil end
    local c = byte(text, found)
    if c == 34 then
      local close = found
      repeat
        close = find(text, '["\\]', close + 1)
        if not close then return nil end
        local escape = byte(text, close) == 92
        if escape then close = close + 1 end
      until not escape
      at = close + 1
    else
      depth = depth + ((c == 123 or c == 91) and 1 or -1)
      if depth == 0 then return found end
      at = found + 1
    end
  end
end

-- Whether all choices of an answer have ended by themselves. In a text of an answer the quotes of these words would have
-- backslashes before them.
local function has_stopped(body)
  for reason in gmatch(body, '"finish_reason"%s*:%s*"([^"]*)"') do
    if reason ~= "stop" and reason ~= "" then return false end
  end
  return true
end

local function is_whole(body, path, streams)
  if path == "/v1/responses" and find(body, CALLED) then return false end
  if streams then return find(body, "[\r\n][\r\n]+$") ~= nil and find(body, ENDS[path]) ~= nil end
  return find(body, "^%s*{") ~= nil and whole(body) ~= nil
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

function envoy_on_request(h)
  local ours = h:streamInfo():dynamicMetadata():get(NAMESPACE)
  local path = ours and ours.way and match(ours.way, " (/%S*)$")
  if not ENDS[path] then return end
  local unread, unkept, oldest_s = directives(h:headers())
  local owner = not unkept and owner_of(ours.consumer, h:filterContext():get("shared"))
  if not owner then return note(h, "bypass") end
  local buffer = h:body(true) -- yields; what is taken from h before it is out of scope after it
  local length = buffer:length()
  if not has_room("", length) then return note(h, "bypass") end
  local key = key_of(owner, h:filterContext(), ours, h:headers(), length > 0 and buffer:getBytes(0, length) or "")
  local now = tonumber(h:timestamp())
  local entry = not unread and look_up(key, now)
  if entry and not (oldest_s and now - entry.made > oldest_s * 1000) then return give(h, entry, now) end
  note(h, "miss")
  h:streamInfo():dynamicMetadata():set(CACHE, "key", key)
end

function envoy_on_response(h)
  local metadata = h:streamInfo():dynamicMetadata()
  local ours = metadata:get(NAMESPACE)
  local outcome = ours and ours.cache
  if not outcome then return end
  local headers = h:headers()
  headers:replace(HEADER, outcome)
  if outcome ~= "miss" or headers:get(":status") ~= "200" or headers:get("content-encoding") then return end
  local key = metadata:get(CACHE).key
  local kind, target = headers:get("content-type") or JSON, headers:get("x-fairlead-target")
  local ttl = h:filterContext():get("ttl")
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
  local streams = find(lower(kind), SSE, 1, true) ~= nil
  if not is_whole(body, path, streams) or not has_stopped(body) then return end
  local now = tonumber(h:timestamp())
  keep({ key = key, body = body, kind = kind, target = target, made = now, ends = now + ttl,
    usage = ours.usage or NOTHING_SAID })
end
