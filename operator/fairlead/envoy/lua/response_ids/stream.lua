-- A stream, event by event: what does not end yet is held, up to a bound -------------------------------------------------

local LARGEST = 8388608 -- bytes of an event; a longer one passes as it is, and so does what comes after it

local function signed_lines(text, state)
  local from = match(text, "^data: ?()") or match(text, "\ndata: ?()")
  if not from then return text end
  local stop = find(text, "\n", from, true) or #text + 1
  local data = sub(text, from, stop - 1)
  local said = signed_event(data, state)
  return said == data and text or sub(text, 1, from - 1) .. said .. sub(text, stop)
end

-- Takes the next bytes of a stream, and returns what the client gets in their place.
local function signed_chunk(state, chunk)
  if state.passes then return chunk end
  chunk = gsub(chunk, "\r", "") -- none is in JSON
  if chunk == "" then return "" end
  local pieces, out = state.pieces, {}
  local ends = find(chunk, "\n\n", 1, true) or state.line_ended and byte(chunk) == 10
  pieces[#pieces + 1], state.held, state.line_ended = chunk, state.held + #chunk, byte(chunk, -1) == 10
  if ends then
    local text, at = concat(pieces), 1
    local stop, last = find(text, "\n\n", at, true)
    while stop do
      out[#out + 1] = signed_lines(sub(text, at, last), state)
      at = last + 1
      stop, last = find(text, "\n\n", at, true)
    end
    local rest = sub(text, at)
    state.pieces, state.held = rest ~= "" and { rest } or {}, #rest
  end
  if state.held > LARGEST then
    out[#out + 1] = concat(state.pieces)
    state.pieces, state.held, state.passes = {}, 0, true
  end
  return concat(out)
end

-- What is held of a stream that ends here.
local function signed_rest(state) return signed_lines(concat(state.pieces), state) end

local function new_state(signers, consumer, target, previous)
  return { signers = signers, consumer = consumer, target = target, previous = previous, pieces = {}, held = 0 }
end
