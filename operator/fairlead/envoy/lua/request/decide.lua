-- The decision ------------------------------------------------------------------------------------------------------

local word

do -- a chunk of Lua has 200 locals at most

-- Says the request in words that some rungs want, and leaves that beside it; false, and what cannot be said.
local function leave_said(say, s, terms, metadata, key, hints)
  local said, rest = say(s, terms)
  if not said then return false, rest end
  metadata:set("fairlead.messages", key, said)
  metadata:set(NAMESPACE, hints, rest)
  return true
end

-- What rungs must be like to be asked for what cannot be said to all: `says`, in the words of the other API; `converses`, in
-- those of Converse. Nil where there are none.
local function need_left(dialects, endpoint, says, converses, translates)
  local api, need = endpoint.worded, nil
  if says or not converses and not translates then need = api .. "NotConverse" elseif converses then need = api .. "NotTranslated" end
  if need and dialects[need] then return need end
  return dialects[endpoint.as_it_is] and endpoint.as_it_is or nil
end

-- Leaves the request in other words beside it, for rungs that want those. What one of them cannot say passes over the rungs
-- that want these, or is refused.
function word(h, s, endpoint, entry, metadata)
  local api = endpoint.worded
  local terms, conversed = entry.translated[api], entry.converse[api]
  local says, converses, rest, unsaid = false, false, nil, nil
  if terms then says, rest = leave_said(in_other_words_of[api], s, terms, metadata, "said", "left_out") end
  if conversed and h:trailers() then -- Envoy signs what ends with its data; it adds trailers to what it unpacks
    unsaid = "content-encoding"
  elseif conversed then
    converses, unsaid = leave_said(in_converse_of[api], s, conversed, metadata, "conversed", "converse_left_out")
  end
  if says == (terms ~= nil) and converses == (conversed ~= nil) then return nil, entry end
  local need = need_left(entry.dialects, endpoint, says, converses, terms ~= nil)
  metadata:set(NAMESPACE, need == endpoint.as_it_is and "unsaid" or "unsaid:" .. (need or ""), true)
  if not need then return unsayable(rest or unsaid, api, not rest) end
  return nil, entry.dialects[need]
end

end

