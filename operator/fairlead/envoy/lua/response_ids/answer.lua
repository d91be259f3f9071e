-- The ids of an answer, where they stand ---------------------------------------------------------------------------------

local READ = { id = true, previous_response_id = true, store = true, response = true }

-- Where the values of the members that are read of the object at `at` begin, and after what they end; nil where it does
-- not end.
local function places_in(s, p, at)
  local last, from, to = #s, {}, {}
  if p[at] ~= 123 then return nil end
  at = after_blanks(p, at + 1)
  while p[at] == 34 do
    local past = after_string(p, at, last)
    local value = past and after_blanks(p, past)
    if not value or p[value] ~= 58 then return nil end
    value = after_blanks(p, value + 1)
    local stop = after_value(p, value, last)
    if not stop then return nil end
    local name = past - at < 24 and sub(s, at + 1, past - 2)
    if READ[name] then from[name], to[name] = value, stop end
    at = after_comma(p, stop)
  end
  return from, to
end

-- A text with the ids of the answer at `at` signed; the text itself where there is nothing to sign. An answer that is
-- not kept keeps its id, and so does one whose id no client could send back.
local function with_ids(s, p, at, state)
  local from, to = places_in(s, p, at)
  if not from or not from.id or from.store and sub(s, from.store, to.store - 1) == "false" then return s end
  local raw = match(sub(s, from.id, to.id - 1), '^"([^"\\]+)"$')
  if not raw then return s end
  if raw ~= state.raw then state.raw, state.signed = raw, signed_id(state.signers, state.consumer, state.target, raw) end
  if not state.signed then return s end
  local first, second = "id", "previous_response_id"
  local before = state.previous and from[second] and p[from[second]] == 34
  if not before then return sub(s, 1, from.id) .. state.signed .. sub(s, to.id - 1) end
  local texts = { id = state.signed, previous_response_id = state.previous }
  if from[second] < from[first] then first, second = second, first end
  return sub(s, 1, from[first]) .. texts[first] .. sub(s, to[first] - 1, from[second]) .. texts[second] .. sub(s, to[second] - 1)
end

-- An answer in one piece.
local function signed_whole(s, state)
  local p = bytes_of(s)
  return with_ids(s, p, after_blanks(p, 1), state)
end

-- The data of an event.
local function signed_event(s, state)
  if not find(s, '"response"', 1, true) then return s end
  local p = bytes_of(s)
  local from = places_in(s, p, after_blanks(p, 1))
  if not from or not from.response then return s end
  return with_ids(s, p, from.response, state)
end
