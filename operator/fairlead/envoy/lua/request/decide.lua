-- The decision ------------------------------------------------------------------------------------------------------

-- Reads the body, writes it anew for the entry it finds, and returns nil, the entry and the body's bytes, or the answer.
local function read(h, buffer, endpoint, path, directory, caller, consumer, metadata)
  local length = buffer:length()
  if length == 0 then return EMPTY end
  local s = buffer:getBytes(0, length)
  start_scan(s)
  local open = skip_space(1)
  local close, problem = scan(s, open, BODY)
  if not close then return problem end
  if skip_space(close) <= length then return MALFORMED end

  local text = value_of(s, MODEL)
  if not text then return NO_MODEL end
  if find(text, "\\", 1, true) then text = gsub(sub(text, 1, LONGEST_MODEL), "\\(.)(%x?%x?%x?%x?)", plain) end
  local model = #text <= MODEL_LENGTH + 2 and match(text, MODEL_GRAMMAR)
  if not model then return BAD_MODEL end
  local streams = value_of(s, STREAM)
  if streams and streams ~= "true" and streams ~= "false" and streams ~= "null" then return BAD_STREAM end
  local stream = streams == "true"
  metadata:set(NAMESPACE, "model", model)
  metadata:set(NAMESPACE, "stream", stream)

  local entry = look_up(directory, caller, model)
  if not entry then return unknown_model(model) end
  if entry.kind ~= endpoint.kind then return wrong_endpoint(model, path, entry.kind) end

  problem = overlong(s) or endpoint.stored and stored(s)
  if problem then return problem end
  edits, added, unasked = 0, "", false
  if stream and endpoint.usage then
    problem = ask_for_usage(s)
    if problem then return problem end
    if unasked then metadata:set(NAMESPACE, "unasked", true) end
  end
  if entry.cap then
    problem = cap_output(s, endpoint.own, entry.cap, entry.most)
    if problem then return problem end
  end
  local revision, ask = directory:get("b"), nil
  if revision then
    ask, problem = bounds(s, endpoint.own, is_budgeted(directory, consumer, entry.route))
    if problem then return problem end
    metadata:set(NAMESPACE, "ask", ask)
  end
  local body = rewrite(s, open, close, entry.wire)
  local bytes = body and #body or length
  problem = revision and closing_of(consumer, entry.route, model, bytes, ask, revision, metadata)
  if problem then return problem end
  if body then buffer:setBytes(body) end
  return nil, entry, bytes, body == nil
end

-- What the key alone decides, before the body is read: the answer to give, or nil, the caller and its name.
local function identify(h)
  local directory = h:metadata()
  local consumer = h:headers():get("x-fl-consumer")
  if not consumer then return NO_KEY end
  h:streamInfo():dynamicMetadata():set(NAMESPACE, "consumer", consumer)
  local text = directory:get("c:" .. consumer)
  if not text then return NO_KEY end
  local caller = caller_of(text)
  if caller.expires <= now() then return EXPIRED end
  if directory:get("s:" .. consumer) then return stopped(consumer) end
  return nil, caller, consumer
end

-- Returns the answer to give, or nil after everything is set for the way to the provider.
local function decide(h, buffer, caller, consumer)
  local headers = h:headers()
  local metadata = h:streamInfo():dynamicMetadata()
  local directory = h:metadata()

  local url, method = headers:get(":path"), headers:get(":method")
  local path = url
  local endpoint = PATHS[path]
  if not endpoint then
    path = match(url, "^[^?]*")
    endpoint = PATHS[path]
  end
  if method ~= "POST" or not endpoint then
    return method == "GET" and answer_models(directory, caller, path, headers) or unknown_url(method, path)
  end

  local problem, encoded = check_type(headers), false
  if not problem then problem, encoded = check_encoding(headers) end
  if problem then return problem end
  local answer, entry, bytes, as_it_came = read(h, buffer, endpoint, path, directory, caller, consumer, metadata)
  if encoded and (answer == EMPTY or answer == MALFORMED) then return BAD_ENCODING end -- Envoy drops what it cannot read
  if answer then return answer end
  -- A body in chunks has no length yet, and the budget check reads it here.
  if as_it_came and not headers:get("content-length") then headers:replace("content-length", tostring(bytes)) end
  metadata:set(NAMESPACE, "way", entry.way .. bytes .. " " .. url)
  if entry.ladders then
    for arm = 1, #entry.ladders do headers:replace(entry.headers[arm], entry.ladders[arm]) end
    if entry.arms then headers:replace("x-fl-arms", entry.arms) end
  end
  headers:replace("x-fl-route", entry.route)
  h:clearRouteCache()
  return nil
end

-- Anthropic's SDK picks its exception by the shape and the type of an error.
local function speaks_anthropic(headers)
  return headers:get("anthropic-version") ~= nil or find(headers:get(":path"), "^/v1/messages") ~= nil
end

local function give(h, ok, answer)
  if not ok then
    h:logErr("request.lua: " .. tostring(answer))
    answer = BROKEN
  end
  if answer.code then h:streamInfo():dynamicMetadata():set(NAMESPACE, "error", answer.code) end
  local headers = { [":status"] = answer.status, ["content-type"] = "application/json" }
  for name, value in pairs(answer.headers or {}) do headers[name] = value end
  local body = answer.body
  if answer.message and speaks_anthropic(h:headers()) then body = anthropic_error(answer) end
  h:respond(headers, body)
end

function envoy_on_request(h)
  local ok, answer, caller, consumer = pcall(identify, h)
  if not ok or answer then return give(h, ok, answer) end
  local buffer = h:body(true) -- yields; what is taken from h before it is out of scope after it
  local large = buffer:length() > LARGE
  ok, answer = pcall(decide, h, buffer, caller, consumer)
  if large then collectgarbage() end
  if not ok or answer then give(h, ok, answer) end
end
