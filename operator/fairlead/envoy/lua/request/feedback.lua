-- POST /v1/feedback ---------------------------------------------------------------------------------------------------
-- The budget server knows the answers. It is asked from here, and not by a route, so that a key is judged as for any other
-- request, and no budget of it is.

local is_feedback, feedback_in, rate

do -- a chunk of Lua has 200 locals at most

local FEEDBACK_PATH = "/v1/feedback"
local LONGEST_FEEDBACK = 1024
local PATIENCE_MS = 5000
local ANSWERS = { ["200"] = true, ["400"] = true, ["404"] = true, ["409"] = true }
local TOO_LONG = refusal("413", "request_too_large", "A rating has at most " .. LONGEST_FEEDBACK .. " bytes.")
local NOT_NOW = refusal("503", "feedback_unavailable", "Ratings cannot be taken at the moment; send it again later.")

function is_feedback(h)
  local headers = h:headers()
  local path = headers:get(":path")
  return sub(path, 1, #FEEDBACK_PATH) == FEEDBACK_PATH and match(path, "^[^?]*") == FEEDBACK_PATH
    and headers:get(":method") == "POST" and directory_of(h):get("f") ~= nil
end

-- The refusal of a body, or nil and the body.
function feedback_in(h, buffer)
  local headers = h:headers()
  local problem = check_type(headers) or (check_encoding(headers))
  if problem then return problem end
  local length = buffer:length()
  if length == 0 then return EMPTY end
  if length > LONGEST_FEEDBACK then return TOO_LONG end
  return nil, buffer:getBytes(0, length)
end

-- Asks; yields, so that what was taken from h before it is out of scope after it.
function rate(h, consumer, body)
  local headers, answer = h:httpCall("!usage", {
    [":method"] = "POST", [":path"] = FEEDBACK_PATH, [":authority"] = "fairlead", ["content-type"] = "application/json",
    ["x-fl-consumer"] = consumer,
  }, body, PATIENCE_MS)
  local status = headers and headers[":status"] or ""
  if not ANSWERS[status] or not answer then return NOT_NOW end
  return { status = status, body = answer, code = status ~= "200" and "feedback" or nil }
end

end
