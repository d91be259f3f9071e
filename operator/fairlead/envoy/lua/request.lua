-- Fairlead's request filter: which model, for whom, which route. Its contract stands in envoy/request_filter.py.
--
-- Three rules shape it. A request that this filter does not understand is never forwarded: every way out is either a
-- decision or an answer, and an error in Lua answers 500 (Envoy by itself would let the request go on). The body keeps
-- its bytes, except for the values named in the contract. And it runs on every request: state that is needed only
-- between two yields lives in the tables below and makes no garbage, what the directory says is taken apart once and
-- kept by content.

local byte, char, find, format, gmatch = string.byte, string.char, string.find, string.format, string.gmatch
local gsub, lower, match, sub, upper = string.gsub, string.lower, string.match, string.sub, string.upper
local concat, sort = table.concat, table.sort
local now = os.time

local NAMESPACE = "fairlead"
local CHAT, EMBEDDING = "Chat", "Embedding"
local MODEL_GRAMMAR = '^"([%w._:/@+-]+)"$'
local MODEL_LENGTH = 256
local KEPT = 4096 -- entries of a cache, then it starts anew
local LARGE = 1048576 -- bytes; the garbage of a larger body is collected at once: three copies of it

-- The members that are read of an object, numbered from `first` on: each has a slot in the tables of a scan. `starts`
-- are the bytes that such a key, or one in its disguise, can begin with; most keys of a request begin with others.
local function readable(first, names)
  local reading = { slots = {}, starts = { [92] = true, [197] = true, [226] = true }, first = first, last = first - 1 }
  for _, name in ipairs(names) do
    reading.last = reading.last + 1
    reading.slots[name] = reading.last
    reading.starts[byte(name)] = true
    reading.starts[byte(upper(name))] = true
  end
  return reading
end

local MODEL, STREAM, STREAM_OPTIONS, FIRST_LIMIT, LAST_LIMIT, N, BEST_OF, PROMPT = 1, 2, 3, 4, 7, 8, 9, 10
local MEMBERS = {
  "model", "stream", "stream_options", "max_tokens", "max_completion_tokens", "max_output_tokens", "n_predict",
  "n", "best_of", "prompt",
}
local BODY = readable(MODEL, MEMBERS)
local INCLUDE_USAGE = PROMPT + 1
local OPTIONS = readable(INCLUDE_USAGE, { "include_usage" })
local LONGEST_ESCAPED = 6 * #"max_completion_tokens"

local USAGE = '{"include_usage":true}'

-- What may be asked. `own` are the members by which an endpoint limits its output; where none of them is given, the
-- first is added. `usage`: streams tell their usage only when asked to.
local PATHS = {
  ["/v1/chat/completions"] = { kind = CHAT, usage = true, own = { "max_completion_tokens", "max_tokens" } },
  ["/v1/completions"] = { kind = CHAT, usage = true, own = { "max_tokens" } },
  ["/v1/responses"] = { kind = CHAT, own = { "max_output_tokens" } },
  ["/v1/messages"] = { kind = CHAT, own = { "max_tokens" } },
  ["/v1/embeddings"] = { kind = EMBEDDING, own = {} },
}
local MODELS_PATH = "/v1/models"

-- Answers -----------------------------------------------------------------------------------------------------------

local JSON_ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\" }
local function escape(c) return JSON_ESCAPES[c] or format("\\u%04x", byte(c)) end
local function quote(text) return '"' .. gsub(text, '[%c"\\\127-\255]', escape) .. '"' end

local function refusal(status, code, message, param)
  return {
    status = status,
    code = code,
    body = '{"error":{"message":' .. quote(message) .. ',"type":"invalid_request_error","param":'
      .. (param and quote(param) or "null") .. ',"code":"' .. code .. '"}}',
  }
end