-- Reads the body, writes it anew for the entry it finds, and returns nil, the entry and the body's bytes; or the answer;
-- or a question for `classify`, with which it is called again.
local function read(h, buffer, endpoint, path, directory, caller, consumer, metadata, classified)
  local length = buffer:length()
  if length == 0 then return EMPTY end
  local s = buffer:getBytes(0, length)
  start_scan(s)
  unclear = nil
  local open = skip_space(1)
  local close, problem = scan(s, open, BODY)
  if not close then return problem end
  if skip_space(close) <= length then return MALFORMED end
  local _, _, _, pictures = looked()

  local text = value_of(s, MODEL)
  if not text then return NO_MODEL end
  local name
  name, problem = model_in(text)
  if not name then return problem end
  local model = word_of(name)
  local streams = value_of(s, STREAM)
  if streams and streams ~= "true" and streams ~= "false" and streams ~= "null" then return BAD_STREAM end
  local stream = streams == "true" or endpoint.paced == true and value_of(s, BODY.slots.stream_format) == '"sse"'
  metadata:set(NAMESPACE, "model", model)
  metadata:set(NAMESPACE, "stream", stream)

  local entry = look_up(directory, caller, model)
  if not entry then return unknown_model(name) end
  if entry.kind ~= endpoint.kind and entry.kind ~= endpoint.also then return wrong_endpoint(name, path, entry.kind, endpoint.kind) end

  local goes_on = endpoint.stored and directory:get("i") ~= nil
  problem = overlong(s) or kept_there(s, endpoint, goes_on) or steered(s)
  if problem then return problem end
  local asked, pinned, kept
  if goes_on then
    problem, pinned, kept = previous_of(s, directory, entry, consumer, model, metadata)
    if problem then return problem end
  end
  if pinned then
    asked = pinned.route ~= entry.route and entry.route or nil
    entry = pinned
  elseif entry.ruled then
    asked = entry.route
    problem, entry = ruled(s, directory, entry, endpoint, path, h:headers(), metadata, classified)
    if problem then return problem end
    if entry.route == asked then asked = nil end
  end
  if endpoint.needs and not pinned then
    local met = entry.dialects[endpoint.part]
    if met == nil then met = entry.dialects[endpoint.needs] end
    -- What answers chat without other words and is not there for more has it in part.
    local in_part = endpoint.needs == "OpenAI" and entry.dialects.Chat and not entry.translated.Chat
    if met == false or not met and in_part then return missing_there(name, path) end
    if not met then return wrong_protocol(name, path, endpoint.needs, entry) end
    entry = met
  end
  edits, added, unasked = 0, "", false
  if pinned then replace_previous(kept) end
  if stream and endpoint.usage then
    problem = ask_for_usage(s)
    if problem then return problem end
    if unasked then metadata:set(NAMESPACE, "unasked", true) end
  end
  if entry.cap then
    problem = cap_output(s, endpoint.own, entry.cap, entry.most)
    if problem then return problem end
  end
  if endpoint.unit == "characters" then metadata:set(NAMESPACE, "spoken", count_spoken(s)) end
  local budgets, ask = nil, nil
  if directory:get("b") and endpoint.free then
    ask = "0 free" -- it costs nothing
    metadata:set(NAMESPACE, "ask", ask)
  elseif directory:get("b") then
    budgets = budgets_of(directory, consumer, entry.route) or asked and budgets_of(directory, consumer, asked)
    problem = budgets and priced_apart(s, endpoint)
    if problem then return problem end
    ask, problem = bounds(s, endpoint, budgets ~= nil)
    if problem then return problem end
    if pinned then ask = ask .. "+" end
    metadata:set(NAMESPACE, "ask", ask)
  end
  local body = rewrite(s, open, close, entry.wire)
  local bytes = body and #body or length
  if endpoint.worded and (entry.translated[endpoint.worded] or entry.converse[endpoint.worded]) then
    problem, entry = word(h, body or s, endpoint, entry, metadata)
    if problem then return problem end
  end
  -- In tokens: of text one is never less than a byte.
  local most = bytes + pictures * TOKENS.picture + (begins(BODY.slots.tools, 91) and TOKENS.tools or 0)
  if budgets then
    note_end(directory, consumer, entry.route, asked, metadata)
    problem = closing_of(consumer, entry.route, asked, model, most, ask, budgets.revision, metadata)
    if problem then return problem end
  end
  if ask then
    local led = asked and metadata:get(NAMESPACE).asked or ""
    local revision = budgets and budgets.revision
    note_check(h, metadata, directory, consumer, model, most, entry.route, ask, led, stream, revision)
  end
  if body then buffer:setBytes(body) end
  return nil, entry, bytes, body == nil
end

local identify

do -- a chunk of Lua has 200 locals at most

local NO_KEY = refusal("401", "invalid_api_key", "No valid API key was provided.")
local EXPIRED = refusal("401", "expired_api_key", "This API key has expired.")
local FOREIGN_PAGE = refusal("403", "origin_not_allowed", "Pages of this origin may not call this gateway without a key;"
  .. " the installation's `cors.allowOrigins` says whose may.")

-- Whether a page calls that nobody allowed, and not even with a key: any page can make a browser send that, to an address
-- that only its user can reach. Filters before note an origin that may call.
local function is_foreign_page(h, directory, consumer)
  if not h:headers():get("origin") or not directory:get("a:" .. consumer) then return false end
  local ours = h:streamInfo():dynamicMetadata():get(NAMESPACE)
  return not (ours and ours.origin)
end

