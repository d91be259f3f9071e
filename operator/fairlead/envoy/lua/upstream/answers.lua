-- A 200 that is no answer ---------------------------------------------------------------------------------------------

local ANSWER_BYTES = 1048576 -- of a body that is looked into; a longer one is an answer
local NO_ANSWER = "@no_answer@"
local JSON_PATHS = { ["/chat/completions"] = true, ["/completions"] = true, ["/responses"] = true,
  ["/messages"] = true, ["/embeddings"] = true }
local VECTORS = "/embeddings"
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
local ANSWERS = { choices = true, content = true, data = true, output = true }

local function is_said(text, at)
  for i = 1, #NO_ERROR do
    if find(text, NO_ERROR[i], at) then return false end
  end
  return true
end

-- Whether the members of an object say that it is an error: a list of choices, or the like, says that it is none.
local function is_error(text)
  if not find(text, '"error"', 1, true) then return false end
  local at, said = find(text, "{", 1, true) + 1, false
  while at do
    local key, value = match(text, '^[%s,]*"([^"\\]*)"%s*:%s*()', at)
    if not key then break end
    if key == "error" then
      said = is_said(text, value)
    elseif key == "object" then
      said = said or find(text, '^"error"', value) ~= nil
    elseif ANSWERS[key] and find(text, "^%[%s*[^%s%]]", value) then
      return false
    end
    at = after_value(text, value)
  end
  return said
end

local function ends_as_object(text)
  local last = #text
  while last > 0 and byte(text, last) <= 32 do last = last - 1 end
  return sub(text, last, last) == "}"
end

-- Whether a body in one piece can be the answer of an API whose answers are JSON objects.
local function is_answer(body)
  local length = body:length()
  if length == 0 then return false end
  local text = body:getBytes(0, length < ANSWER_BYTES and length or ANSWER_BYTES)
  if not find(text, "^%s*{") then return false end
  return length > ANSWER_BYTES or (ends_as_object(text) and not is_error(text))
end

-- Whether the answer is to be looked into. It must be one that comes as a whole: who waits for the body of a stream ends
-- it being one, and a body without a length that is longer than the buffers would be lost.
local function is_to_be_read(h, headers)
  local length = headers:get("content-length")
  if length == "0" then return true end
  local encoding = headers:get("content-encoding")
  if encoding and encoding ~= "identity" then return false end
  if length and tonumber(length) > ANSWER_BYTES then return false end
  local kind = match(headers:get("content-type") or "text/", "^%s*([^;%s]*)"):lower()
  local json = kind == "application/json" or sub(kind, -5) == "+json"
  if (json or kind == "text/html") and length then return true end
  if not json and (sub(kind, 1, 5) ~= "text/" or kind == "text/event-stream") then return false end
  local ours = h:streamInfo():dynamicMetadata():get(NAMESPACE) or NONE
  local path = match(ours.way or "", "/v1(/[^ ?]*)[^ ]*$")
  if not JSON_PATHS[path] then return false end
  if path == VECTORS and not length then return false end -- larger than all others, and rarely wrong
  return json or kind == "text/html" or tostring(ours.stream) ~= "true"
end

-- Makes a failed attempt of a 200 that is no answer; true where it did.
local function fail_unless_answer(h, headers)
  if not is_to_be_read(h, headers) then return false end
  local body = h:body(true) -- may wait for it: headers from before are void then
  if is_answer(body) then return false end
  local length = body:setBytes(NO_ANSWER)
  headers = h:headers()
  headers:replace(":status", "502")
  headers:replace("content-type", "application/json")
  headers:replace("content-length", tostring(length))
  headers:remove("content-encoding")
  headers:remove("transfer-encoding")
  return true
end
