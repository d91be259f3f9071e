-- Fairlead's reading of `authorization: bearer KEY`: api_key_auth takes the scheme only as `Bearer`, one blank behind it,
-- and RFC 9110 takes it in any case. Runs only where the header does not begin so.

local match = string.match

function envoy_on_request(h)
  local headers = h:headers()
  local key = match(headers:get("authorization") or "", "^[Bb][Ee][Aa][Rr][Ee][Rr] +(%S+)$")
  if key then headers:replace("authorization", "Bearer " .. key) end
end
