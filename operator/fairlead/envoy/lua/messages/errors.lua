-- Errors in Anthropic's words -----------------------------------------------------------------------------------------

local KINDS = { [400] = "invalid_request_error", [401] = "authentication_error", [403] = "permission_error",
  [404] = "not_found_error", [413] = "request_too_large", [429] = "rate_limit_error", [529] = "overloaded_error" }

local function error_of(status, message)
  local kind = KINDS[status] or (status >= 500 and "api_error" or "invalid_request_error")
  return '{"type":"error","error":{"type":"' .. kind .. '","message":' .. message .. "}}"
end

-- Whether an error is in Anthropic's words already: the gateway's own.
local function is_own(s) return find(s, '^{"type":"error"') ~= nil end
