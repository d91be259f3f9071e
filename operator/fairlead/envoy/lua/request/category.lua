-- Categories: what a classifier says of the last text of the user -----------------------------------------------------
-- Other requests run while one is asked: what a question needs is copied before, and the body is read anew after.

local MOST_TEXT = 8192 -- bytes that are sent
local MOST_ANSWER = 65536 -- bytes of an answer that is read
local LONGEST_SAID = 256 -- bytes of it that a first word is looked for in
local OUTPUT = 16 -- tokens that a model's answer may have
local FAILURES, OPEN_FOR = 5, 30 -- in a row; seconds for which nobody is asked then
local SPENT_FOR = 10 -- seconds for which a caller whose budget had no room for a question is not asked about
local MOST_REMEMBERED = 262144 -- bytes of texts, in each of two generations
local ROUTES, SERVICES = "!classifier", "!classifier-service" -- the clusters by which they are asked
local QUESTIONS_PATH = "/v1/chat/completions"
local NO_CATEGORY = "none"

local ANSWER = readable(BODY.last + 160, { "category", "confidence" })
local COMPLETION = readable(ANSWER.last + 1, { "choices" })
local CHOICE = readable(COMPLETION.last + 1, { "message" })
local SAID = readable(CHOICE.last + 1, { "content" })

-- The text: what the parts of the last message say, up to a bound --------------------------------------------------

local spelled, length, full = ffi.new("uint8_t[?]", MOST_TEXT), 0, false

local function room_for(bytes)
  full = full or length + bytes > MOST_TEXT
  return not full
end

