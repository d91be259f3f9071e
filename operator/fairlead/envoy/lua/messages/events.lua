-- Events: what has come of a stream, cut where the provider cut it ----------------------------------------------------

local LARGEST = 8388608 -- bytes of an event

local function read_event(state, out, text)
  local lines = {}
  for line in gmatch(text, "[^\n]+") do
    local data = match(line, "^data: ?(.*)$")
    if data then lines[#lines + 1] = data end
  end
  if #lines > 0 then advance(state, out, concat(lines, "\n")) end
end

-- Takes the next bytes of a stream, and returns what the client gets in their place.
local function translated(state, chunk)
  if state.ended then return "" end
  chunk = gsub(chunk, "\r", "") -- none is in JSON
  if chunk == "" then return "" end
  local pieces, out = state.pieces, {}
  local ends = find(chunk, "\n\n", 1, true) or state.line_ended and byte(chunk) == 10
  pieces[#pieces + 1], state.held, state.line_ended = chunk, state.held + #chunk, byte(chunk, -1) == 10
  if ends then
    local text, at = concat(pieces), 1
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