local NO_KEY = refusal("401", "invalid_api_key", "No valid API key was provided.")
local EXPIRED = refusal("401", "expired_api_key", "This API key has expired.")
local EMPTY = refusal("400", "invalid_json", "The request body is empty; a JSON object is wanted.")
local MALFORMED = refusal("400", "invalid_json", "The request body is not a valid JSON object.")
local NO_MODEL = refusal("400", "missing_model", "You must provide a model parameter.", "model")
local BAD_MODEL = refusal("400", "invalid_model",
  "The model parameter is not a model name: up to 256 letters, digits and . _ : / @ + - are wanted.", "model")
local BAD_STREAM = refusal("400", "invalid_stream", "The stream parameter must be a boolean.", "stream")
local BAD_OPTIONS = refusal("400", "invalid_stream_options",
  "The stream_options parameter must be an object whose include_usage is a boolean.", "stream_options")
local BROKEN = {
  status = "500",
  code = "internal_error",
  body = '{"error":{"message":"The gateway failed to read this request.","type":"server_error","param":null,'
    .. '"code":"internal_error"}}',
}

local function doubled(name)
  return refusal("400", "invalid_json", "The request body has the key " .. name .. " more than once.", name)
end

local function disguised(name)
  return refusal("400", "invalid_json",
    "The request body has a key that some servers read as " .. name .. "; spell it plainly.", name)
end

local function bad_limit(name)
  return refusal("400", "invalid_max_tokens",
    "The " .. name .. " parameter must be an integer that is not negative: output of this model is limited.", name)
end

local function bad_count(name)
  return refusal("400", "invalid_n", "The " .. name .. " parameter must be an integer that is not negative.", name)
end

local function unknown_model(model)
  return refusal("404", "model_not_found",
    "The model `" .. model .. "` does not exist or you do not have access to it.")
end

local function wrong_endpoint(model, path, kind)
  return refusal("404", "unsupported_endpoint", "The model `" .. model .. "` is "
    .. (kind == EMBEDDING and "an embedding model" or "not an embedding model") .. " and is not supported at " .. path
    .. ".", "model")
end

local function unknown_url(method, path)
  return refusal("404", "unknown_url", "Unknown request URL: " .. method .. " " .. sub(path, 1, 512)
    .. ". Please check the URL for typos.")
end

local function json(body) return { status = "200", body = body } end

-- The scan: one pass over the top level of a JSON object ------------------------------------------------------------
-- Byte by byte and with plain searches only, so that LuaJIT compiles it; values are skipped, not checked: what is wrong
-- inside them stays wrong and is the provider's to refuse.

-- Where the member of each slot stands: its key's opening quote (0 = it is not there), the comma before it (0 = it is
-- the first), its value's first byte and the first byte after its value.
local key_at, comma_at, value_at, value_end = {}, {}, {}, {}

local function skip_space(s, i)
  local c = byte(s, i)
  while c == 32 or c == 10 or c == 13 or c == 9 do
    i = i + 1
    c = byte(s, i)
  end
  return i
end

-- The position after the string whose opening quote stands at i, or nil.
local function skip_string(s, i)
  local quote_at = find(s, '"', i + 1, true)
  while quote_at do
    local b = quote_at - 1
    while byte(s, b) == 92 do b = b - 1 end
    if (quote_at - b) % 2 == 1 then return quote_at + 1 end
    quote_at = find(s, '"', quote_at + 1, true)
  end
  return nil
end

-- The position after the object or array that starts at i, or nil.
local function skip_container(s, i)
  local depth = 0
  while true do
    local c = byte(s, i)
    if c == 34 then
      i = skip_string(s, i)
      if not i then return nil end
    else
      if c == 123 or c == 91 then
        depth = depth + 1
      elseif c == 125 or c == 93 then
        depth = depth - 1
        if depth == 0 then return i + 1 end
      elseif not c then
        return nil
      end
      i = i + 1
    end
  end
end

