-- Forms: bodies of multipart/form-data (RFC 7578), read as narrowly as bodies of JSON -------------------------------------
--
-- What two parsers could read in two ways is refused: a boundary anywhere but between two parts, other line ends than
-- CRLF, folded headers, names in escapes, a field that is read given twice, as a file or in another charset. Contents of
-- files are not looked at but for the boundary; what stays is copied by spans.

-- A function of their own: a chunk of Lua has 200 locals.
local read_form = (function()

local MOST_PARTS = 64
local MOST_HEADERS = 2048 -- bytes of the headers of a part
local LONGEST_FIELD = 1024 -- bytes of a field that is read
local BYTES_PER_TOKEN = 32 -- of audio, at least

local function bad(what) return refusal("400", "invalid_form", "The request body is no form that every server reads alike: "
  .. what .. ".") end

local NOT_A_FORM = "send multipart/form-data, with a boundary of 1 to 70 letters, digits, `'+_.-` and no other parameter"
local AT_BOUNDARY = bad("its boundary stands elsewhere than alone in a line of its own, which ends in CRLF")
local UNENDED = bad("a part has no end, or more than " .. MOST_HEADERS .. " bytes of headers")
local TOO_MANY = bad("it has more than " .. MOST_PARTS .. " parts")
local ODD_HEADER = bad("a part has a header that is folded, doubled, not known or not plain")
local UNNAMED = bad('a part has no plain `Content-Disposition: form-data; name="..."`, such as a name or a file\'s name with a'
  .. " quote, a backslash or a semicolon in it")

-- The boundary that the headers name, or nil.
local function boundary_of(headers)
  local given = headers:get("content-type") or ""
  local at = match(lower(given), "^%s*multipart/form%-data%s*;%s*boundary=()")
  local rest = at and sub(given, at)
  local boundary = rest and (match(rest, '^"([%w\'+_.%-]+)"%s*$') or match(rest, "^([%w'+_.%-]+)%s*$"))
  return boundary and #boundary <= 70 and boundary or nil
end

-- The name in a disposition and whether it has a file's name, or nil.
local function name_in(disposition)
  local rest = match(disposition, "^form%-data(;.*)$")
  local name, filed, starred = nil, false, false
  while rest and rest ~= "" do
    local key, at = match(rest, "^; ?([%w*]+)=()")
    local value, past
    if key == "filename*" then
      value, past = match(rest, "^([%w'%%%-_.~!#$&+^`|{}]+)()", at)
    elseif key then
      value, past = match(rest, '^"([^"\\;]*)"()', at)
      if not value then value, past = match(rest, "^([%w_.%-]+)()", at) end
    end
    if not value then return nil end
    if key == "name" and not name and value ~= "" then
      name = value
    elseif key == "filename" and not filed then
      filed = true
    elseif key == "filename*" and not starred then
      starred = true
    else
      return nil
    end
    rest = sub(rest, past)
  end
  return name, filed or starred
end

local ENCODINGS = { binary = true, ["8bit"] = true, ["7bit"] = true }

-- What the headers of a part say: its name, whether it is a file and its type; or nil and the refusal. `length` is the
-- content's.
local function described(lines, length)
  local seen = {}
  for line in gmatch(lines, "(.-)\r\n") do
    local name, value = match(line, "^([%w%-]+): ?(.*)$")
    name = name and lower(name)
    if not name or seen[name] or find(line, "%c") then return nil, ODD_HEADER end
    seen[name] = value
    if name == "content-length" then
      if value ~= format("%.0f", length) then return nil, ODD_HEADER end
    elseif name == "content-transfer-encoding" then
      if not ENCODINGS[lower(value)] then return nil, ODD_HEADER end
    elseif name ~= "content-disposition" and name ~= "content-type" then
      return nil, ODD_HEADER
    end
  end
  local name, is_file = name_in(seen["content-disposition"] or "")
  if not name then return nil, UNNAMED end
  return name, nil, is_file, seen["content-type"]
end

local PLAIN = { ["text/plain"] = true, ["text/plain; charset=utf-8"] = true, ["text/plain;charset=utf-8"] = true }

local AUDIO = { file = true, url = true } -- fields of audio: the second one is Groq's

-- Notes where the fields stand that are read. Returns the length of all files, their number, where the model's part
-- begins and ends, and the field, if any, that stands for audio which is no file here; or nil and the refusal.
local function scan_form(s, boundary)
  local mark = "--" .. boundary
  for slot = BODY.first, BODY.last do key_at[slot] = 0 end
  unclear = nil
  local at, parts, bytes, files, model_at, model_end, elsewhere = 1, 0, 0, 0, nil, nil, nil
  if sub(s, 1, #mark) ~= mark then return nil, AT_BOUNDARY end
  while true do
    local head = at + #mark + 2
    local ended = sub(s, head - 2, head - 1)
    if ended == "--" then
      local rest = sub(s, head, head + 2)
      if rest ~= "" and rest ~= "\r\n" then return nil, AT_BOUNDARY end
      return bytes, files, model_at, model_end, elsewhere
    end
    if ended ~= "\r\n" then return nil, AT_BOUNDARY end
    parts = parts + 1
    if parts > MOST_PARTS then return nil, TOO_MANY end
    local next_at = find(s, mark, head, true)
    local _, blank = find(s, "\r\n\r\n", head, true)
    local from = blank and blank + 1
    if not next_at or not from or from > next_at - 2 or from - head > MOST_HEADERS then return nil, UNENDED end
    if sub(s, next_at - 2, next_at - 1) ~= "\r\n" then return nil, AT_BOUNDARY end
    local length = next_at - 2 - from
    local name, problem, is_file, kind = described(sub(s, head, from - 3), length)
    if not name then return nil, problem end
    if lower(name) == "_charset_" then return nil, bad("it has a field `_charset_`, and is read in UTF-8") end
    local slot
    slot, problem = slot_of(name, BODY)
    problem = problem or unclear
    if problem then return nil, problem end
    if slot then
      if key_at[slot] ~= 0 then return nil, doubled(name) end
      if is_file or kind and not PLAIN[lower(kind)] or slot <= LAST_COUNT and length > LONGEST_FIELD then
        return nil, bad("the field `" .. name .. "` is a file, too long, or no text in UTF-8")
      end
      key_at[slot], comma_at[slot], value_at[slot], value_end[slot] = head, 0, from, next_at - 2
      if slot == MODEL then model_at, model_end = at, next_at end
    end
    if is_file then bytes, files = bytes + length, files + 1 end
    if not is_file and AUDIO[lower(name)] then elsewhere = name end
    at = next_at
  end
end

local FIRST_PRICED, LAST_PRICED = BODY.slots.service_tier, BODY.slots.tools -- what costs by another price (`names.lua`)

-- What is asked for, as words of a check: seconds are told by the bytes of a body, and what files can have of tokens.
local function asked_for(s, endpoint, judged, bytes, files, elsewhere)
  local answers, none = number_of(s, FIRST_COUNT)
  if none and judged then return nil, bad_count(NAMES[FIRST_COUNT]) end
  answers = answers or 1
  local text = #s - bytes
  if endpoint.unit == "images" then return format("i%.0f.%.0f %.0f", answers, text + files * TOKENS.picture, answers) end
  if judged and (elsewhere or bytes == 0) then return nil, uncountable(elsewhere or "file", "a file of the form") end
  return format("s%.0f.%.0f 1", bytes, text + math.ceil(bytes / BYTES_PER_TOKEN))
end

-- As `read` of decide.lua.
return function(h, buffer, endpoint, path, directory, caller, consumer, metadata)
  local headers = h:headers()
  local boundary = boundary_of(headers)
  if not boundary then
    return refusal("415", "unsupported_media_type", "The content type `" .. sub(headers:get("content-type") or "", 1,
      LONGEST_SHOWN) .. "` is not read at " .. path .. "; " .. NOT_A_FORM .. ".")
  end
  local length = buffer:length()
  if length == 0 then return bad("it is empty") end
  local s = buffer:getBytes(0, length)
  start_scan(s)
  local bytes, files, model_at, model_end, elsewhere = scan_form(s, boundary)
  if not bytes then return files end
  local name = value_of(s, MODEL)
  if not name then return NO_MODEL end
  if #name == 0 or #name > MODEL_LENGTH then return BAD_MODEL end
  if find(name, "%c") then return odd_model(format("U+%04X", byte(match(name, "%c")))) end
  if find(quote(name), "\\u00[89a-f]") then return BAD_MODEL end -- no UTF-8
  local model = word_of(name)
  local streams = value_of(s, STREAM)
  if streams and streams ~= "true" and streams ~= "false" then return BAD_STREAM end
  metadata:set(NAMESPACE, "model", model)
  metadata:set(NAMESPACE, "stream", streams == "true")
  local entry = look_up(directory, caller, model)
  if not entry then return unknown_model(name) end
  if entry.kind ~= endpoint.kind and entry.kind ~= endpoint.also then
    return wrong_endpoint(name, path, entry.kind, endpoint.kind)
  end
  local problem = overlong(s) or kept_there(s, endpoint) or steered(s)
  if problem then return problem end
  local budgets, ask
  if directory:get("b") then
    budgets = budgets_of(directory, consumer, entry.route)
    for slot = budgets and FIRST_PRICED or LAST_PRICED + 1, LAST_PRICED do
      if key_at[slot] ~= 0 then return unpriced(NAMES[slot]) end
    end
    ask, problem = asked_for(s, endpoint, budgets ~= nil, bytes, files, elsewhere)
    if problem then return problem end
    metadata:set(NAMESPACE, "ask", ask)
  end
  local first = "--" .. boundary .. '\r\nContent-Disposition: form-data; name="model"\r\n\r\n'
    .. name_of(match(entry.way, "^(%S+)")) .. "\r\n"
  local body
  if model_at ~= 1 or sub(s, 1, model_end - 1) ~= first then
    body = concat({ first, sub(s, 1, model_at - 1), sub(s, model_end) })
  end
  if budgets then
    note_end(directory, consumer, entry.route, nil, metadata)
    problem = closing_of(consumer, entry.route, nil, model, body and #body or length, ask, budgets.revision, metadata)
    if problem then return problem end
  end
  if ask then
    local bytes_out = body and #body or length
    note_check(h, metadata, directory, consumer, model, bytes_out, entry.route, ask, "", streams == "true")
  end
  headers:replace("content-type", "multipart/form-data; boundary=" .. boundary)
  if body then buffer:setBytes(body) end
  return nil, entry, body and #body or length, body == nil
end

end)()
