-- Which answers may be given again: whole ones that ended by themselves ----------------------------------------------

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

local function is_stream(kind) return find(lower(kind), SSE, 1, true) ~= nil end