-- The position after the number, true, false or null that starts at i, or nil.
local function skip_literal(s, i)
  local start = i
  local c = byte(s, i)
  while c and (c >= 97 and c <= 122 or c >= 48 and c <= 57 or c == 45 or c == 46 or c == 43 or c >= 65 and c <= 90) do
    i = i + 1
    c = byte(s, i)
  end
  return i > start and i or nil
end

local function skip_value(s, i)
  local c = byte(s, i)
  if c == 34 then return skip_string(s, i) end
  if c == 123 or c == 91 then return skip_container(s, i) end
  return skip_literal(s, i)
end

local function unescape(digits)
  if digits == "017f" or digits == "017F" then return "s" end
  if lower(digits) == "212a" then return "k" end
  local code = tonumber(digits, 16)
  return code < 128 and char(code) or "?"
end

-- The name of a member that is read, if a lenient server would take this other key for it: by escapes, or by folding
-- case as Go does (there the long s and the Kelvin sign are letters too). Two readers that disagree on which model is
-- asked for, or on a limit, are a way around both.
local function disguise(key, slots)
  if #key > LONGEST_ESCAPED then return nil end
  if find(key, "[\\\128-\255]") then
    key = gsub(key, "\\u(%x%x%x%x)", unescape)
    key = gsub(gsub(key, "\197\191", "s"), "\226\132\170", "k")
  elseif not find(key, "%u") then
    return nil
  end
  local plain = lower(key)
  return slots[plain] and plain
end

-- Notes where the members to read stand in the object at i. Returns the position after the object, or nil and the
-- refusal.
local function scan(s, i, reading)
  local slots, starts = reading.slots, reading.starts
  for slot = reading.first, reading.last do key_at[slot] = 0 end
  if byte(s, i) ~= 123 then return nil, MALFORMED end
  i = skip_space(s, i + 1)
  if byte(s, i) == 125 then return i + 1 end
  local comma = 0
  while byte(s, i) == 34 do
    local key_start = i
    local key_end = skip_string(s, i)
    if not key_end then return nil, MALFORMED end
    i = skip_space(s, key_end)
    if byte(s, i) ~= 58 then return nil, MALFORMED end
    local value = skip_space(s, i + 1)
    i = skip_value(s, value)
    if not i then return nil, MALFORMED end
    if starts[byte(s, key_start + 1)] then
      local key = sub(s, key_start + 1, key_end - 2)
      local slot = slots[key]
      if slot then
        if key_at[slot] ~= 0 then return nil, doubled(key) end
        key_at[slot], comma_at[slot], value_at[slot], value_end[slot] = key_start, comma, value, i
      else
        local name = disguise(key, slots)
        if name then return nil, disguised(name) end
      end
    end
    i = skip_space(s, i)
    local c = byte(s, i)
    if c == 125 then return i + 1 end
    if c ~= 44 then return nil, MALFORMED end
    comma = i
    i = skip_space(s, i + 1)
  end
  return nil, MALFORMED
end

-- The text of a slot's value, nil when the member is absent.
local function value_of(s, slot)
  if key_at[slot] == 0 then return nil end
  return sub(s, value_at[slot], value_end[slot] - 1)
end

-- Edits of the body, in the order of their places -------------------------------------------------------------------

local edits = 0
local edit_from, edit_to, edit_text = {}, {}, {}
local added = "" -- members that come right after the model

local function replace(from, to, text)
  local n = edits
  while n > 0 and edit_from[n] > from do
    edit_from[n + 1], edit_to[n + 1], edit_text[n + 1] = edit_from[n], edit_to[n], edit_text[n]
    n = n - 1
  end
  edit_from[n + 1], edit_to[n + 1], edit_text[n + 1] = from, to, text
  edits = edits + 1
end

local pieces = {}

