-- The directory -----------------------------------------------------------------------------------------------------

-- Keeps what `parse` makes of a text, by the text: a new configuration brings new texts, so nothing goes stale.
local function kept(parse)
  local results, count = {}, 0
  return function(text)
    local result = results[text]
    if not result then
      if count >= KEPT then results, count = {}, 0 end
      result = parse(text)
      results[text], count = result, count + 1
    end
    return result
  end
end

local function given(field) return field ~= "-" and field or nil end

-- <expires at> <allowed names> <scopes>
local caller_of = kept(function(text)
  local expires, allowed, scopes = match(text, "^(%S+) (%S+) (.*)$")
  local caller = { expires = tonumber(given(expires)) or math.huge, names = {}, lists = {} }
  for scope in gmatch(scopes, "[^|]+") do
    caller.names[#caller.names + 1] = "n:" .. scope .. "|"
    caller.lists[#caller.lists + 1] = "l:" .. scope
  end
  if given(allowed) then
    caller.exact, caller.prefixes = {}, {}
    for name in gmatch(allowed, "[^,]+") do
      if sub(name, -1) == "*" then
        caller.prefixes[#caller.prefixes + 1] = sub(name, 1, -2)
      else
        caller.exact[name] = true
      end
    end
  end
  return caller
end)

-- <route> <route> ..., or `*`
local routes_of = kept(function(text)
  local routes = {}
  for route in gmatch(text, "%S+") do routes[route] = true end
  return routes
end)

-- Whether a budget counts what a consumer spends on a route.
local function is_budgeted(directory, consumer, route)
  local text = directory:get("b:" .. consumer)
  return text and (text == "*" or routes_of(text)[route]) or false
end

-- <route> <kind> <max output tokens> <wire id> <last wire id> <last target> [<shape> <stem>]
local entry_of = kept(function(text)
  local field = {}
  for word in gmatch(text, "%S+") do field[#field + 1] = word end
  local entry = {
    route = field[1], kind = field[2], cap = given(field[3]), wire = field[4],
    way = field[4] .. " " .. field[5] .. " " .. field[6] .. " ",
  }
  entry.most = tonumber(entry.cap)
  local shape, stem = field[7], field[8]
  if shape then
    entry.arms = find(shape, "-", 1, true) and shape
    entry.headers, entry.ladders = {}, {}
    for _ in gmatch(shape, "%d+") do
      local arm = #entry.headers
      entry.headers[arm + 1], entry.ladders[arm + 1] = "x-fl-l" .. arm, stem .. "/" .. arm
    end
  end
  return entry
end)

local names_of = kept(function(text)
  local names = {}
  for name in gmatch(text, "%S+") do names[#names + 1] = name end
  return names
end)

local function allows(caller, model)
  if not caller.exact or caller.exact[model] then return true end
  for _, prefix in ipairs(caller.prefixes) do
    if sub(model, 1, #prefix) == prefix then return true end
  end
  return false
end

-- The entry that answers a name for a caller, or nil. The first scope that has the name decides, also by refusing it.
local function look_up(directory, caller, model)
  if not allows(caller, model) then return nil end
  local scopes = caller.names
  for scope = 1, #scopes do
    local text = directory:get(scopes[scope] .. model)
    if text then return text ~= "-" and entry_of(text) or nil end
  end
  return nil
end
