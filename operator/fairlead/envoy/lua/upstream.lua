-- Fairlead's upstream filter: runs once per attempt, after its host is chosen and the host's credential is on. Writes
-- model and path as the host wants them, and lets nothing of ours out.
--
-- x-fl-host = <credential> <host's wire id> <base path> <hop>  <members of the attempt's log line>
--             <wire id in the body> <last wire id> <last target> <bytes of the body> <path>
-- The path is last and whatever the client sent; nothing before it has a space.
-- Attempts share one header map and the body is replayed as it was, so everything is written absolutely.

local match, find, sub = string.match, string.find, string.sub
local HOST = '^%S+ (%S+) (%S+) (%S+) ("attempt":%S+) (%S+) (%S+) (%S+) (%d+) /v1(/%S+)$'

-- The request filter put the model first, in these very bytes.
local function write_model(h, model)
  local body = h:body(true)
  local text = body:getBytes(0, body:length())
  local _, last = find(text, '^{"model":"[^"]*"')
  if last then body:setBytes('{"model":"' .. model .. '"' .. sub(text, last + 1)) end
  return last ~= nil
end

local function close(h)
  h:respond({ [":status"] = "503" }, "")
end

function envoy_on_request(h)
  local headers = h:headers()
  local line = headers:get("x-fl-host") or ""
  headers:remove("x-fl-host")
  local model, base, hop, log, written, last_model, last_target, bytes, path = match(line, HOST)
  if not model then
    -- A copy on its way to the shadows' hop passes as it is; an answer here would crash Envoy.
    if sub(line, 1, 7) ~= "shadow " then close(h) end
    return
  end
  headers:replace(":path", base == "-" and path or base .. path)
  if hop == "-" then
    headers:replace(":fl-attempt", log) -- for the log: HTTP/1 does not send it
  else
    headers:replace("x-fl-hop", hop)
    headers:replace("x-fl-attempt", log)
    headers:remove(":fl-attempt") -- of the attempt before: HTTP/2, which a hop speaks, would refuse it
    headers:remove(":fl-target")
    headers:remove(":fl-model")
  end
  if model == "*" then
    model = last_model
    local metadata = h:streamInfo():dynamicMetadata()
    metadata:set("fairlead", "last_target", last_target)
    metadata:set("fairlead", "last_model", match(last_target, "^[^/]*/[^/]*/(.*)$"))
    metadata:set("fairlead", "last_wire", last_model)
    headers:replace(":fl-target", last_target)
    headers:replace(":fl-model", last_model)
  end
  if model ~= written then
    if not write_model(h, model) then close(h) end
  elseif headers:get("content-length") ~= bytes then
    -- What the attempt before said of a body with a longer or shorter model.
    headers:replace("content-length", bytes)
  end
end
