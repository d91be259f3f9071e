-- The verdict ------------------------------------------------------------------------------------------------------------
--
-- accept = <check>=<value>;<check>=<value>;... as `fairlead.envoy.judge` writes it: `finish` (words with a comma between),
-- `json`, `tools`, `refusal` (1), `min` (characters), `with` and `without` (literals in hex, folded), `logprob`. A check that
-- is not there is off.

local accepts = {} -- by text, of the configuration

local function unhexed(digits) return char(tonumber(digits, 16)) end

local function words_of(text, of)
  local words = {}
  for word in gmatch(text or "", "[^,]+") do words[#words + 1] = of and gsub(word, "%x%x", of) or word end
  return words
end

local function accept_of(text)
  local accept = accepts[text]
  if accept then return accept end
  local given = {}
  for name, value in gmatch(text, "([^=;]+)=([^;]*)") do given[name] = value end
  accept = {
    finish = {},
    json = given.json ~= nil,
    tools = given.tools ~= nil,
    refusal = given.refusal ~= nil,
    min = tonumber(given.min) or 0,
    with = words_of(given.with, unhexed),
    without = words_of(given.without, unhexed),
    logprob = tonumber(given.logprob),
  }
  for _, reason in ipairs(words_of(given.finish)) do accept.finish[reason] = true end
  accept.reads = #accept.with > 0 or #accept.without > 0
  accepts[text] = accept
  return accept
end

-- How many characters a text has, blanks at its ends aside.
local function characters(text)
  -- Not in one pattern: between two words it would look at each blank of a long row as often as there are blanks.
  text = match(match(text, "^%s*(.*)$"), "^(.*%S)") or ""
  local _, continued = gsub(text, "[\128-\191]", "")
  return #text - continued
end

local function are_valid(calls, names)
  for _, call in ipairs(calls) do
    local arguments = call.arguments
    if type(arguments) == "string" then arguments = decoded(arguments) end
    if type(arguments) ~= "table" or not arguments.object or call.name == nil or not names[call.name] then return false end
  end
  return true
end

local function is_as_asked(text, format)
  local value = decoded(text)
  if value == nil then return false end
  if format == "object" then return type(value) == "table" and value.object ~= nil end
  local schema = decoded(format)
  return schema == nil or is_as_schema(value, schema)
end

local function mean(numbers)
  local sum = 0
  for i = 1, #numbers do sum = sum + numbers[i] end
  return sum / #numbers
end

-- The first check on its text that a choice fails; nil where it holds them all.
local function fault_in_text(text, accept)
  if characters(text) < accept.min then return "minCharacters" end
  if not accept.reads then return nil end
  text = fold(text)
  for _, literal in ipairs(accept.with) do
    if not find(text, literal, 1, true) then return "contains" end
  end
  for _, literal in ipairs(accept.without) do
    if find(text, literal, 1, true) then return "notContains" end
  end
  return nil
end

-- The first check that a choice fails; nil where it holds them all. What calls tools and says nothing besides has no text
-- to look at.
local function fault_of(choice, accept, asked)
  if not accept.finish[choice.finish] then return "finishReason" end
  local calls = #choice.calls > 0 or choice.acts
  if #choice.calls > 0 and accept.tools then
    asked.names = asked.names or names_of(asked.tools)
    if not are_valid(choice.calls, asked.names) then return "toolCalls" end
  end
  if accept.refusal and (choice.refused or is_refusal(choice.text)) then return "refusal" end
  if not (calls and choice.text == "") then
    if accept.json and asked.format ~= "" and not calls and not is_as_asked(choice.text, asked.format) then
      return "json"
    end
    local fault = fault_in_text(choice.text, accept)
    if fault then return fault end
  end
  local known = accept.logprob and #choice.logprobs > 0
  if known and mean(choice.logprobs) < accept.logprob then return "minMeanLogprob" end
  return nil
end

-- What an answer's form must be by its request's body: `{ format, tools }`; see above.
local function asked_by(path, body, accept_text)
  local accept, api = accept_of(accept_text), APIS[path]
  return {
    format = accept.json and api and format_of(body, api) or "",
    tools = accept.tools and tools_of(body) or "",
  }
end

-- The name of the first check that an answer fails, nil where it is accepted. `unreadable`: it is no answer of this API.
local function fault(path, body, accept_text, asked)
  local accept, api = accept_of(accept_text), APIS[path]
  local answer = decoded(body)
  local choices = answer ~= nil and api and api.choices(answer) or NONE
  if #choices == 0 then return "unreadable" end
  for _, choice in ipairs(choices) do
    local found = fault_of(choice, accept, asked)
    if found then return found end
  end
  return nil
end
