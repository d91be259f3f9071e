-- Events: what has come of a stream, cut where the provider cut it ----------------------------------------------------

local LARGEST = 8388608 -- bytes of an event

local MOST_TRIES = 8

-- The place of `part` in `text`; nil where it is there more than once.
local function only_place(text, part)
  local at = find(text, part, 1, true)
  return at and not find(text, part, at + 1, true) and at or nil
end

-- Whether this is what stands between the quotes of one string of JSON.
local function is_inner(text)
  local at = find(text, '["\\\n]')
  while at do
    if byte(text, at) ~= 92 or at == #text then return false end
    at = find(text, '["\\\n]', at + 2)
  end
  return true
end

-- Most events say a piece of a text, and are for the rest as the one before: what was made of that one is taken, around
-- this one's piece. False where it is another one.
local function is_like_last(state, out, text)
  local like = state.like
  if not like or find(text, like.from, 1, true) ~= 1 then return false end
  local stop = #text - #like.to
  if stop <= #like.from or sub(text, stop + 1) ~= like.to then return false end
  local inner = sub(text, #like.from + 1, stop)
  if not is_inner(inner) then return false end
  out[#out + 1] = like.head .. inner .. like.tail
  state.tries = 0
  return true
end

-- Keeps what was made of an event, where it is one piece of a text and nothing else. Whoever's events are all unlike each
-- other is not tried for long.
local function learn(state, text, made)
  local said = state.text
  local at, there = only_place(text, said), only_place(made, said)
  if not at or not there then return end
  state.tries = (state.tries or 0) + 1
  state.like = { from = sub(text, 1, at), to = sub(text, at + #said - 1), head = sub(made, 1, there),
    tail = sub(made, there + #said - 1) }
end

-- An event without the noise that OpenAI ends it with, which hides how long its text is.
local function without_noise(text)
  local at = find(text, ',"obfuscation":"', -96, true)
  return at and find(text, '^[%w+/=_-]*"}$', at + 16) and sub(text, 1, at - 1) .. "}" or text
end

local function read_event(state, out, text)
  text = without_noise(text)
  if is_like_last(state, out, text) then return end
  local before = #out
  state.like, state.text = nil, nil
  local lines = {}
  for line in gmatch(text, "[^\n]+") do
    local data = match(line, "^data: ?(.*)$")
    if data then lines[#lines + 1] = data end
  end
  if #lines > 0 then advance(state, out, concat(lines, " ")) end -- no string of JSON has a line's end
  if state.text and #out == before + 1 and (state.tries or 0) < MOST_TRIES then learn(state, text, out[#out]) end
end

-- Lines may end by CR LF, by LF or by CR, and an end may be cut in two. None of them is in JSON.
local function with_plain_ends(state, chunk)
  if state.returned and byte(chunk) == 10 then chunk = sub(chunk, 2) end
  state.returned = byte(chunk, -1) == 13
  chunk = gsub(chunk, "\r\n", "\n")
  return (gsub(chunk, "\r", "\n"))
end

-- Takes the next bytes of a stream, and returns what the client gets in their place.
local function translated(state, chunk)
  if state.ended then return "" end
  if state.returned or find(chunk, "\r", 1, true) then chunk = with_plain_ends(state, chunk) end
  if chunk == "" then return "" end
  local pieces, out = state.pieces, {}
  local ends = find(chunk, "\n\n", 1, true) or state.line_ended and byte(chunk) == 10
  pieces[#pieces + 1], state.held, state.line_ended = chunk, state.held + #chunk, byte(chunk, -1) == 10
  if ends then
    local text, at = pieces[2] and concat(pieces) or chunk, 1
    while not state.ended do
      local stop, last = find(text, "\n\n", at, true)
      if not stop then break end
      read_event(state, out, sub(text, at, stop - 1))
      at = last + 1
    end
    local rest = sub(text, at)
    state.pieces, state.held = rest ~= "" and { rest } or {}, #rest
  end
  if state.held > LARGEST and not state.ended then fail(state, out, BROKEN) end
  return concat(out)
end
