-- The check ----------------------------------------------------------------------------------------------------------

local note_check

do -- a chunk of Lua has 200 locals at most

-- What the budget server is asked, in the words that `fairlead.budgetserver.descriptor.CHECK` names. Where they are not,
-- the filter behind this one asks nobody.
local CHECK, WORDS = "fairlead.check", "words"

local function is_bounded(directory, consumer, route, asked)
  if directory:get("b") == "*" or directory:get("m:" .. consumer) or budgets_of(directory, consumer, route) then
    return true
  end
  for other in gmatch(asked, "[^,]+") do
    if budgets_of(directory, consumer, other) then return true end
  end
  return false
end

-- Leaves the words of a request that has to fit a budget or a limit in flight (and of all, where nobody may pass without
-- an answer). Any other has room without asking: what the budget server would answer stands there at once. `asked`: the
-- routes that led here, with commas.
function note_check(h, metadata, directory, consumer, model, bytes, route, ask, asked, stream)
  if not is_bounded(directory, consumer, route, asked) then
    metadata:set("envoy.filters.http.ratelimit", "reservation", "none")
    return
  end
  metadata:set(CHECK, WORDS, concat({
    consumer, h:headers():get("x-request-id"), model, format("%d", bytes),
    route, ask, asked ~= "" and asked or "-", tostring(stream),
  }, " "))
end

end
