-- Prompts: what they are like, for rules and for a classifier ---------------------------------------------------------
-- The scan has judged every byte of the body before, so what is walked here is JSON. Of the objects on the way, the
-- members that are read must be there once, and in no disguise, as in the body itself: a prompt that two servers read
-- otherwise has no size, and no last text.

local BYTES_PER_TOKEN = 4
local LONGEST_WORD = 128 -- of a role or a type, all in escapes
local MOST_LEVELS = 3 -- contents in contents: a message's parts, a tool's result, a document in it

local PICTURES = { image_url = true, image = true, input_image = true, computer_screenshot = true }

local MESSAGE = readable(BODY.last + 64, { "role", "content", "tool_calls", "arguments", "output", "input", "type", "text" })
local PART = readable(MESSAGE.last + 1, { "type", "text", "refusal", "content", "input", "source" })
local SOURCE = readable(PART.last + 1, { "type", "data", "content" })
local CALL = readable(SOURCE.last + 1, { "function", "custom" })
local CALLED = readable(CALL.last + 1, { "arguments", "input" })

local pictures, size, last_from, last_to -- of this prompt: the last text's value, a string or a list of parts
local sizes -- whether its size is asked for

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

-- Finds out what the prompt is like; `sizes_too`: also how long its text is. Returns nil and what was found: whether it has
-- `pictures`, its `size` in bytes, and where its last text of the user stands, from `first` to before `last`, a string or a
-- list of parts; or the refusal.
local function walk(s, reads, sizes_too)
  pictures, size, last_from, last_to = false, 0, nil, nil
  sizes = sizes_too
  if reads.prompt and key_at[PROMPT] ~= 0 then walk_prompt(s, value_at[PROMPT], value_end[PROMPT]) end
  for _, name in ipairs(reads.lists) do
    local slot = BODY.slots[name]
    if key_at[slot] ~= 0 then
      local problem = walk_list(s, value_at[slot], value_end[slot])
      if problem then return problem end
      if name ~= "input" and name ~= "messages" then last_from = nil end -- of the system, not of a user
    end
  end
  return nil, { pictures = pictures, size = size, first = last_from, last = last_to }
end
