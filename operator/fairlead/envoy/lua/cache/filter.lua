-- Fairlead's cache: answers that were given before. It stands behind the budget check, so whoever has no money, or was
-- stopped, gets none; see envoy/cache.py.

local CACHE, HEADER, MADE = "fairlead.cache", "x-fairlead-cache", "x-fl-made"
local NOTHING_SAID = { report = "-" } -- of the usage of an answer

local SSE, JSON = "text/event-stream", "application/json"

-- What an answer ends with, by path, at the start of a line or where quotes are: a stream without it was cut.
local ENDS = {
  ["/v1/chat/completions"] = "[\r\n]data: ?%[DONE%]", ["/v1/completions"] = "[\r\n]data: ?%[DONE%]",
  ["/v1/messages"] = '"type"%s*:%s*"message_stop"', ["/v1/responses"] = '"type"%s*:%s*"response%.completed"',
}

local CHOICES = { ["/v1/chat/completions"] = true, ["/v1/completions"] = true }
local REASON, INDEX = 'finish_reason"', 'index"'

-- Members of answers that are not kept, and what their values begin with: errors, beside whatever else there is, and
-- calls, whatever the answer says of its end.
local UNKEPT = {
  { 'error"', "^[^n]" }, { 'object"', '^"error"' }, { 'type"', '^"error"' }, -- not null
  { 'tool_calls"', "^%[%s*[^%s%]]" }, { 'function_call"', "^{" },
  { 'type"', '^"[%w_]*tool_use"' }, { 'type"', '^"[%w_]*_call"' },
}

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

-- Where the value of the next member begins that has this name; nil when there is none. Names have their last quote: in a
-- text of an answer it would have a backslash before it.
local function value_of(s, name, from)
  local at = find(s, name, from, true)
  while at do
    local value = byte(s, at - 1) == 34 and match(s, "^%s*:%s*()", at + #name)
    if value then return value end
    at = find(s, name, at + #name, true)
  end
  return nil
end

local function has(s, name, form)
  local at = value_of(s, name, 1)
  while at do
    if find(s, form, at) then return true end
    at = value_of(s, name, at)
  end
  return false
end

-- Whether each choice of an answer in one piece ended by itself.
local function all_stopped(body)
  local at = value_of(body, REASON, 1)
  while at do
    if not find(body, '^"stop"', at) then return false end
    at = value_of(body, REASON, at)
  end
  return true
end

-- Whether each choice of which a stream has some ended by itself. Lines are read, since an event is one.
local function all_streams_stopped(body)
  local states, open, from = {}, 0, 1
  while from <= #body do
    local last = find(body, "\n", from, true) or #body
    local line = sub(body, from, last)
    local index, reason_at = value_of(line, INDEX, 1), value_of(line, REASON, 1)
    local choice = index and match(line, "^%d+", index) or "0"
    local reason = reason_at and match(line, '^"([^"]*)"', reason_at) or ""
    if reason ~= "" then
      -- Of several choices in one event nobody would know whose reason it is.
      if reason ~= "stop" or value_of(line, REASON, reason_at) then return false end
      if states[choice] == "open" then open = open - 1 end
      states[choice] = "ended"
    elseif index and not states[choice] then
      states[choice], open = "open", open + 1
    end
    from = last + 1
  end
  return open == 0
end

local function is_whole(body, path, streams)
  if not streams then return find(body, "^%s*{") ~= nil and whole(body) ~= nil and all_stopped(body) end
  if not (find(body, "[\r\n][\r\n]+$") and find(body, ENDS[path])) then return false end
  return not CHOICES[path] or all_streams_stopped(body)
end

local function may_be_kept(body, path, streams)
  for n = 1, #UNKEPT do
    if has(body, UNKEPT[n][1], UNKEPT[n][2]) then return false end
  end
  return is_whole(body, path, streams)
end

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
  local entry = not unread and look_up(key, now, h:filterContext():get("ttl"))
  if entry and not (oldest_s and now - entry.made > oldest_s * 1000) then return give(h, entry, now) end
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
  if forbidden or not is_own(made, h:filterContext():get("makers")) then return end
  local key = metadata:get(CACHE).key
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
  local streams = find(lower(kind), SSE, 1, true) ~= nil
  if not may_be_kept(body, path, streams) then return end
  local now = tonumber(h:timestamp())
  keep({ key = key, body = body, kind = kind, target = target, made = now, usage = ours.usage or NOTHING_SAID })
end
