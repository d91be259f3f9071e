-- Units: what a request asks for that may be billed otherwise than by tokens, as words of a check -----------------------

local units_of

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

local COUNTS = {
  images = function(_, answers) return format("i%.0f", answers) end,
  characters = function(s)
    local text = value_of(s, BODY.slots.input)
    return format("c%.0f", text and byte(text) == 34 and characters(text) or 0)
  end,
  documents = function() return format("q%.0f", elements(BODY.slots.documents)) end,
}

function units_of(s, unit, answers) return COUNTS[unit](s, answers) end

end