-- The object from `open` to before `close` with `model` in front, its edits done, without space around it. Nil when
-- that is the very text that came.
local function rewrite(s, open, close, model)
  local first = comma_at[MODEL] == 0
  if first and edits == 0 and added == "" and close > #s
    and find(s, '{"model":"' .. model .. '"', 1, true) == 1 and value_end[MODEL] == #model + 12 then
    return nil
  end
  replace(first and open + 1 or comma_at[MODEL], value_end[MODEL], "")
  pieces[1] = '{"model":"' .. model .. '"' .. added .. (first and "" or ",")
  local n, from = 1, open + 1
  for edit = 1, edits do
    pieces[n + 1] = sub(s, from, edit_from[edit] - 1)
    pieces[n + 2] = edit_text[edit]
    n, from = n + 2, edit_to[edit]
  end
  pieces[n + 1] = sub(s, from, close - 1)
  local text = concat(pieces, "", 1, n + 1)
  for piece = 1, n + 1 do pieces[piece] = nil end -- they can be megabytes
  return text
end

-- Streams report their usage: asks for it, and leaves the client's other options as they are.
local function ask_for_usage(s)
  local options = value_of(s, STREAM_OPTIONS)
  if options == USAGE then return nil end
  if not options then
    added = added .. ',"stream_options":' .. USAGE
    return nil
  end
  local from = value_at[STREAM_OPTIONS]
  if options == "null" then
    replace(from, value_end[STREAM_OPTIONS], USAGE)
    return nil
  end
  if byte(options, 1) ~= 123 then return BAD_OPTIONS end
  local done, problem = scan(s, from, OPTIONS)
  if not done then return problem end
  local asked = value_of(s, INCLUDE_USAGE)
  if not asked then
    local empty = byte(s, skip_space(s, from + 1)) == 125
    replace(from + 1, from + 1, empty and '"include_usage":true' or '"include_usage":true,')
  elseif asked == "false" or asked == "null" then
    replace(value_at[INCLUDE_USAGE], value_end[INCLUDE_USAGE], "true")
  elseif asked ~= "true" then
    return BAD_OPTIONS
  end
  return nil
end

local function is_integer(text) return find(text, "^%d+$") and not find(text, "^0.") end

-- No member that limits the output says more than `cap` (a number: `most`), and at least one of the endpoint's own is
-- there. The others are capped too, since some servers listen to them at every endpoint.
local function cap_output(s, own, cap, most)
  for slot = FIRST_LIMIT, LAST_LIMIT do
    local given = value_of(s, slot)
    if given and given ~= "null" then
      if not is_integer(given) then return bad_limit(MEMBERS[slot]) end
      if tonumber(given) > most then replace(value_at[slot], value_end[slot], cap) end
    end
  end
  for _, name in ipairs(own) do
    local given = value_of(s, BODY.slots[name])
    if given and given ~= "null" then return nil end
  end
  local name = own[1]
  if not name then return nil end
  local slot = BODY.slots[name]
  if key_at[slot] ~= 0 then
    replace(value_at[slot], value_end[slot], cap)
  else
    added = added .. ',"' .. name .. '":' .. cap
  end
  return nil
end

-- How many prompts a request of /v1/completions brings: each is answered. A list of numbers is one prompt.
local function count_prompts(s)
  if key_at[PROMPT] == 0 or byte(s, value_at[PROMPT]) ~= 91 then return 1 end
  local prompts, i = 0, skip_space(s, value_at[PROMPT] + 1)
  while i and i < value_end[PROMPT] do
    local c = byte(s, i)
    if c == 34 or c == 91 then prompts = prompts + 1 end
    i = skip_value(s, i)
    i = i and skip_space(s, skip_space(s, i) + 1)
  end
  return prompts > 1 and prompts or 1
end

-- What bounds the cost of a request, for the budget check: `<largest limit on its output> <number of answers>`, `-`
-- where none is given. Nil and the refusal for what some servers would read as a number and others not.
local function bounds(s)
  local limit, most = "-", -1
  for slot = FIRST_LIMIT, LAST_LIMIT do
    local given = value_of(s, slot)
    if given and given ~= "null" then
      if not is_integer(given) then return nil, bad_limit(MEMBERS[slot]) end
      if tonumber(given) > most then limit, most = given, tonumber(given) end
    end
  end
  local answers = 1
  for slot = N, BEST_OF do
    local given = value_of(s, slot)
    if given and given ~= "null" then
      if not is_integer(given) then return nil, bad_count(MEMBERS[slot]) end
      if tonumber(given) > answers then answers = tonumber(given) end
    end
  end
  return limit .. " " .. format("%.0f", answers * count_prompts(s))
