-- The attempt -----------------------------------------------------------------------------------------------------------
--
-- x-fl-host = <credential> <host's wire id> <base path> <hop> <headers that it wants> <target, but for a last resort>
--             <bytes that went out so far> <members of the attempt's log line>
--             <wire id in the body> <last wire id> <last target> <bytes of the body> <path>
-- The path is last: one that the request filter knows, without a query, which could say what the body says otherwise.
-- Attempts share one header map and the body is replayed as it was, so everything is written absolutely.

local HOST = '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S*) (%S*) ("attempt":%S+) (%S+) (%S+) (%S+) (%d+) /v1(/%S+)$'

local STATUS = "^[2-5]%d%d$" -- an answer of HTTP; 101, 600 and 1000 are none
local missed = SIGNS -- whether this worker may have lacked a credential: until then nobody asks the metadata

-- No prompt leaves without the credential. The attempt must fail at the provider all the same: an answer of this filter's
-- own would end the request, since Envoy retries none of those.
local function send_nothing(h, headers, base)
  missed = true
  local metadata = h:streamInfo():dynamicMetadata()
  metadata:set(NAMESPACE, "unsent", "1")
  metadata:set(NAMESPACE, "failed", "401") -- nothing to bill, also if no answer comes
  headers:replace(":path", root_of(base))
  local bytes = h:body(true):setBytes("{}") -- may wait for the body: headers from before are void then
  h:headers():replace("content-length", tostring(bytes))
end

local MODEL_OF_FORM = '^%-%-[^\r\n]+\r\nContent%-Disposition: form%-data; name="model"\r\n\r\n()'

-- The request filter put the model first, in these very bytes.
local function write_model(h, model)
  local body = h:body(true)
  local text = body:getBytes(0, body:length())
  local _, last = find(text, '^{"model":"[^"]*"')
  if last then
    body:setBytes('{"model":"' .. json_of(model) .. '"' .. sub(text, last + 1))
    return true
  end
  local from = match(text, MODEL_OF_FORM)
  local past = from and find(text, "\r\n--", from, true)
  if past then body:setBytes(sub(text, 1, from - 1) .. name_of(model) .. sub(text, past)) end
  return past ~= nil
end

local function close(h)
  h:respond({ [":status"] = "503" }, "")
end

function envoy_on_request(h)
  local headers = h:headers()
  local line = headers:get("x-fl-host") or ""
  headers:remove("x-fl-host")
  local credential, model, base, hop, forward, target, sent, log, written, last_model, last_target, bytes, path =
    match(line, HOST)
  if not model then
    if enter_rung(h, headers, line) then return end
    -- A copy on its way to the shadows' hop passes as it is; an answer here would crash Envoy.
    if sub(line, 1, 7) ~= "shadow " then close(h) end
    return
  end
  send_only(h, headers, forward)
  note_attempt(h, model == "*" and last_target or target, tonumber(sent) and sent or "0", log)
  local worded = other_words(h, headers, path, forward)
  if worded then path = worded.path end
  note_converse(h, headers, worded, model == "*" and last_model or model)
  local signer, opens = signer_of(forward), credential == "-"
  if signer then
    opens = can_sign(h, credential)
    if opens then headers:replace("x-fl-sign", signer) end
  elseif not opens then
    local value, header = credential_of(h, credential)
    if value then headers:replace(header, value) end
    opens = value ~= nil
  end
  if missed then h:streamInfo():dynamicMetadata():set(NAMESPACE, "unsent", "") end -- attempts share it
  headers:replace(":path", path_at(base, path, model == "*" and last_model or model))
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
    metadata:set(NAMESPACE, "last_target", last_target)
    metadata:set(NAMESPACE, "last_model", match(last_target, "^[^/]*/[^/]*/(.*)$"))
    metadata:set(NAMESPACE, "last_wire", last_model)
    headers:replace(":fl-target", last_target)
    headers:replace(":fl-model", last_model)
  end
  if not opens then
    send_nothing(h, headers, base)
  elseif worded then
    if not send_words(h, worded, model) then send_nothing(h, h:headers(), base) end
  elseif model ~= written then
    if not write_model(h, model) then close(h) end
  elseif headers:get("content-length") ~= bytes then
    -- What the attempt before said of a body with a longer or shorter model.
    headers:replace("content-length", bytes)
  end
end

-- Whether the attempt brought nothing: whatever a provider says to that is the refusal of a credential.
local function is_unsent(h)
  if not missed then return false end
  local ours = h:streamInfo():dynamicMetadata():get(NAMESPACE)
  return ours ~= nil and ours.unsent == "1"
end

-- Where the provider's status fails the attempt: what it was.
local function failure_of(h, headers)
  local status = headers:get(":status")
  if is_unsent(h) then
    headers:replace(":status", "401")
    return "401"
  end
  if not find(status, STATUS) then
    fail_unknown(h, headers)
    return "502"
  end
  local ours = CONVERSES and h:streamInfo():dynamicMetadata():get(NAMESPACE)
  local id, model = noted_converse(ours)
  if id then
    local is_over, failure = say_converse(h, headers, ours, id, model)
    if is_over then return failure end
    headers = h:headers()
  end
  if sub(status, 1, 1) ~= "2" then return unlisted(h, headers, status) end
  return fail_unless_answer(h, headers) and status or nil
end

function envoy_on_response(h)
  local headers = h:headers()
  local judged = headers:get("x-fl-judged")
  if judged and leave_rung(h, headers, judged) then return end
  give_back_only(h, headers)
  local failure = failure_of(h, headers)
  if failure then h:streamInfo():dynamicMetadata():set(NAMESPACE, "failed", failure) end
end
