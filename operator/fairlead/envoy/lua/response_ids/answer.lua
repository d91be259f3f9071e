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

-- The id that a client gets for that of the answer; nil where it keeps the provider's: the answer is not kept, or no client
-- could send its id back.
local function id_of(s, from, to, state)
  if not from.id or from.store and sub(s, from.store, to.store - 1) == "false" then return nil end
  local raw = match(gsub(sub(s, from.id, to.id - 1), "\\/", "/"), '^"([^"\\]+)"$')
  if not raw then return nil end
  if raw ~= state.raw then state.raw, state.signed = raw, signed_id(state.signers, state.consumer, state.target, raw) end
  return state.signed
end

-- A text with the ids of the answer at `at` as its client knows them: its own, and that of the answer before it; the text
-- itself where there is nothing to write.
local function with_ids(s, p, at, state)
  local from, to = places_in(s, p, at)
  if not from then return s end
  local first, second = "id", "previous_response_id"
  local before = from[second]
  local texts = { id = id_of(s, from, to, state), previous_response_id = before and p[before] == 34 and state.previous or nil }
  if from[first] and before and before < from[first] then first, second = second, first end
  local out, at = {}, 1
  for _, name in ipairs({ first, second }) do
    if texts[name] then
      out[#out + 1] = sub(s, at, from[name]) .. texts[name]
      at = to[name] - 1
    end
  end
  return concat(out) .. sub(s, at)
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

-- An error of the provider's, which may name the answer before by the id that the client never saw.
local LEAST_NAMED = 8 -- bytes: a shorter one may be a part of anything
local function renamed(s, raw, previous)
  if #raw < LEAST_NAMED then return s end
  local out, at = {}, 1
  local from, to = find(s, raw, at, true)
  while from do
    out[#out + 1] = sub(s, at, from - 1) .. previous
    at = to + 1
    from, to = find(s, raw, at, true)
  end
  return concat(out) .. sub(s, at)
end
