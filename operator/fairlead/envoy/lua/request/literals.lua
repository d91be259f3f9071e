-- Literals: whether the last text of the user has one of them -------------------------------------------------------

local lshift, rshift = bit.lshift, bit.rshift

-- The text, decoded and in one case: that of all its parts.

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

-- Writes the text that `walk` has found to where it is searched, or returns the refusal.
local function fill_last(s, prompt)
  filled = 0
  if not prompt.first then return nil end
  local most = prompt.last - prompt.first + 1 -- an escape is longer than what it says
  room = most <= ROOM and kept_room or ffi.new("uint8_t[?]", most)
  return each_text(s, prompt.first, prompt.last, fill)
end

-- Forgets the text: it can be megabytes.
local function empty() room = nil end

-- The search: one step for each byte of the text, whatever is looked for.

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

-- Whether the text that was filled in has one of the literals of an automaton.
local function contains(machine)
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
