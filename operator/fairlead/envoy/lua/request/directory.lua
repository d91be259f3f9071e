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

local directory_of, caller_of, budgets_of, entry_of

do -- a chunk has no more than 200 locals

do
  local function taken(h)
    local entries = {}
    for key, value in pairs(h:metadata()) do entries[key] = value end
    return { get = function(_, key) return entries[key] end }
  end

  local newest, newest_version, older, older_version

  -- The directory that a request began with. Envoy copies a route's metadata whenever a script asks for it, and keeps the
  -- copy until Lua looks for garbage: of 2,000 names that is 2 ms and 0.8 MB a request. So it is taken once, and known by
  -- the version that the virtual host says; requests that began before a change still find theirs.
  function directory_of(h)
    local version = h:virtualHost():metadata():get("version")
    if not version then return h:metadata() end -- made before there were versions
    if version == newest_version then return newest end
    if version == older_version then return older end
    older, older_version = newest, newest_version
    newest, newest_version = taken(h), version
    return newest
  end
end

local function given(field) return field ~= "-" and field or nil end

-- <expires at> <allowed names> <scopes>
caller_of = kept(function(text)
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

do
  -- <revision of the policies> <route> <route> ..., or `*`: what budgets say of a consumer
  local bounds_of = kept(function(text)
    local revision, list = match(text, "^(%S+) (.*)$")
    local routes = {}
    for route in gmatch(list, "%S+") do routes[route] = true end
    return { revision = revision, routes = routes }
  end)

  -- The budgets of a consumer that count what it spends on a route, or nil.
  function budgets_of(directory, consumer, route)
    local text = directory:get("b:" .. consumer)
    local found = text and bounds_of(text)
    return found and (found.routes["*"] or found.routes[route]) and found or nil
  end
end

-- What requests of each protocol meet of an entry, by `<protocol>[,<last wire id>,<last target>]` with `|` between them:
-- the entry itself, or, where they pass over rungs, one with ladders and a last resort of their own; false: nobody answers.
local function dialects_of(text, entry, wire)
  local dialects = {}
  for protocol, last in gmatch(text, "([^,|]+)([^|]*)") do
    local dialect = entry
    if byte(protocol) == 33 then -- `!`: refused
      protocol, dialect = sub(protocol, 2), false
    elseif last ~= "" then
      dialect = setmetatable({ way = wire .. " " .. gsub(sub(last, 2), ",", " ") .. " " }, { __index = entry })
      if entry.ladders then
        dialect.ladders = {}
        for arm, ladder in ipairs(entry.ladders) do dialect.ladders[arm] = ladder .. "@" .. protocol end
      end
    end
    dialects[protocol] = dialect
  end
  return dialects
end

-- <target>,<wire id>[,!] with `|` between them: where answers are kept that may be gone on from; `!`: not now.
local function pins_of(text)
  local pins = {}
  for target, wire, stopped in gmatch(text, "([^,|]+),([^,|]+)(,?)") do
    pins[#pins + 1] = { target = target, wire = wire, stopped = stopped ~= "" }
  end
  return pins
end

-- <limit of an answer, or `t`>[,<how models are told to think, or `-`>,<`l`: how tokens are drawn is a hint>]: what rungs
-- that want other words have.
local function words_of(text)
  local most, reasoning, leaves = match(text or "-", "^([^-,][^,]*),?([^,]*),?(l?)$")
  return most and { most = most, reasoning = reasoning ~= "" and given(reasoning) or nil, leaves = leaves ~= "" } or nil
end

-- <API>,... <words>, of Bedrock's rungs; the first of words is whether all are Claude's.
local function converse_of(apis, text)
  local found, terms = {}, words_of(text)
  if terms then terms.claude, terms.most = terms.most == "c", nil end
  for api in gmatch(apis or "", "[^,]+") do found[api] = terms end
  return found
end

-- <route> <kind> <max output tokens> <wire id> <last wire id> <last target>
-- [<shape> <stem> [r [<dialects> [<words> [<words> [<APIs> <words> [<pins>]]]]]]]
entry_of = kept(function(text)
  local field = {}
  for word in gmatch(text, "%S+") do field[#field + 1] = word end
  local entry = {
    route = field[1], kind = field[2], cap = given(field[3]), wire = json_of(field[4]),
    way = field[4] .. " " .. field[5] .. " " .. field[6] .. " ",
  }
  entry.most = tonumber(entry.cap)
  local shape, stem = given(field[7]), field[8]
  entry.ruled = given(field[9]) ~= nil
  if shape then
    entry.arms = find(shape, "-", 1, true) and shape
    entry.headers, entry.ladders = {}, {}
    for _ in gmatch(shape, "%d+") do
      local arm = #entry.headers
      entry.headers[arm + 1], entry.ladders[arm + 1] = "x-fl-l" .. arm, stem .. "/" .. arm
    end
  end
  entry.dialects = given(field[10]) and dialects_of(field[10], entry, field[4]) or { OpenAI = entry }
  entry.pins = field[15] and pins_of(field[15]) or {}
  entry.translated = { Messages = words_of(field[11]), Chat = words_of(field[12]) }
  entry.converse = converse_of(field[13], field[14])
  return entry
end)

end

-- Which bucket a consumer falls into, the same in every worker and gateway: FNV-1a with a last mix, of 32 bits.
local bucket_of = kept(function(consumer)
  local hash = 2166136261
  for i = 1, #consumer do
    hash = bit.bxor(hash, byte(consumer, i)) % 4294967296
    hash = (hash * 403 + hash % 256 * 16777216) % 4294967296 -- times 16777619, which alone is no whole number any more
  end
  hash = bit.bxor(hash, bit.rshift(hash, 15)) % 4294967296
  hash = (hash % 65536 * 40503 + hash) % 4294967296
  hash = bit.bxor(hash, bit.rshift(hash, 13)) % 4294967296
  return format("%d", hash % 10000)
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