local function spell_code(code)
  local text = utf8_of(code >= 0xd800 and code < 0xe000 and 0xfffd or code) -- half of a pair is no character
  if not room_for(#text) then return end
  for i = 1, #text do spelled[length + i - 1] = byte(text, i) end
  length = length + #text
end

local function spell(from, to)
  local text, i, last = p, from + 1, to - 2
  if length > 0 then spell_code(10) end
  while i <= last and not full do
    local c = text[i]
    if c == 92 then
      local code
      code, i = escape_at(text, i)
      spell_code(code)
    else
      local bytes = c < 0x80 and 1 or c < 0xe0 and 2 or c < 0xf0 and 3 or 4
      if room_for(bytes) then ffi.copy(spelled + length, text + i, bytes) length = length + bytes end
      i = i + bytes
    end
  end
end

-- The text of a prompt that `walk` found, or nil and the refusal.
local function text_of(s, prompt)
  length, full = 0, false
  local problem = prompt.first and each_text(s, prompt.first, prompt.last, spell)
  if problem then return nil, problem end
  return ffi.string(spelled, length)
end

-- The answer, which is not believed ------------------------------------------------------------------------------------

-- The first word of a text in lower case, without what surrounds it; nil where there is none.
local function first_word(text)
  text = gsub(sub(text, 1, LONGEST_SAID), "\226\128[\128-\191]", " ") -- quotes, dashes and blanks of other scripts
  text = gsub(gsub(text, "\227\128[\128-\191]", " "), "\194[\160-\191]", " ")
  local word = match(text, "[%w\128-\255][%w_\128-\255-]*")
  return word and lower(match(word, "^(.-)[_-]*$"))
end

-- What the string or null of a slot says; nil where it is neither.
local function said_in(s, slot)
  local text = value_of(s, slot)
  if text == "null" then return "" end
  return text and byte(text) == 34 and unescaped(sub(text, 2, -2)) or nil
end

-- Notes the members of the one object that a text is. Whether it is one.
local function is_object(s, reading)
  start_scan(s)
  local close = scan(s, skip_space(1), reading)
  return close and skip_space(close) > #s
end

-- What a service says: `{"category": "code", "confidence": 0.9}`, where nobody needs the second. Nil: nothing to read.
local function said_by_service(s)
  if not is_object(s, ANSWER) then return nil end
  local given = value_of(s, ANSWER.slots.confidence)
  local sure = given and tonumber(given)
  if given and given ~= "null" and not (sure and sure >= 0 and sure <= 1) then return nil end
  return said_in(s, ANSWER.slots.category)
end

-- What a model says: the content of the first choice.
local function said_by_model(s)
  local choices, message = COMPLETION.slots.choices, CHOICE.slots.message
  if not is_object(s, COMPLETION) or not begins(choices, 91) then return nil end
  local first = skip_space(value_at[choices] + 1)
  if p[first] ~= 123 or not look(s, first, CHOICE) or not begins(message, 123) then return nil end
  return look(s, value_at[message], SAID) and said_in(s, SAID.slots.content) or nil
end

-- A classifier: as the directory has it, and what this worker knows of it -----------------------------------------------

local classifiers = 0

-- <cluster> <route> <timeout, ms> <remembered, s> <path> <category>,<category>... <prompt, as JSON>
local classifier_of = kept(function(text)
  local cluster, route, timeout, remembered, path, list, prompt =
    match(text, "^(%S+) (%S+) (%d+) (%d+) (%S+) (%S+) (.*)$")
  classifiers = classifiers + 1
  local classifier = {
    id = classifiers .. " ", cluster = cluster, route = route ~= "-" and route or nil, timeout = tonumber(timeout),
    remembered = tonumber(remembered), path = path, categories = {}, prompt = prompt,
    failures = 0, -- in a row
    closed = 0, -- until when nobody is asked
    trying = 0, -- until when one that is asked after that is waited for
  }
  for name in gmatch(list, "[^,]+") do classifier.categories[name] = true end
  return classifier
end)

-- Whether its breaker lets a question pass: after each pause one at a time.
local function may_ask(classifier, moment)
  if classifier.failures < FAILURES then return true end
  if classifier.closed > moment or classifier.trying > moment then return false end
  classifier.trying = moment + 2 + classifier.timeout / 1000
  return true
end

local function note_failure(classifier)
  classifier.failures, classifier.trying = classifier.failures + 1, 0
  if classifier.failures >= FAILURES then classifier.closed = now() + OPEN_FOR end
end

-- Answers by classifier and text, which is compared as a whole: half of the room begins anew when the other is full.
local young, old, bytes = {}, {}, 0

local function remember(classifier, text, category)
  if classifier.remembered == 0 then return end
  local key = classifier.id .. text
  if bytes + #key > MOST_REMEMBERED then young, old, bytes = {}, young, 0 end
  if not young[key] then bytes = bytes + #key end
  young[key] = { category = category, ends = now() + classifier.remembered }
end

local function remembered(classifier, text)
  if classifier.remembered == 0 then return nil end
  local key = classifier.id .. text
  local known = young[key] or old[key]
  return known and known.ends > now() and known or nil
end

local spent, spenders = {}, 0 -- consumers, asked and asking routes whose budgets had no room, until when

local function note_spent(who)
  if spenders >= KEPT then spent, spenders = {}, 0 end
  if not spent[who] then spenders = spenders + 1 end
  spent[who] = now() + SPENT_FOR
end

-- The question -----------------------------------------------------------------------------------------------------------

local function to_service(classifier, text)
  local headers = {
    [":method"] = "POST", [":path"] = classifier.path, [":authority"] = match(classifier.cluster, "/(.*)$"),
    ["x-fl-hop"] = classifier.cluster,
  }
  return headers, '{"text":' .. quote(text) .. "}"
end

-- A request of the caller's own to a route, as this filter would send it on.
local function to_route(question, text, directory, consumer, id)
  local classifier = question.classifier
  local entry = directory:get("t:" .. classifier.route)
  entry = entry and entry_of(entry).dialects.OpenAI
  if not entry then return nil end
  local output = entry.most and entry.most < OUTPUT and entry.most or OUTPUT
  local body = '{"model":"' .. entry.wire .. '","messages":[{"role":"system","content":' .. classifier.prompt
    .. '},{"role":"user","content":' .. quote(text) .. '}],"max_completion_tokens":' .. output .. ',"temperature":0}'
  local headers = {
    [":method"] = "POST", [":path"] = QUESTIONS_PATH, [":authority"] = "classifier", ["x-fl-route"] = entry.route,
    ["x-fl-consumer"] = consumer, ["x-fl-model"] = match(entry.route, "/(.*)$"), ["x-fl-asked"] = question.asked,
    ["x-fl-way"] = entry.way .. #body .. " " .. QUESTIONS_PATH,
  }
  if directory:get("b") then
    local ask = output .. " 1"
    local words = words_of_check(
      directory, consumer, id, headers["x-fl-model"], #body, entry.route, ask, question.asked, false
    )
    headers["x-fl-ask"] = ask
    headers[words and "x-fl-check" or "x-fl-reservation"] = words or "none"
  end
  if directory:get("k") then headers["x-fl-bucket"] = bucket_of(consumer) end
  return headers, body
end

-- Sends the question and waits. Returns the status, the answer's body, and whether a budget had no room for it.
local function send(h, question, consumer)
  local classifier, headers, body = question.classifier, nil, nil
  local id = (h:headers():get("x-request-id") or "") .. "-classifier"
  if classifier.route then
    headers, body = to_route(question, question.text, directory_of(h), consumer, id)
  else
    headers, body = to_service(classifier, question.text)
  end
  if not headers then return "503", "" end
  headers["content-type"], headers["x-request-id"] = "application/json", id
  local options = { timeout_ms = classifier.timeout, send_xff = false }
  -- A cluster that is not there yet is an error of Lua's.
  local ok, answered, said = pcall(h.httpCall, h, classifier.route and ROUTES or SERVICES, headers, body, options)
  if not ok then return "503", "" end
  local status = answered[":status"]
  return status, said or "", status == "429" and classifier.route and answered["x-fairlead-attempts"] == "0"
end

local WHY = { ["503"] = "unavailable", ["504"] = "timeout" }
-- What is said of this text, not of the one who is asked: a caller's texts must not end everybody's classifier.
local OF_THE_TEXT = { ["400"] = true, ["413"] = true, ["422"] = true }

-- The category that an answer names, or nil; and how it was found, or why not.
local function ask(h, question, consumer)
  local classifier, who = question.classifier, nil
  if classifier.route then who = consumer .. " " .. classifier.route .. " " .. question.asked end
  if who and (spent[who] or 0) > now() then return nil, "budget" end
  if not may_ask(classifier, now()) then return nil, "open" end
  local status, answer, refused = send(h, question, consumer)
  if refused then
    classifier.trying = 0 -- it was not asked
    note_spent(who)
    return nil, "budget"
  end
  if OF_THE_TEXT[status] then
    classifier.trying = 0
    return nil, "refused"
  end
  local said
  if status == "200" and #answer <= MOST_ANSWER then
    said = (classifier.route and said_by_model or said_by_service)(answer)
  end
  if not said then
    note_failure(classifier)
    return nil, status == "200" and "malformed" or WHY[status] or "refused"
  end
  classifier.failures, classifier.trying = 0, 0
  local word = first_word(said)
  local category = word and classifier.categories[word] and word or nil
  remember(classifier, question.text, category)
  return category, category and "asked" or "unknown"
end

-- Answers a question, and notes what came of it. Yields; what is taken from h before it is out of scope after it.
local function classify(h, question, consumer)
  local classifier, category, how = question.classifier, nil, "empty"
  if question.text ~= "" then
    local known = remembered(classifier, question.text)
    if known then
      category, how = known.category, "remembered"
    else
      category, how = ask(h, question, consumer)
    end
  end
  local metadata = h:streamInfo():dynamicMetadata()
  metadata:set(NAMESPACE, "category", category or NO_CATEGORY)
  metadata:set(NAMESPACE, "classified", how)
  return { category = category }
end