-- What the key alone decides, before the body is read: the answer to give, or nil, the caller and its name.
function identify(h)
  local directory = directory_of(h)
  local consumer = h:headers():get("x-fl-consumer")
  if not consumer then return NO_KEY end
  if is_foreign_page(h, directory, consumer) then return FOREIGN_PAGE end
  h:streamInfo():dynamicMetadata():set(NAMESPACE, "consumer", consumer)
  local text = directory:get("c:" .. consumer)
  if not text then return NO_KEY end
  local caller = caller_of(text)
  if caller.expires <= now() then return EXPIRED end
  if directory:get("s:" .. consumer) then return stopped(consumer) end
  return nil, caller, consumer
end

end

-- Returns the answer to give, or nil after everything is set for the way to the provider; or, as `read`, a question.
local function decide(h, buffer, caller, consumer, classified)
  local headers = h:headers()
  local metadata = h:streamInfo():dynamicMetadata()
  local directory = directory_of(h)

  local url, method = headers:get(":path"), headers:get(":method")
  local path = url
  local endpoint = PATHS[path]
  if not endpoint then
    path = match(url, "^[^?]*")
    endpoint = PATHS[path]
  end
  if method ~= "POST" or not endpoint then
    return (method == "GET" or method == "HEAD") and answer_models(directory, caller, path, headers) or unknown_url(method, path)
  end

  local problem, encoded = not endpoint.form and check_type(headers) or nil, false
  if not problem then problem, encoded = check_encoding(headers) end
  if problem then return problem end
  local length = buffer:length()
  problem = encoded and check_decoded(metadata, length)
  if problem then return problem end
  local answer, entry, bytes, as_it_came = (endpoint.form and read_form or read)(h, buffer, endpoint, path, directory, caller, consumer, metadata, classified)
  if encoded and (answer == EMPTY or answer == MALFORMED) then -- Envoy drops what it cannot read
    return check_decoded(metadata, length, true)
  end
  if answer then return answer end
  -- The budget check reads the length here: a body in chunks has none yet, and a client may write one with many zeros.
  if as_it_came then headers:replace("content-length", format("%d", bytes)) end
  if endpoint.version and not headers:get("anthropic-version") then
    headers:replace("anthropic-version", endpoint.version)
  end
  metadata:set(NAMESPACE, "way", entry.way .. bytes .. " " .. path)
  if entry.ladders then
    for arm = 1, #entry.ladders do headers:replace(entry.headers[arm], entry.ladders[arm]) end
    if entry.arms then headers:replace("x-fl-arms", entry.arms) end
  end
  if directory:get("k") then headers:replace("x-fl-bucket", bucket_of(consumer)) end
  headers:replace("x-fl-route", entry.route)
  h:clearRouteCache()
  return nil
end

local give

do -- a chunk of Lua has 200 locals at most

-- Anthropic's SDK picks its exception by the shape and the type of an error.
local function speaks_anthropic(headers)
  return headers:get("anthropic-version") ~= nil or find(headers:get(":path"), "^/v1/messages") ~= nil
end

function give(h, ok, answer)
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

end

function envoy_on_request(h)
  local ok, answer, caller, consumer = pcall(identify, h)
  if not ok or answer then return give(h, ok, answer) end
  local rates = is_feedback(h)
  local buffer = h:body(true) -- yields; what is taken from h before it is out of scope after it
  if rates then
    local body
    ok, answer, body = pcall(feedback_in, h, buffer)
    if ok and not answer then answer = rate(h, consumer, body) end
    return give(h, ok, answer)
  end
  local large = buffer:length() > LARGE
  ok, answer = pcall(decide, h, buffer, caller, consumer)
  if ok and answer and answer.classifier then
    local known, classified = pcall(classify, h, answer, consumer) -- yields
    if not known then h:logErr("request.lua: " .. tostring(classified)) end
    ok, answer = pcall(decide, h, h:body(true), caller, consumer, known and classified or {})
  end
  if large then collectgarbage() end
  if not ok or answer then give(h, ok, answer) end
end
