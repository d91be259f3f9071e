-- Headers that some providers want besides those of the allow-list ---------------------------------------------------

local function set_of(text)
  local set = {}
  for name in gmatch(text, "[^%s,]+") do set[name] = true end
  return set
end

local NONE = {}
local FORWARDED = set_of("@forwarded@") -- what some provider of this gateway wants: the allow-list lets it through
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

-- Lets out what the provider of this attempt wants, and remembers what another one may, at another attempt.
local function send_only(h, headers, list)
  if not forwards then return end
  local metadata, more = h:streamInfo():dynamicMetadata(), wanted_of(list)
  metadata:set(NAMESPACE, "forward", list)
  for name in pairs(FORWARDED) do
    local value = headers:get(name)
    if value and not more[name] then
      metadata:set(NAMESPACE, "header:" .. name, value)
      headers:remove(name)
    end
  end
  if more == NONE then return end
  local ours = metadata:get(NAMESPACE)
  for name in pairs(more) do
    local value = ours["header:" .. name] -- an attempt before took it off
    if value and not headers:get(name) then headers:replace(name, value) end
  end
end

local function give_back_only(h, headers)
  if not forwards then return end
  local ours = h:streamInfo():dynamicMetadata():get(NAMESPACE)
  local more = wanted_of(ours and ours.forward or "-")
  for name in pairs(FORWARDED) do
    if not more[name] then headers:remove(name) end
  end
end
