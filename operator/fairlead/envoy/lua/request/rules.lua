-- Rules: requests of a route that another one answers, by what they are like -----------------------------------------

-- `ruled`: the refusal of a body, or nil and the entry that answers it; or a question for `classify`, and what that says is
-- given when asked again. A function of their own: a chunk of Lua has 200 locals.
local ruled, classify = (function()

@prompt@
local JSON_FORMATS = { json_object = true, json_schema = true }

-- Where an endpoint's requests have their prompts, and what they say of the form of the answer: a member with a type, or
-- with a format that has one.
local READS = {
  ["/v1/chat/completions"] = { lists = { "messages" }, formats = { "response_format" }, holders = {} },
  ["/v1/completions"] = { lists = {}, prompt = true, formats = { "response_format" }, holders = {} },
  ["/v1/responses"] = { lists = { "instructions", "input" }, formats = {}, holders = { "text" } },
  ["/v1/messages"] = { lists = { "system", "messages" }, formats = { "output_format" }, holders = { "output_config" } },
}

local FORMAT = readable(BODY.last + 128, { "type" })
local HOLDER = readable(FORMAT.last + 1, { "format" })
local TOOLS = BODY.slots.tools

-- As the directory has them: `<name> <route> <condition>;<condition>...|...`

local function range_of(text, unit)
  local least, below = match(text, "^(%d*)%-(%d*)$")
  return { (tonumber(least) or 0) * unit, (tonumber(below) or math.huge) * unit }
end

local function literals_of(text)
  local literals = {}
  for digits in gmatch(text, "%x+") do
    literals[#literals + 1] = gsub(digits, "%x%x", function(pair) return char(tonumber(pair, 16)) end)
  end
  return literals
end

local rules_of = kept(function(text)
  local rules = {}
  for line in gmatch(text, "[^|]+") do
    local name, route, conditions = match(line, "^(%S+) (%S+) (.*)$")
    local rule = { name = name, route = route }
    for key, value in gmatch(conditions, "(%l+)=([^;]*)") do
      if key == "prompt" then
        rule.prompt, rules.sizes = range_of(value, BYTES_PER_TOKEN), true
      elseif key == "output" then
        rule.output = range_of(value, 1)
      elseif key == "text" then
        rule.literals = literals_of(value)
      elseif key == "category" then
        rule.category = value
      else
        rule[key] = value == "1"
      end
    end
    rules[#rules + 1] = rule
  end
  return rules
end)

local function is_json(s, reads)
  local function says(at)
    local after, problem = look(s, at, FORMAT)
    if not after then return nil, problem end
    return JSON_FORMATS[word_in(s, FORMAT.slots.type) or ""] or false
  end
  for _, name in ipairs(reads.formats) do
    local slot = BODY.slots[name]
    if begins(slot, 123) then
      local json, problem = says(value_at[slot])
      if json or problem then return json, problem end
    end
  end
  for _, name in ipairs(reads.holders) do
    local slot = BODY.slots[name]
    if begins(slot, 123) then
      local after, problem = look(s, value_at[slot], HOLDER)
      if not after then return nil, problem end
      if begins(HOLDER.slots.format, 123) then
        local json
        json, problem = says(value_at[HOLDER.slots.format])
        if json or problem then return json, problem end
      end
    end
  end
  return false
end

local function has_tools()
  return begins(TOOLS, 91) and p[skip_space(value_at[TOOLS] + 1)] ~= 93
end

local function holds(range, number) return number >= range[1] and number < range[2] end

-- The rule that applies, nil when none does; or nil and the refusal; or nil, nil and the prompt whose category is needed.
-- What a rule asks is found out when it is asked, the category last.
local function first_match(s, rules, reads, own, classified)
  local prompt, text, json, limit, limited, problem = nil, false, nil, nil, false, nil
  for _, rule in ipairs(rules) do
    local fits = rule.tools == nil or rule.tools == has_tools()
    if fits and rule.output then
      if not limited then
        limit, problem = limit_of(s, own, true)
        if problem then return nil, problem end
        limited = true
      end
      fits = limit ~= nil and holds(rule.output, limit)
    end
    if fits and rule.json ~= nil then
      if json == nil then
        json, problem = is_json(s, reads)
        if problem then return nil, problem end
      end
      fits = rule.json == json
    end
    local category = rule.category
    if fits and not prompt
      and (rule.prompt or rule.images ~= nil or rule.literals or category and not classified) then
      problem, prompt = walk(s, reads, rules.sizes)
      if problem then return nil, problem end
    end
    if fits and rule.prompt then fits = holds(rule.prompt, prompt.size) end
    if fits and rule.images ~= nil then fits = rule.images == prompt.pictures end
    if fits and rule.literals then
      if not text then
        problem = fill_last(s, prompt)
        if problem then return nil, problem end
        text = true
      end
      rule.machine = rule.machine or automaton(rule.literals)
      fits = contains(rule.machine)
    end
    if fits and category then
      if not classified then return nil, nil, prompt end
      fits = classified.category == category
    end
    if fits then return rule end
  end
  return nil
end

-- The question for the category of a prompt, or the refusal.
local function question_of(s, directory, route, prompt)
  local text, problem = text_of(s, prompt)
  return problem or { classifier = classifier_of(directory:get("q:" .. route)), text = text, asked = route }
end

local RULE = "x-fairlead-rule"
local PRIMARY = "none"
local BAD_RULE = refusal("400", "invalid_rule",
  "The header " .. RULE .. " of a request says `" .. PRIMARY .. "`, for the route's own primary, or is left out.")

-- After all other refusals of a body that do not depend on its route.
local function ruled(s, directory, entry, endpoint, path, headers, metadata, classified)
  local told = headers:get(RULE)
  told = told and match(match(lower(told), "^%s*(.*)$"), "^(.*%S)") or "" -- one pattern would be quadratic in blanks
  if told ~= "" and told ~= PRIMARY then return BAD_RULE end
  metadata:set(NAMESPACE, "ruled", entry.route)
  metadata:set(NAMESPACE, "rule", PRIMARY)
  local text = told == "" and directory:get("r:" .. entry.route)
  if not text then return nil, entry end
  if unclear then return unclear end
  local rule, problem, prompt = first_match(s, rules_of(text), READS[path], endpoint.own, classified)
  empty()
  if problem then return problem end
  if prompt then return question_of(s, directory, entry.route, prompt) end
  local reached = rule and directory:get("t:" .. rule.route)
  if not reached then return nil, entry end
  metadata:set(NAMESPACE, "rule", rule.name)
  metadata:set(NAMESPACE, "asked", entry.route)
  return nil, entry_of(reached)
end

return ruled, classify

end)()
