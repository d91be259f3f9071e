-- Attempts at Bedrock: its Converse in the words of Messages -------------------------------------------------------------
--
-- Whoever reads answers behind this filter reads Messages, of whatever client.

local CONVERSES = "@converses@" ~= "" -- whether some host of this gateway wants it
local converse = {} -- functions of lua/converse/
do
  local concat = table.concat
@converse@
end

local FRAMES = "^application/vnd%.amazon%.eventstream"
local MODEL_FAILED = "424" -- ModelErrorException: nothing of the request's
local NO_MODEL = { "model identifier is invalid", "on-demand throughput isn" } -- of a 400

-- What such an attempt is noted by: what an answer is called, and its model as a word. Nil for others.
local function noted_converse(ours)
  if not CONVERSES or not ours or not ours.converse then return nil end
  return match(ours.converse, "^(%S+) (%S+)$")
end

local function note_converse(h, headers, worded, model)
  if not CONVERSES then return end
  local metadata = h:streamInfo():dynamicMetadata()
  if worded and worded.converse then
    metadata:set(NAMESPACE, "converse", "msg_" .. gsub(headers:get("x-request-id") or "0", "[^%w]", "") .. " " .. model)
  elseif noted_converse(metadata:get(NAMESPACE)) then
    metadata:set(NAMESPACE, "converse", "")
  end
end

local function say_whole(h, body, text)
  local length = body:setBytes(text)
  local headers = h:headers()
  headers:replace("content-type", "application/json")
  headers:replace("content-length", tostring(length))
  headers:remove("transfer-encoding")
end

local function read_frames(h, id, model)
  local state, last = converse.new_stream(id, json_of(model)), nil
  for chunk in h:bodyChunks() do
    last = chunk
    local length = chunk:length()
    if length > 0 then chunk:setBytes(converse.translated(state, chunk:getBytes(0, length))) end
  end
  local out = {}
  converse.finish(state, out)
  if last and #out > 0 then
    local length = last:length()
    last:setBytes((length > 0 and last:getBytes(0, length) or "") .. table.concat(out))
  end
end

-- What an error is where the gateway has to know it better than the API tells it.
local function status_of(text, status)
  if status == MODEL_FAILED then return "500" end
  for i = 1, #NO_MODEL do
    if status == "400" and find(text, NO_MODEL[i], 1, true) then return "404" end
  end
  return status
end

local function say_error(h, headers, status)
  local length = tonumber(headers:get("content-length") or "0")
  if length > ERROR_BYTES or headers:get("content-encoding") then return status end
  local body = h:body(true) -- may wait for it: headers from before are void then
  length = body:length()
  if length > ERROR_BYTES then return status end
  local text = length > 0 and body:getBytes(0, length) or ""
  local said = status_of(text, status)
  say_whole(h, body, converse.problem_of(text, tonumber(said), "The provider answered " .. status .. "."))
  if said ~= status then h:headers():replace(":status", said) end
  return said
end

-- Says an answer in the words of Messages. True where nothing is left to be looked at, and the status that the attempt
-- fails with, if it does.
local function say_converse(h, headers, ours, id, model)
  local status, kind = headers:get(":status"), lower(headers:get("content-type") or "")
  if sub(status, 1, 1) ~= "2" then return true, say_error(h, headers, status) end
  local streams = tostring(ours.stream) == "true"
  if streams and find(kind, FRAMES) and not headers:get("content-encoding") and headers:get("content-length") ~= "0" then
    headers:remove("content-length")
    headers:replace("content-type", "text/event-stream")
    read_frames(h, id, model)
    return true
  end
  local body = h:body(true)
  local length = body:length()
  local text = length > 0 and body:getBytes(0, length) or ""
  local said = not streams and converse.message_of(text, id, json_of(model))
  if said then
    say_whole(h, body, said)
    return false
  end
  status = find(text, '^%s*{%s*"') and find(text, '"stopReason"', 1, true) and UNSAYABLE or "502"
  make_bad(h, body, status)
  return true, status
end