end

-- The directory -----------------------------------------------------------------------------------------------------

-- Keeps what `parse` makes of a text, by the text: a new configuration brings new texts, so nothing goes stale.
local function kept(parse)
  local results, count = {}, 0
  return function(text)
    local result = results[text]
    if not result then
      if count >= KEPT then results, count = {}, 0 end
      result = parse(text)
      results[text], count = result, count + 1
    end
    return result
  end
end

local function given(field) return field ~= "-" and field or nil end

-- <expires at> <allowed names> <scopes>
local caller_of = kept(function(text)
  local expires, allowed, scopes = match(text, "^(%S+) (%S+) (.*)$")
  local caller = { expires = tonumber(given(expires)) or math.huge, names = {}, lists = {} }
  for scope in gmatch(scopes, "[^|]+") do
    caller.names[#caller.names + 1] = "n:" .. scope .. "|"
    caller.lists[#caller.lists + 1] = "l:" .. scope
  end
  if given(allowed) then
    caller.exact, caller.prefixes = {}, {}
    for name in gmatch(allowed, "[^,]+") do
      if sub(name, -1) == "*" then
        caller.prefixes[#caller.prefixes + 1] = sub(name, 1, -2)
      else
        caller.exact[name] = true
      end
    end
  end
  return caller
end)

-- <route> <kind> <max output tokens> <wire id> <last wire id> <last target> [<shape> <stem>]
local entry_of = kept(function(text)
  local field = {}
  for word in gmatch(text, "%S+") do field[#field + 1] = word end
  local entry = {
    route = field[1], kind = field[2], cap = given(field[3]), wire = field[4],
    way = field[4] .. " " .. field[5] .. " " .. field[6] .. " ",
  }
  entry.most = tonumber(entry.cap)
  local shape, stem = field[7], field[8]
  if shape then
    entry.arms = find(shape, "-", 1, true) and shape
    entry.headers, entry.ladders = {}, {}
    for _ in gmatch(shape, "%d+") do
      local arm = #entry.headers
      entry.headers[arm + 1], entry.ladders[arm + 1] = "x-fl-l" .. arm, stem .. "/" .. arm
    end
  end
  return entry
end)

local names_of = kept(function(text)
  local names = {}
  for name in gmatch(text, "%S+") do names[#names + 1] = name end
  return names
end)

local function allows(caller, model)
  if not caller.exact or caller.exact[model] then return true end
  for _, prefix in ipairs(caller.prefixes) do
    if sub(model, 1, #prefix) == prefix then return true end
  end
  return false
end

-- The entry that answers a name for a caller, or nil. The first scope that has the name decides, also by refusing it.
local function look_up(directory, caller, model)
  if not allows(caller, model) then return nil end
  local scopes = caller.names
  for scope = 1, #scopes do
    local text = directory:get(scopes[scope] .. model)
    if text then return text ~= "-" and entry_of(text) or nil end
  end
  return nil
end

-- GET /v1/models ----------------------------------------------------------------------------------------------------

local function model_object(name)
  return '{"id":"' .. name .. '","object":"model","created":0,"owned_by":"fairlead"}'
end

local function list_models(directory, caller)
  local seen, usable = {}, {}
  for _, list in ipairs(caller.lists) do
    for _, name in ipairs(names_of(directory:get(list) or "")) do
      local refused = byte(name) == 33
      if refused then name = sub(name, 2) end
      if not seen[name] then
        seen[name] = true
        if not refused and allows(caller, name) then usable[#usable + 1] = name end
      end
    end
  end
  sort(usable)
  for n, name in ipairs(usable) do usable[n] = model_object(name) end
  return json('{"object":"list","data":[' .. concat(usable, ",") .. "]}")
end

local function decode_url(text)
  return (gsub(text, "%%(%x%x)", function(digits) return char(tonumber(digits, 16)) end))
end

-- The answer to GET on a path below /v1/models, or nil when there is no such path.
local function answer_models(directory, caller, path)
  if path == MODELS_PATH then return list_models(directory, caller) end
  local id = decode_url(match(path, "^/v1/models/(.+)$") or "")
  if id == "" then return nil end
  if find(id, "\0", 1, true) or not look_up(directory, caller, id) then return unknown_model(sub(id, 1, MODEL_LENGTH)) end
  return json(model_object(id))
end

-- The decision ------------------------------------------------------------------------------------------------------

-- Reads the body, writes it anew for the entry it finds, and returns nil, the entry and the body's bytes, or the answer.
local function read(h, buffer, endpoint, path, directory, caller, metadata)
  local length = buffer:length()
  if length == 0 then return EMPTY end
  local s = buffer:getBytes(0, length)
  local open = skip_space(s, 1)
  local close, problem = scan(s, open, BODY)
  if not close then return problem end
  if skip_space(s, close) <= length then return MALFORMED end

  local text = value_of(s, MODEL)
  if not text then return NO_MODEL end
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

  edits, added = 0, ""
  if stream and endpoint.usage then
    problem = ask_for_usage(s)
    if problem then return problem end
  end
  if entry.cap then
    problem = cap_output(s, endpoint.own, entry.cap, entry.most)
    if problem then return problem end
  end
  if directory:get("b") then
    local ask
    ask, problem = bounds(s)
    if problem then return problem end
    metadata:set(NAMESPACE, "ask", ask)
  end
  local body = rewrite(s, open, close, entry.wire)
  if body then buffer:setBytes(body) end
  return nil, entry, body and #body or length
end

-- Returns the answer to give, or nil after everything is set for the way to the provider.
local function decide(h, buffer)
  local headers = h:headers()
  local metadata = h:streamInfo():dynamicMetadata()
  local directory = h:metadata()

  local consumer = headers:get("x-fl-consumer")
  if not consumer then return NO_KEY end
  metadata:set(NAMESPACE, "consumer", consumer)
  local text = directory:get("c:" .. consumer)
  if not text then return NO_KEY end
  local caller = caller_of(text)
  if caller.expires <= now() then return EXPIRED end

  local url, method = headers:get(":path"), headers:get(":method")
  local path = url
  local endpoint = PATHS[path]
  if not endpoint then
    path = match(url, "^[^?]*")
    endpoint = PATHS[path]
  end
  if method ~= "POST" or not endpoint then
    return method == "GET" and answer_models(directory, caller, path) or unknown_url(method, path)
  end

  local answer, entry, bytes = read(h, buffer, endpoint, path, directory, caller, metadata)
  if answer then return answer end
  metadata:set(NAMESPACE, "way", entry.way .. bytes .. " " .. url)
  if entry.ladders then
    for arm = 1, #entry.ladders do headers:replace(entry.headers[arm], entry.ladders[arm]) end
    if entry.arms then headers:replace("x-fl-arms", entry.arms) end
  end
  headers:replace("x-fl-route", entry.route)
  h:clearRouteCache()
  return nil
end

function envoy_on_request(h)
  local buffer = h:body(true) -- yields; what is taken from h before it would be out of scope after it
  local large = buffer:length() > LARGE
  local ok, answer = pcall(decide, h, buffer)
  if large then collectgarbage() end
  if ok and not answer then return end
  if not ok then
    h:logErr("request.lua: " .. tostring(answer))
    answer = BROKEN
  end
  if answer.code then h:streamInfo():dynamicMetadata():set(NAMESPACE, "error", answer.code) end
  h:respond({ [":status"] = answer.status, ["content-type"] = "application/json" }, answer.body)
end
