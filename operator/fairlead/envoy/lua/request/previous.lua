-- The answer that a request goes on from: `previous_response_id` of /v1/responses ---------------------------------------
--
-- It lies at the endpoint that made it, so the request goes there and nowhere else.

-- A function of its own: a chunk of Lua has 200 locals at most
local previous_of, replace_previous = (function()

@signed@

local SLOT = BODY.slots.previous_response_id
local LONGEST_SENT = 4096

local function not_found(id)
  return refusal("404", "previous_response_not_found", "Previous response with id '" .. sub(id, 1, LONGEST_SHOWN)
    .. "' not found: it is none that this gateway gave to this caller. Send the whole input without it.",
    "previous_response_id")
end

local function elsewhere(model, endpoint)
  return refusal("400", "previous_response_unavailable", "The previous response is kept at `" .. endpoint
    .. "`, which does not answer for the model `" .. name_of(model) .. "` here, or not any more. Ask for the model that"
    .. " the response was made with, or send the whole input without previous_response_id.", "previous_response_id")
end

local function away(endpoint)
  local message = "The previous response is kept at `" .. endpoint .. "`, which is down or drained, and no other endpoint has"
    .. " it. Try again later, or send the whole input without previous_response_id."
  local answer = refusal("503", "previous_response_unavailable", message, "previous_response_id")
  answer.body = gsub(answer.body, '"invalid_request_error"', '"server_error"')
  return answer
end

local NO_NAME = refusal("400", "unsupported_parameter", "The previous_response_id parameter is not supported for callers"
  .. " without a key: nobody knows whether they are one. Send the whole input.", "previous_response_id")

local function endpoint_of(target) return match(target, "^([^/]*/[^/]*)") end

-- What of an entry stands where the answer lies: the model that made it, if it does, else the first of that endpoint.
local function place_in(entry, target)
  local near
  for _, pin in ipairs(entry.pins) do
    if pin.target == target then return pin end
    if not near and endpoint_of(pin.target) == endpoint_of(target) then near = pin end
  end
  return near
end

local function entry_at(directory, route)
  local text = directory:get("t:" .. route)
  return text and entry_of(text)
end

-- The same of an entry, and of the one that answers for it under a budget's pressure.
local function place_under(directory, entry, target)
  local pin = place_in(entry, target)
  if pin then return pin, entry end
  local route = directory:get("d:" .. entry.route)
  local smaller = route and entry_at(directory, route)
  pin = smaller and place_in(smaller, target)
  return pin, pin and smaller
end

-- The same of the entry that was asked, and of those that its rules lead to: one of them made the answer. Last, the routes
-- that led there.
local function find_place(directory, entry, target)
  local pin, owner = place_under(directory, entry, target)
  if pin or not entry.ruled then return pin, owner, nil, entry.route end
  for rule, route in gmatch(directory:get("r:" .. entry.route) or "", "([^| ]+) ([^| ]+) [^|]*") do
    local reached = entry_at(directory, route)
    if reached then
      pin, owner = place_under(directory, reached, target)
      if pin then return pin, owner, rule, owner == reached and entry.route or entry.route .. "," .. route end
    end
  end
  return nil
end

-- An entry that leads to one endpoint, by its last resort: no breaker stands before it, and nothing behind it.
local function only_there(entry, pin)
  return setmetatable({
    wire = json_of(pin.wire), way = pin.wire .. " " .. pin.wire .. " " .. pin.target .. " ",
    headers = { "x-fl-l" .. 0 }, ladders = { gsub(endpoint_of(pin.target), "%.", "~") .. "!" }, arms = false,
  }, { __index = entry })
end

-- Writes the provider's own id into the body.
local function replace_previous(id) replace(value_at[SLOT], value_end[SLOT], '"' .. id .. '"') end

-- Nil where a request goes on from nothing; else the refusal, or nil, the entry that it takes and the provider's id.
local function previous_of(s, directory, entry, consumer, model, metadata)
  local text = directory:get("i")
  local anonymous = directory:get("a:" .. consumer) ~= nil
  if not anonymous then metadata:set(NAMESPACE, "signs", text) end
  local value = key_at[SLOT] ~= 0 and value_of(s, SLOT) or "null"
  if value == "null" then return nil end
  if anonymous then return NO_NAME end
  local id = #value <= LONGEST_SENT and match(value, '^"([^"\\]+)"$')
  if not id then return not_found("?") end
  local target, kept = opened_id(signers_of(text), consumer, id)
  if not target then return not_found(id) end
  local pin, owner, rule, led = find_place(directory, entry, target)
  if not pin then return elsewhere(model, endpoint_of(target)) end
  if pin.stopped then return away(endpoint_of(target)) end
  if entry.ruled then
    metadata:set(NAMESPACE, "ruled", entry.route)
    metadata:set(NAMESPACE, "rule", rule or "none")
  end
  if owner.route ~= entry.route then metadata:set(NAMESPACE, "asked", led) end
  metadata:set(NAMESPACE, "pinned", true)
  metadata:set(NAMESPACE, "previous", id)
  return nil, only_there(owner, pin), kept
end

return previous_of, replace_previous

end)()
