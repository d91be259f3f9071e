-- The form of a body: what its headers say it is ----------------------------------------------------------------------
-- The provider is told what was read here, never what the client said: another charset is another body.

local JSON_TYPE = "application/json"
local UTF_8 = { ["utf-8"] = true, ["utf8"] = true }

-- The refusal of a body that is said to be anything but JSON in UTF-8, or nil. Nothing said is taken for that.
local function check_type(headers)
  local given = headers:get("content-type")
  if given == JSON_TYPE then return nil end
  if given and given ~= "" then
    local said = lower(given)
    if not find(said, "^%s*application/json%s*$") and not find(said, "^%s*application/json%s*;[^,]*$") then
      return wrong_type(given)
    end
    for charset in gmatch(said, "charset%*?%s*=%s*[\"']?([^;\"'%s]*)") do
      if not UTF_8[charset] then return wrong_type(given) end
    end
  end
  headers:replace("content-type", JSON_TYPE)
  return nil
end

local DECODED = { gzip = true, ["x-gzip"] = true, zstd = true }

-- The refusal of a body in an encoding that was not taken off before, or nil, and whether one was.
local function check_encoding(headers)
  local given = headers:get("x-fl-encoding") or headers:get("content-encoding")
  if not given then return nil, false end
  headers:remove("x-fl-encoding")
  local said = match(lower(given), "^%s*(.-)%s*$")
  if said == "identity" or said == "" then
    headers:remove("content-encoding")
    return nil, false
  end
  if not DECODED[said] or headers:get("content-encoding") then return wrong_encoding(given) end
  return nil, true
end
