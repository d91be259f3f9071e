-- Numbers: what bounds the output of a request, and its cost -------------------------------------------------------
-- One rule for all of them. More than 15 digits are refused whoever sends them. Where a cap or a budget of this caller
-- needs a number it must be a whole one, at least 1: servers take 0 for none, and read others not all alike. Elsewhere
-- it is the provider's to judge.

local overlong, number_of, cap_output, limit_of, bounds

do -- a chunk of Lua has 200 locals at most

local MOST_DIGITS = 15 -- up to there every JSON parser reads the same number

-- The refusal of a number that servers would not all read alike: nothing longer enters a check either.
function overlong(s)
  for slot = FIRST_LIMIT, LAST_COUNT do
    local given = key_at[slot] ~= 0 and value_end[slot] - value_at[slot] > MOST_DIGITS and value_of(s, slot)
    local digits = given and match(given, "^%-?(%d+)$")
    if digits and #digits > MOST_DIGITS then return too_long(NAMES[slot]) end
  end
  return nil
end

-- The number of a slot, nil when it is not given; the second result is true when it is there and is none.
function number_of(s, slot)
  local given = value_of(s, slot)
  if not given or given == "null" then return nil end
  if #given > MOST_DIGITS or not find(given, "^[1-9]%d*$") then return nil, true end
  return tonumber(given)
end

-- No member that limits the output says more than `cap` (a number: `most`), and at least one of the endpoint's own is
-- there. The others are capped too, since some servers listen to them at every endpoint.
function cap_output(s, own, cap, most)
  for slot = FIRST_LIMIT, LAST_LIMIT do
    local number, bad = number_of(s, slot)
    if bad then return bad_limit(NAMES[slot]) end
    if number and number > most then replace(value_at[slot], value_end[slot], cap) end
  end
  for _, name in ipairs(own) do
    local given = value_of(s, BODY.slots[name])
    if given and given ~= "null" then return nil end
  end
  local name = own[1]
  if not name then return nil end
  local slot = BODY.slots[name]
  if key_at[slot] ~= 0 then
    replace(value_at[slot], value_end[slot], cap)
  else
    added = added .. ',"' .. name .. '":' .. cap
  end
  return nil
end

-- How many prompts a member brings: each is answered. A list of numbers is one prompt.
local function count_prompts(slot)
  if key_at[slot] == 0 or p[value_at[slot]] ~= 91 then return 0 end
  local prompts, i, last = 0, value_at[slot] + 1, value_end[slot] - 1
  while i < last do
    local c = p[i]
    if c == 34 or c == 91 or c == 123 then
      prompts = prompts + 1
      if prompts > MOST_PROMPTS then break end
      i = skip_value(i)
    else
      i = i + 1 -- of a number, or between two values
    end
  end
  return prompts
end

-- The largest limit on the output of a request, nil where there is none. A limit counts only beside one of the endpoint's
-- own: a server that does not know a name obeys nobody by it. Nil and the refusal of what is no number, where somebody
-- needs it.
function limit_of(s, own, judged)
  local limit, obeyed = 0, false
  for slot = FIRST_LIMIT, LAST_LIMIT do
    local number, bad = number_of(s, slot)
    if bad and judged then return nil, bad_limit(NAMES[slot]) end
    if number and number > limit then limit = number end
  end
  for _, name in ipairs(own) do
    obeyed = obeyed or number_of(s, BODY.slots[name]) ~= nil
  end
  return obeyed and limit or nil
end

-- What bounds the cost of a request, for the budget check: `<largest limit on its output> <number of answers>`, `-`
-- where none is given, and for the units that are asked for, a letter and their number. Nil and the refusal where a budget of this caller needs a number that is none.
function bounds(s, endpoint, judged)
  local limit, problem = limit_of(s, endpoint.own, judged)
  if problem then return nil, problem end
  local answers = 1
  for slot = FIRST_COUNT, LAST_COUNT do
    local number, bad = number_of(s, slot)
    if bad and judged then return nil, bad_count(NAMES[slot]) end
    if number and number > answers then answers = number end
  end
  local prompts = count_prompts(PROMPT) + count_prompts(PROMPT_EMBEDS)
  if prompts > MOST_PROMPTS then return nil, TOO_MANY_PROMPTS end
  if prompts > 1 then answers = answers * prompts end
  if endpoint.unit then
    if judged and unclear then return nil, unclear end
    local words, uncounted = units_of(s, endpoint.unit, answers, judged)
    if not words then return nil, uncounted end
    return words .. format(" %.0f", answers)
  end
  return (limit and format("%.0f ", limit) or "- ") .. format("%.0f", answers)
end

end
