-- Units: what a request asks for that may be billed otherwise than by tokens, as words of a check -----------------------

local units_of, count_spoken

do -- a chunk of Lua has 200 locals at most

-- How many characters a string of JSON says: of UTF-8 and of escapes, a pair of halves is one.
local function characters(text)
  local _, continued = gsub(text, "[\128-\191]", "")
  local count = #text - 2 - continued
  if not find(text, "\\", 1, true) then return count end
  local at = find(text, "\\", 1, true)
  while at do
    local last = at + 1
    if byte(text, last) == 117 then
      last = at + 5
      if find(text, "^\\u[dD][89abAB]%x%x\\u[dD][c-fC-F]%x%x", at) then last = at + 11 end
    end
    count = count - (last - at)
    at = find(text, "\\", last + 1, true)
  end
  return count
end

-- How many elements the list of a slot has; what is no list has one.
local function elements(slot)
  if key_at[slot] == 0 or p[value_at[slot]] ~= 91 then return 1 end
  local i, count = skip_space(value_at[slot] + 1), 0
  while p[i] ~= 93 do
    i, count = skip_space(past(i)), count + 1
    if p[i] == 44 then i = skip_space(i + 1) end
  end
  return count
end

-- Each returns its words; or nil and the refusal of what cannot be counted, where somebody needs it.
local COUNTS = {
  images = function(_, answers) return format("i%.0f", answers) end,
  characters = function(s, _, judged)
    local text = value_of(s, BODY.slots.input)
    local spoken = text and byte(text) == 34
    if judged and not spoken then return nil, uncountable("input", "a string") end
    return format("c%.0f", spoken and characters(text) or 0)
  end,
  -- Who bills an order by tokens counts the query once for each document.
  documents = function(s, _, judged)
    local slot = BODY.slots.documents
    if judged and (key_at[slot] == 0 or p[value_at[slot]] ~= 91) then return nil, uncountable("documents", "an array") end
    local count, query = elements(slot), value_of(s, BODY.slots.query)
    if not query or count < 2 then return format("q%.0f", count) end
    return format("q%.0f.%.0f", count, #s + (count - 1) * #query)
  end,
}

-- The characters of `input`; 0 of what is no string.
function count_spoken(s) return tonumber(sub(COUNTS.characters(s), 2)) end

function units_of(s, unit, answers, judged) return COUNTS[unit](s, answers, judged) end

end
