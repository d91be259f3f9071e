-- The check ----------------------------------------------------------------------------------------------------------

local words_of_check, note_check

do -- a chunk of Lua has 200 locals at most

-- What the budget server is asked, in the words that `fairlead.budgetserver.descriptor.CHECK` names. Where they are not,
-- the filter behind this one asks nobody.
local CHECK, WORDS = "fairlead.check", "words"
local RATE_LIMIT, LEASE = "envoy.filters.http.ratelimit", "fairlead.lease"

local function is_bounded(directory, consumer, route, asked)
  if directory:get("b") == "*" or directory:get("m:" .. consumer) or budgets_of(directory, consumer, route) then
    return true
  end
  for other in gmatch(asked, "[^,]+") do
    if budgets_of(directory, consumer, other) then return true end
  end
  return false
end

-- The words of a request that has to fit a budget or a limit in flight (and of all, where nobody may pass without an
-- answer); nil of any other. `asked`: the routes that led here, with commas.
function words_of_check(directory, consumer, id, model, bytes, route, ask, asked, stream)
  if not is_bounded(directory, consumer, route, asked) then return nil end
  return concat({
    consumer, id, model, format("%d", bytes), route, ask, asked ~= "" and asked or "-", tostring(stream),
  }, " ")
end

-- Leaves them. Where there are none, the request has room without asking: what the budget server would answer stands
-- there at once. So it does for a request that takes a unit of a lease. `revision`: of the policies that bound it, or nil. A
-- lease is also void under other terms than those that its units were sized by.
function note_check(h, metadata, directory, consumer, model, bytes, route, ask, asked, stream, revision)
  local id = h:headers():get("x-request-id")
  local words = words_of_check(directory, consumer, id, model, bytes, route, ask, asked, stream)
  if not words then return metadata:set(RATE_LIMIT, "reservation", "none") end
  local unit, more, key
  if revision and not directory:get("m:" .. consumer) then
    local terms = directory:get("v")
    if terms then revision = revision .. "." .. terms end
    unit, more, key = leases.take(consumer, model, bytes, route, ask, asked, stream, revision)
  end
  if unit then
    metadata:set(RATE_LIMIT, "reservation", unit)
    return metadata:set(RATE_LIMIT, "remaining", more)
  end
  if key then
    metadata:set(LEASE, "key", key)
    metadata:set(LEASE, "unlearned", "asked") -- what its report says where nobody answers
  end
  metadata:set(CHECK, WORDS, concat({ words, more or "-", leases.back() or "-" }, " "))
end

end
