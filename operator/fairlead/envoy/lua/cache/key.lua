-- The key of a request: everything that its answer depends on, and whose it is ------------------------------------------

local NAMESPACE = "fairlead"
local ANONYMOUS = "@anonymous@" -- the consumer that all callers without a key are
local HEADERS = { @headers@ } -- of requests, that say how a provider is to answer

-- What `Cache-Control` says: whether nothing may be read, whether nothing may be kept, and how old an answer may be, in
-- seconds. The least of several ages counts; one that is no number makes every answer too old (RFC 9111, 4.2.1). `Pragma`
-- counts where there is no other header, and of its words `no-cache` alone (5.4).
local function directives(headers)
  local control = headers:get("cache-control")
  local text = control or headers:get("pragma")
  if not text then return false, false, nil end
  local unread, unkept, oldest_s = false, false, nil
  for directive in gmatch(lower(text), "[^,]+") do
    local name, value = match(directive, "^%s*([%w-]+)()")
    if name == "no-cache" then
      unread = true
    elseif control and name == "no-store" then
      unkept = true
    elseif control and name == "max-age" then
      local age = match(directive, "^%s*=%s*(%d+)%s*$", value) or match(directive, '^%s*=%s*"(%d+)"%s*$', value)
      oldest_s = math.min(oldest_s or math.huge, tonumber(age or "0"))
    end
  end
  return unread or unkept or oldest_s == 0, unkept, oldest_s
end

-- Whose answers a caller may get: its own, or those of its namespace; nil where nobody can tell whose they are.
local function owner_of(consumer, shared)
  if shared then return "n:" .. match(consumer, "^[^/]*") end
  if consumer == ANONYMOUS then return nil end
  return "c:" .. consumer
end

local parts = {}

-- Puts parts together, each behind its length: no two lists make one key.
local function joined(count)
  for n = 1, count do
    local part = parts[n]
    parts[n] = #part .. ":" .. part
  end
  return concat(parts, "", 1, count)
end

local function key_of(owner, context, ours, headers, body)
  parts[1], parts[2], parts[3] = owner, context:get("made_by"), ours.model
  parts[4] = match(ours.way, " (/%S*)$")
  parts[5] = (ours.stream and "s" or "j") .. (ours.unasked and "u" or "a")
  local count = 5
  for n = 1, #HEADERS do
    local value = headers:get(HEADERS[n])
    parts[count + n] = value and "=" .. value or ""
  end
  count = count + #HEADERS + 1
  parts[count] = body
  local key = joined(count)
  for n = 1, count do parts[n] = nil end -- they can be megabytes
  return key
end
