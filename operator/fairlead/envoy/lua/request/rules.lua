-- Rules: requests of a route that another one answers, by what they are like -----------------------------------------
-- The scan has judged every byte of the body before, so what is walked here is JSON. Of the objects on the way, the
-- members that are read must be there once, and in no disguise, as in the body itself: a prompt that two servers read
-- otherwise has no size, and no last text.

-- The refusal of a body, or nil and the entry that answers it. A function of its own: a chunk of Lua has 200 locals.
local ruled = (function()

local ffi = require("ffi")
local lshift, rshift = bit.lshift, bit.rshift
local BYTES_PER_TOKEN = 4
local LONGEST_WORD = 128 -- of a role or a type, all in escapes
local MOST_LEVELS = 3 -- contents in contents: a message's parts, a tool's result, a document in it

local PICTURES = { image_url = true, image = true, input_image = true, computer_screenshot = true }
local JSON_FORMATS = { json_object = true, json_schema = true }

-- Where an endpoint's requests have their prompts, and what they say of the form of the answer: a member with a type, or
-- with a format that has one.
local READS = {
  ["/v1/chat/completions"] = { lists = { "messages" }, formats = { "response_format" }, holders = {} },
  ["/v1/completions"] = { lists = {}, prompt = true, formats = { "response_format" }, holders = {} },
  ["/v1/responses"] = { lists = { "instructions", "input" }, formats = {}, holders = { "text" } },
  ["/v1/messages"] = { lists = { "system", "messages" }, formats = { "output_format" }, holders = { "output_config" } },
}

local FIRST = BODY.last + 64
local MESSAGE = readable(FIRST, { "role", "content", "tool_calls", "arguments", "output", "input", "type", "text" })
local PART = readable(MESSAGE.last + 1, { "type", "text", "refusal", "content", "input", "source" })
local SOURCE = readable(PART.last + 1, { "type", "data", "content" })
local CALL = readable(SOURCE.last + 1, { "function", "custom" })
local CALLED = readable(CALL.last + 1, { "arguments", "input" })
local FORMAT = readable(CALLED.last + 1, { "type" })
local HOLDER = readable(FORMAT.last + 1, { "format" })
local TOOLS = BODY.slots.tools

local pictures, size, last_from, last_to -- of this prompt: the last text's value, a string or a list of parts
local sizes -- whether its size is asked for

local function begins(slot, c) return key_at[slot] ~= 0 and p[value_at[slot]] == c end

-- Notes where the members of the object at i stand. Returns the position after it, or nil and the refusal.
local function look(s, i, reading)
  members, containers, deepest = 0, 0, 0 -- these bytes were counted before
  return scan(s, i, reading)
end

-- The position after the value at i.
local function past(i)
  members, containers, deepest = 0, 0, 0
  return skip_value(i)
end

-- The short word in a slot's string, nil when there is none.
local function word_in(s, slot)
  if not begins(slot, 34) or value_end[slot] - value_at[slot] > LONGEST_WORD then return nil end
  local text = sub(s, value_at[slot] + 1, value_end[slot] - 2)
  return find(text, "\\", 1, true) and unescaped(text) or text
end

local digit, escaped = ffi.new("uint8_t[256]"), ffi.new("uint8_t[256]")
for n = 0, 15 do digit[byte(format("%x", n))], digit[byte(format("%X", n))] = n, n end
for c = 0, 255 do escaped[c] = byte(ESCAPES[char(c)] or char(c)) end

-- The code in the four digits of an escape from i on.
local function code_at(text, i)
  return digit[text[i]] * 4096 + digit[text[i + 1]] * 256 + digit[text[i + 2]] * 16 + digit[text[i + 3]]
end

-- The character of the escape whose backslash stands at i, and the position after it; the half of a pair is one, too.
local function escape_at(text, i)
  local c = text[i + 1]
  if c ~= 117 then return escaped[c], i + 2 end
  local code = code_at(text, i + 2)
  if code >= 0xd800 and code < 0xdc00 and text[i + 6] == 92 and text[i + 7] == 117 then
    local low = code_at(text, i + 8)
    if low >= 0xdc00 and low < 0xe000 then return 0x10000 + (code - 0xd800) * 0x400 + low - 0xdc00, i + 12 end
  end
  return code, i + 6
end

-- Adds the bytes that the string between two positions, its quotes among them, says.
local function count(from, to)
  if not sizes then return end
  local text, i, last, more = p, from + 1, to - 2, 0
  while i <= last do
    -- None of these four bytes is a backslash.
    while i + 3 <= last and band(0x80808080, bxor(cast(WORDS, text + i)[0], 0x5c5c5c5c) - 0x01010101) == 0 do i = i + 4 end
    if text[i] ~= 92 then
      i = i + 1
    else
      local code, after = escape_at(text, i)
      more = more - (after - i) + (code < 0x80 and 1 or code < 0x800 and 2 or code < 0x10000 and 3 or 4)
      i = after
    end
  end
  size = size + to - from - 2 + more
end

local function count_slot(slot)
  if begins(slot, 34) then count(value_at[slot], value_end[slot]) end
end

-- Adds all strings in a value that are no keys.
local function count_strings(from, to)
  if not sizes then return end
  local i = from
  while i < to do
    if p[i] == 34 then
      local after = skip_string(i)
      if p[skip_space(after)] ~= 58 then count(i, after) end
      i = after
    else
      i = i + 1
    end
  end
end

-- Notes the members of each object in the list at `from`, and calls `judge` with `s` and `with`, until it has a refusal;
-- returns that.
local function each_in(s, from, reading, judge, with)
  local i = skip_space(from + 1)
  while p[i] ~= 93 do
    local problem
    if p[i] == 123 then
      i, problem = look(s, i, reading)
      problem = problem or judge(s, with)
      if problem then return problem end
    else
      i = past(i)
    end
    i = skip_space(i)
    if p[i] == 44 then i = skip_space(i + 1) end
  end
  return nil
end

local walk_content

-- Looks at the members of a part that were noted.
local function look_at_part(s, level)
  if PICTURES[word_in(s, PART.slots.type) or ""] then
    pictures = true
    return nil
  end
  count_slot(PART.slots.text)
  count_slot(PART.slots.refusal)
  if begins(PART.slots.input, 123) then count_strings(value_at[PART.slots.input], value_end[PART.slots.input]) end
  local content = key_at[PART.slots.content] ~= 0 and value_at[PART.slots.content]
  local content_end = value_end[PART.slots.content]
  if begins(PART.slots.source, 123) then
    local after, problem = look(s, value_at[PART.slots.source], SOURCE)
    if not after then return problem end
    local kind = word_in(s, SOURCE.slots.type)
    if kind == "text" then count_slot(SOURCE.slots.data) end
    if kind == "content" and key_at[SOURCE.slots.content] ~= 0 then
      problem = walk_content(s, value_at[SOURCE.slots.content], value_end[SOURCE.slots.content], level + 1)
      if problem then return problem end
    end
  end
  return content and walk_content(s, content, content_end, level + 1) or nil
end

-- Walks a content: a text, a part, or a list of parts.
function walk_content(s, from, to, level)
  local c = p[from]
  if c == 34 then return count(from, to) end
  if level > MOST_LEVELS then return nil end
  if c == 123 then
    local after, problem = look(s, from, PART)
    return not after and problem or look_at_part(s, level)
  end
  if c ~= 91 then return nil end
  return each_in(s, from, PART, look_at_part, level)
end

local function look_at_call(s)
  for slot = CALL.first, CALL.last do
    if begins(slot, 123) then
      local after, problem = look(s, value_at[slot], CALLED)
      if not after then return problem end
      for called = CALLED.first, CALLED.last do count_slot(called) end
    end
  end
  return nil
end

local function take_text(_, take)
  local slot = PART.slots.text
  if begins(slot, 34) and value_end[slot] - value_at[slot] > 2 then take(value_at[slot], value_end[slot]) end
end

-- Calls `take` for each text of a user's own in a content. Or a refusal.
local function each_text(s, from, to, take)
  if p[from] == 34 then
    if to - from > 2 then take(from, to) end
    return nil
  end
  if p[from] ~= 91 then return nil end
  return each_in(s, from, PART, take_text, take)
end

local found
local function note_found() found = true end

-- Looks at the members of a message, or of an item of a response's input, that were noted.
local function look_at_message(s)
  local slots = MESSAGE.slots
  local content = key_at[slots.content] ~= 0 and value_at[slots.content]
  local content_end = value_end[slots.content]
  local output = key_at[slots.output] ~= 0 and value_at[slots.output]
  local output_end = value_end[slots.output]
  local calls = begins(slots.tool_calls, 91) and value_at[slots.tool_calls]
  local users = word_in(s, slots.role) == "user"
  if PICTURES[word_in(s, slots.type) or ""] then
    pictures = true
    return nil
  end
  count_slot(slots.arguments)
  count_slot(slots.input)
  count_slot(slots.text)
  local problem = content and walk_content(s, content, content_end, 1)
    or output and walk_content(s, output, output_end, 1) or calls and each_in(s, calls, CALL, look_at_call)
  if problem then return problem end
  if not users or not content then return nil end
  found = false
  problem = each_text(s, content, content_end, note_found)
  if found then last_from, last_to = content, content_end end
  return problem
end

-- Walks a list of messages, of items or of blocks, or the text that stands for one message of the user.
local function walk_list(s, from, to)
  if p[from] == 34 then
    if to - from > 2 then last_from, last_to = from, to end
    return count(from, to)
  end
  if p[from] ~= 91 then return nil end
  return each_in(s, from, MESSAGE, look_at_message)
end

-- Walks a prompt of /v1/completions: a text, a list of them, numbers of tokens, lists of those.
local function walk_prompt(s, from, to)
  local i = from
  while i < to do
    local c = p[i]
    if c == 34 then
      local after = skip_string(i)
      if after - i > 2 then last_from, last_to = i, after end
      count(i, after)
      i = after
    elseif c == 45 or c >= 48 and c <= 57 then
      size, i = size + BYTES_PER_TOKEN, skip_number(i)
    elseif c == 123 or c > 93 then
      i = past(i)
    else
      i = i + 1 -- of a list, or between two values
    end
  end
end

-- Finds out what rules ask of the prompt.
local function walk(s, reads, rules)
  pictures, size, last_from, last_to = false, 0, nil, nil
  sizes = rules.sizes
  if reads.prompt and key_at[PROMPT] ~= 0 then walk_prompt(s, value_at[PROMPT], value_end[PROMPT]) end
  for _, name in ipairs(reads.lists) do
    local slot = BODY.slots[name]
    if key_at[slot] ~= 0 then
      local problem = walk_list(s, value_at[slot], value_end[slot])
      if problem then return problem end
      if name ~= "input" and name ~= "messages" then last_from = nil end -- of the system, not of a user
    end
  end
  return nil
end

-- The last text, decoded and in one case -----------------------------------------------------------------------------

local ROOM = 65536
local plain, low = ffi.new("uint8_t[256]"), ffi.new("uint16_t[2048]")
for c = 0, 255 do plain[c] = c >= 65 and c <= 90 and c + 32 or c end
for code = 0, 2047 do low[code] = code end
do
  local letters, folded = "@letters@", "@folded@"
  for i = 1, #letters, 2 do
    local code, other = (byte(letters, i) - 0xc0) * 64 + byte(letters, i + 1) - 0x80, (byte(folded, i) - 0xc0) * 64
    low[code] = other + byte(folded, i + 1) - 0x80
  end
end

local kept_room, room, filled = ffi.new("uint8_t[?]", ROOM), nil, 0

-- Writes a character at `n` of `out`; returns where the next one goes.
local function put(out, n, code)
  if code < 0x80 then
    out[n] = plain[code]
    return n + 1
  end
  if code < 0x800 then
    code = low[code]
    out[n], out[n + 1] = 0xc0 + rshift(code, 6), 0x80 + band(code, 63)
    return n + 2
  end
  local text = utf8_of(code)
  for i = 1, #text do out[n + i - 1] = byte(text, i) end
  return n + #text
end

-- Writes the string between two positions to where it is searched.
local function fill(from, to)
  local text, out, n, i, last = p, room, filled, from + 1, to - 2
  while i <= last do
    local c = text[i]
    if c == 92 then
      local code
      code, i = escape_at(text, i)
      n = put(out, n, code)
    elseif c >= 0xc2 and c <= 0xdf then
      local code = low[(c - 0xc0) * 64 + text[i + 1] - 0x80]
      out[n], out[n + 1] = 0xc0 + rshift(code, 6), 0x80 + band(code, 63)
      n, i = n + 2, i + 2
    else
      out[n] = plain[c]
      n, i = n + 1, i + 1
    end
  end
  out[n], filled = 0, n + 1 -- in no literal: none goes over from one part to the next
end

local function fill_last(s)
  filled = 0
  if not last_from then return nil end
  local most = last_to - last_from + 1 -- an escape is longer than what it says
  room = most <= ROOM and kept_room or ffi.new("uint8_t[?]", most)
  return each_text(s, last_from, last_to, fill)
end

-- The search: one step for each byte of the text, whatever is looked for -----------------------------------------------

local MET = 65535

-- Where two bytes stand among those that a literal begins with; others may stand there, too.
local function pair_of(first, second) return band(bxor(lshift(first, 4), second), 4095) end

-- The automaton of Aho and Corasick for literals: at most 16 of 64 bytes, so 1,025 states.
local function automaton(literals)
  local class, width = ffi.new("uint8_t[256]"), 1
  for _, literal in ipairs(literals) do
    for i = 1, #literal do
      local c = byte(literal, i)
      if class[c] == 0 then class[c], width = width, width + 1 end
    end
  end
  local edges, met, states = { {} }, {}, 1
  for _, literal in ipairs(literals) do
    local state = 1
    for i = 1, #literal do
      local c = class[byte(literal, i)]
      if not edges[state][c] then
        states = states + 1
        edges[states], edges[state][c] = {}, states
      end
      state = edges[state][c]
    end
    met[state] = true
  end
  local step, fail, queue, head = ffi.new("uint16_t[?]", states * width), { 1 }, { 1 }, 1
  while queue[head] do
    local state = queue[head]
    head = head + 1
    met[state] = met[state] or met[fail[state]]
    for c = 0, width - 1 do
      local to = edges[state][c]
      local other = state == 1 and 1 or step[(fail[state] - 1) * width + c] + 1
      if to then
        fail[to] = state == 1 and 1 or other
        queue[#queue + 1] = to
      end
      step[(state - 1) * width + c] = (to or other) - 1
    end
  end
  for at = 0, states * width - 1 do
    if met[step[at] + 1] then step[at] = MET end
  end
  local hot = ffi.new("uint8_t[4096]")
  for _, literal in ipairs(literals) do
    local second = byte(literal, 2)
    for c = second or 0, second or 255 do hot[pair_of(byte(literal), c)] = 1 end
  end
  return { class = class, width = width, step = step, hot = hot }
end

local function search(machine)
  local class, width, step, hot = machine.class, machine.width, machine.step, machine.hot
  local text, last, i = room, filled - 1, 0 -- a 0 comes last
  while i < last do
    while i < last and hot[pair_of(text[i], text[i + 1])] == 0 do i = i + 1 end
    local state = 0
    repeat
      state = step[state * width + class[text[i]]]
      i = i + 1
    until state == 0 or state == MET or i > last
    if state == MET then return true end
  end
  return false
end

-- Rules as the directory has them: `<name> <route> <condition>;<condition>...|...` ------------------------------------

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

-- The rule that applies, nil when none does; or nil and the refusal. What a rule asks is found out when it is asked.
local function first_match(s, rules, reads, own)
  local walked, text, json, limit, limited, problem = false, false, nil, nil, false, nil
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
    if fits and not walked and (rule.prompt or rule.images ~= nil or rule.literals) then
      problem = walk(s, reads, rules)
      if problem then return nil, problem end
      walked = true
    end
    if fits and rule.prompt then fits = holds(rule.prompt, size) end
    if fits and rule.images ~= nil then fits = rule.images == pictures end
    if fits and rule.literals then
      if not text then
        problem = fill_last(s)
        if problem then return nil, problem end
        text = true
      end
      rule.machine = rule.machine or automaton(rule.literals)
      fits = search(rule.machine)
    end
    if fits then return rule end
  end
  return nil
end

local RULE = "x-fairlead-rule"
local PRIMARY = "none"
local BAD_RULE = refusal("400", "invalid_rule",
  "The header " .. RULE .. " of a request says `" .. PRIMARY .. "`, for the route's own primary, or is left out.")

-- After all other refusals of a body that do not depend on its route.
return function(s, directory, entry, endpoint, path, headers, metadata)
  local told = headers:get(RULE)
  told = told and match(lower(told), "^%s*(.-)%s*$") or ""
  if told ~= "" and told ~= PRIMARY then return BAD_RULE end
  metadata:set(NAMESPACE, "ruled", entry.route)
  metadata:set(NAMESPACE, "rule", PRIMARY)
  local text = told == "" and directory:get("r:" .. entry.route)
  if not text then return nil, entry end
  if unclear then return unclear end
  local rule, problem = first_match(s, rules_of(text), READS[path], endpoint.own)
  room = nil -- it can be megabytes
  if problem then return problem end
  local reached = rule and directory:get("t:" .. rule.route)
  if not reached then return nil, entry end
  metadata:set(NAMESPACE, "rule", rule.name)
  metadata:set(NAMESPACE, "asked", entry.route)
  return nil, entry_of(reached)
end

end)()
