-- Errors that come as a list ------------------------------------------------------------------------------------------
--
-- Gemini's: [{"error":{...}}]. Clients of OpenAI's API read the object in it. One of its 400s is about the key that the
-- gateway sent, and not about the request: https://ai.google.dev/gemini-api/docs/troubleshooting

local LISTED = "@listed@" ~= "" -- whether some host of this gateway answers so
local ERROR_BYTES = 65536
local KEY_REFUSED = '"API_KEY_INVALID"' -- what a prompt has of it would stand there with its quotes escaped

local function is_short_json(headers)
  local length = headers:get("content-length")
  return (not length or tonumber(length) <= ERROR_BYTES) and not headers:get("content-encoding")
    and find(headers:get("content-type") or "", "^application/json") ~= nil
end

-- Takes an error out of its list; returns its status, which may be another one.
local function unlisted(h, headers, status)
  if not LISTED or not is_short_json(headers) then return status end
  local body = h:body(true) -- may wait for it: headers from before are void then
  local length = body:length()
  if length == 0 or length > ERROR_BYTES then return status end
  local text = body:getBytes(0, length)
  local first = match(text, "^%s*%[%s*(){")
  local past = first and after_value(text, first)
  if not past or not find(text, "^%s*%]%s*$", past) then return status end
  local bytes = body:setBytes(sub(text, first, past - 1))
  headers = h:headers()
  headers:replace("content-length", tostring(bytes))
  headers:remove("transfer-encoding")
  if status ~= "400" or not find(text, KEY_REFUSED, 1, true) then return status end
  headers:replace(":status", "401")
  return "401"
end
