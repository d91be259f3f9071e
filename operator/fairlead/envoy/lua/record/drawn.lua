-- Which requests are copied, and which of these are recorded: once per request, by its id, which is random -------------

local function is_drawn(hex, share)
  local number = tonumber(hex, 16)
  return number ~= nil and number % 10000 < share
end

function envoy_on_request(h)
  local headers, context = h:headers(), h:filterContext()
  local id = headers:get("x-request-id") or ""
  if not is_drawn(sub(id, 1, 8), context:get("sample")) then return end
  local metadata = h:streamInfo():dynamicMetadata()
  if (metadata:get(NAMESPACE) or {}).pinned then return end -- no copy is made of it
  metadata:set(NAMESPACE, "copied", true)
  if is_drawn(sub(id, -8), context:get("share")) then
    metadata:set(NAMESPACE, "record", context:get("to") .. " " .. id .. " " .. context:get("route"))
  end
  h:clearRouteCache()
end

function envoy_on_response(h)
  local record = record_of(h)
  if not record then return end
  local headers = h:headers()
  local said = said_by(headers, headers:get("x-fairlead-target"))
  post(h, record, "stable", said, pass(h))
end
