-- A 200 that is no answer ---------------------------------------------------------------------------------------------

local ANSWER_BYTES = 1048576 -- of a body that is looked into; a longer one is an answer
local NO_ANSWER, NO_MESSAGE = "@no_answer@", "@no_message@" -- as clients of OpenAI's API and of Anthropic's read it
-- What is asked by a path, and the list that each of its answers has: clients' libraries read its first member.
local LIST_OF = { ["/chat/completions"] = "choices", ["/completions"] = "choices", ["/responses"] = "output",
  ["/messages"] = "content", ["/embeddings"] = "data", ["/images/generations"] = "data", ["/images/edits"] = "data", ["/moderations"] = "results",
  ["/rerank"] = "results" }
local ALSO_OF = { ["/rerank"] = "data" } -- as Voyage has it
-- Answers that are larger than all others, and rarely wrong: in chunks, ten pictures may be more than the buffers hold.
local LARGE = { ["/embeddings"] = true, ["/images/generations"] = true, ["/images/edits"] = true }
local STREAM = "text/event-stream"
local QUOTE, OPEN_LIST, OPEN_OBJECT, SLASH = 34, 91, 123, 47

-- The place after a string that begins at `at`, or nil.
local function after_string(text, at)
  at = at + 1
  while true do
    local found = find(text, '["\\]', at)
    if not found then return nil end
    if byte(text, found) == QUOTE then return found + 1 end
    at = found + 2
  end
end

-- The place after a value that begins at `at`, or nil. What stands in it is not looked at.
local function after_value(text, at)
  local first = byte(text, at)
  if first == QUOTE then return after_string(text, at) end
  if first ~= OPEN_LIST and first ~= OPEN_OBJECT then return match(text, "^[^,}%]]*()", at) end
  local depth = 0
  repeat
    local found, _, sign = find(text, '(["%[%]{}])', at)
    if not found then return nil end
    if sign == '"' then
      at = after_string(text, found)
      if not at then return nil end
    else
      depth = depth + ((sign == "[" or sign == "{") and 1 or -1)
      at = found + 1
    end
  until depth == 0
  return at
end

local NO_ERROR = { "^null", "^false", '^""', "^{%s*}", "^%[%s*%]", "^0%f[^%d.]" }
local ANSWERS = { choices = true, content = true, data = true, output = true, results = true }

local function is_said(text, at)
  for i = 1, #NO_ERROR do
    if find(text, NO_ERROR[i], at) then return false end
  end
  return true
end

-- Whether the members of an object are those of an answer, which has a list of this name, where it is known. A member
-- `error` makes it none, unless a list of choices, or the like, brings something.
local function has_answer(text, list)
  local at, said, found = find(text, "{", 1, true) + 1, false, not list
  while at do
    local name, value = match(text, '^[%s,]*"([^"\\]*)"%s*:%s*()', at)
    if not name then
      local key = match(text, '^[%s,]*()"', at)
      local past = key and after_string(text, key)
      value = past and match(text, "^%s*:%s*()", past)
      if not value then break end
      name = sub(text, key + 1, past - 2)
    end
    if find(name, "\\", 1, true) then
      found = true -- an escape of JSON, which may well spell it
    elseif name == "error" then
      said = is_said(text, value)
    elseif name == "object" then
      said = said or find(text, '^"error"', value) ~= nil
    elseif ANSWERS[name] and byte(text, value) == OPEN_LIST then
      if (not list or name == list) and find(text, "^%[%s*[^%s%]]", value) then return true end
      found = found or name == list
    end
    at = after_value(text, value)
  end
  return found and not said
end

local function ends_as_object(text)
  local last = #text
  while last > 0 and byte(text, last) <= 32 do last = last - 1 end
  return sub(text, last, last) == "}"
end

-- Whether a body in one piece can be the answer of an API whose answers are JSON objects with such a list.
local function is_answer(body, list)
  local length = body:length()
  if length == 0 then return false end
  local text = body:getBytes(0, length < ANSWER_BYTES and length or ANSWER_BYTES)
  if not find(text, "^%s*{") then return false end
  return length > ANSWER_BYTES or (ends_as_object(text) and has_answer(text, list))
end

-- Whether the answer is to be waited for, and whether only as to its being empty. It must be one that comes as a whole: who
-- waits for the body of a stream ends it being one, and a body without a length that is longer than the buffers would be
-- lost.
local function is_to_be_read(h, headers)
  local length = headers:get("content-length")
  if length == "0" then return true end
  local said = headers:get("content-type") or "text/"
  if said == STREAM and not length then return false end
  local encoding = headers:get("content-encoding")
  local encoded = encoding and encoding ~= "identity"
  if length and (encoded or tonumber(length) > ANSWER_BYTES) then return false end
  local kind = lower(match(said, "^%s*([^;%s]*)"))
  local json = kind == "application/json" or sub(kind, -5) == "+json"
  if (json or kind == "text/html") and length then return true end
  local opaque = encoded or not json and sub(kind, 1, 5) ~= "text/"
  if kind == STREAM or opaque and length then return false end
  local ours = h:streamInfo():dynamicMetadata():get(NAMESPACE) or NONE
  local path = path_of(ours)
  if not LIST_OF[path] then return false end
  if LARGE[path] and not length then return false end
  local streams = tostring(ours.stream) == "true"
  if opaque then return not streams, true end
  return json or kind == "text/html" or not streams
end

-- Makes an error of ours of an answer whose body has come.
local function make_bad(h, body, status)
  local path = client_path(h:streamInfo():dynamicMetadata():get(NAMESPACE) or NONE) or ""
  local length = body:setBytes(find(path, "^/messages") and NO_MESSAGE or NO_ANSWER)
  local headers = h:headers()
  headers:replace(":status", status)
  headers:replace("content-type", "application/json")
  headers:replace("content-length", tostring(length))
  headers:remove("content-encoding")
  headers:remove("transfer-encoding")
end

-- Whether an answer that is to be said in other words came compressed, which nobody asked for: it cannot be read.
local function is_veiled(h, headers)
  if not next(SAYABLE) then return false end
  local encoding = headers:get("content-encoding")
  if not encoding or encoding == "identity" then return false end
  local ours = h:streamInfo():dynamicMetadata():get(NAMESPACE) or NONE
  return SAYABLE[ours.translated or ""] ~= nil
end

-- Makes a failed attempt of a 200 that is no answer; true where it did.
local function fail_unless_answer(h, headers)
  if is_veiled(h, headers) then
    headers:replace(":status", UNSAYABLE)
    return true
  end
  local is_read, opaque = is_to_be_read(h, headers)
  if not is_read then return false end
  local body = h:body(true) -- may wait for it: headers from before are void then
  if opaque and body:length() > 0 then return false end
  local ours = h:streamInfo():dynamicMetadata():get(NAMESPACE) or NONE
  local status = "502"
  local path = path_of(ours)
  if is_answer(body, LIST_OF[path]) or ALSO_OF[path] and is_answer(body, ALSO_OF[path]) then
    status = body:length() <= ANSWER_BYTES and fault_of(ours, body) or nil
    if not status then return false end
  end
  if ours.last_wire == "-" then return false end -- a probe: whoever answers it is alive
  make_bad(h, body, status)
  return true
end

-- Makes a failed attempt of an answer whose status HTTP does not have: clients' libraries make of it what they like.
local function fail_unknown(h, headers)
  local length = tonumber(headers:get("content-length") or "")
  headers:replace(":status", "502")
  if length and length <= ANSWER_BYTES then make_bad(h, h:body(true), "502") end
end
