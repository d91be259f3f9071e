-- Fairlead's reading of `authorization: bearer KEY`: api_key_auth takes the scheme only as `Bearer`, one blank behind it,
-- and RFC 9110 takes it in any case, with blanks behind it (no tab). Runs only where the header does not begin so.
-- A scheme without a key says nothing: a key in another header counts.

local find, match = string.find, string.match

function envoy_on_request(h)
  local headers = h:headers()
  local said = headers:get("authorization")
  if not said then return end
  local key = match(said, "^[Bb][Ee][Aa][Rr][Ee][Rr] +(%S+)$")
  if key then
    headers:replace("authorization", "Bearer " .. key)
  elseif find(said, "^%s*[Bb][Ee][Aa][Rr][Ee][Rr]%s*$") then
    headers:remove("authorization")
  end
end
