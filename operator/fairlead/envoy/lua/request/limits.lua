local MOST_DIGITS = 15 -- up to there every JSON parser reads the same number

-- The refusal of a number that servers would not all read alike, whoever sends it: nothing longer enters a check either.
local function overlong(s)
  for slot = FIRST_LIMIT, BEST_OF do
    local given = key_at[slot] ~= 0 and value_of(s, slot)
    local digits = given and #given > MOST_DIGITS and match(given, "^%-?(%d+)$")
    if digits and #digits > MOST_DIGITS then return too_long(NAMES[slot]) end
  end
  return nil
end

local function is_integer(text) return find(text, "^%d+$") and not find(text, "^0.") end

-- No member that limits the output says more than `cap` (a number: `most`), and at least one of the endpoint's own is
-- there. The others are capped too, since some servers listen to them at every endpoint.
local function cap_output(s, own, cap, most)
  for slot = FIRST_LIMIT, LAST_LIMIT do
    local given = value_of(s, slot)
    if given and given ~= "null" then
      if not is_integer(given) then return bad_limit(NAMES[slot]) end
      if tonumber(given) > most then replace(value_at[slot], value_end[slot], cap) end
    end
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

-- How many prompts a request of /v1/completions brings: each is answered. A list of numbers is one prompt.
local function count_prompts()
  if key_at[PROMPT] == 0 or p[value_at[PROMPT]] ~= 91 then return 1 end
  local prompts, i = 0, skip_space(value_at[PROMPT] + 1)
  while i < value_end[PROMPT] do
    local c = p[i]
    if c == 34 or c == 91 or c == 123 then prompts = prompts + 1 end
    i = c == 93 and i or skip_space(skip_value(i))
    i = skip_space(i + 1)
  end
  return prompts > 1 and prompts or 1
end

-- What bounds the cost of a request, for the budget check: `<largest limit on its output> <number of answers>`, `-`
-- where none is given. Nil and the refusal for what some servers would read as a number and others not.
local function bounds(s)
  local limit, most = "-", -1
  for slot = FIRST_LIMIT, LAST_LIMIT do
    local given = value_of(s, slot)
    if given and given ~= "null" then
      if not is_integer(given) then return nil, bad_limit(NAMES[slot]) end
      if tonumber(given) > most then limit, most = given, tonumber(given) end
    end
  end
  local answers = 1
  for slot = N, BEST_OF do
    local given = value_of(s, slot)
    if given and given ~= "null" then
      if not is_integer(given) then return nil, bad_count(NAMES[slot]) end
      if tonumber(given) > answers then answers = tonumber(given) end
    end
  end
  return limit .. " " .. format("%.0f", answers * count_prompts())
end
