-- Headers, by allow-list both ways ------------------------------------------------------------------------------------

local function set_of(text)
  local set = {}
  for name in gmatch(text, "[^%s,]+") do set[name] = true end
  return set
end

local TRACING = " b3 traceparent tracestate x-b3-flags x-b3-parentspanid x-b3-sampled x-b3-spanid x-b3-traceid x-request-id"
local TO_PROVIDERS = set_of("accept anthropic-beta anthropic-version cache-control content-length content-type"
  .. " idempotency-key transfer-encoding user-agent x-fairlead-rule" .. TRACING)
local TO_CLIENTS = set_of("cache-control content-disposition content-encoding content-language content-length content-type"
  .. " request-id retry-after retry-after-ms traceresponse transfer-encoding x-should-retry" .. TRACING)

local COLON = 58

local function goes_out(name)
  return TO_PROVIDERS[name] or sub(name, 1, 7) == "openai-" or byte(name) == COLON
end

local function comes_back(name)
  return TO_CLIENTS[name] or sub(name, 1, 7) == "openai-" or sub(name, 1, 10) == "anthropic-"
    or sub(name, 1, 12) == "x-ratelimit-" or byte(name) == COLON
end

local NONE = {}
local FORWARDED = set_of("@forwarded@") -- what some provider of this gateway wants besides
local forwards = next(FORWARDED) ~= nil
local wanted = { ["-"] = NONE } -- by the host's list: texts of the configuration

local function wanted_of(list)
  local names = wanted[list]
  if not names then
    names = set_of(list)
    wanted[list] = names
  end
  return names
end

-- Removes what is not on the list, and remembers of it what another provider, at another attempt, wants.
local function keep_only(headers, listed, more, metadata)
  local gone
  for name in pairs(headers) do
    if not listed(name) and not more[name] then
      gone = gone or {}
      gone[#gone + 1] = name
    end
  end
  if not gone then return end
  for i = 1, #gone do
    local name = gone[i]
    if metadata and FORWARDED[name] then metadata:set(NAMESPACE, "header:" .. name, headers:get(name)) end
    headers:remove(name)
  end
end

-- Lets out what any provider may see, and what the one of this attempt wants.
local function send_only(h, headers, list)
  if not forwards then return keep_only(headers, goes_out, NONE) end
  local metadata = h:streamInfo():dynamicMetadata()
  local more = wanted_of(list)
  keep_only(headers, goes_out, more, metadata)
  metadata:set(NAMESPACE, "forward", list)
  if more == NONE then return end
  local ours = metadata:get(NAMESPACE)
  for name in pairs(more) do
    local value = ours["header:" .. name] -- an attempt before took it off
    if value and not headers:get(name) then headers:replace(name, value) end
  end
end

local function give_back_only(h, headers)
  local more = NONE
  if forwards then
    local ours = h:streamInfo():dynamicMetadata():get(NAMESPACE)
    more = wanted_of(ours and ours.forward or "-")
  end
  keep_only(headers, comes_back, more)
end
