-- The form of a body: what its headers say it is ----------------------------------------------------------------------
-- The provider is told what was read here, never what the client said: another charset is another body.

local check_type, check_decoded, check_encoding

do -- a chunk of Lua has 200 locals at most

local JSON_TYPE = "application/json"
local UTF_8 = { ["utf-8"] = true, ["utf8"] = true }

-- The refusal of a body that is said to be anything but JSON in UTF-8, or nil. Nothing said is taken for that.
function check_type(headers)
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

local MOST_PACKED = 100 -- Envoy gives up a body of which one byte stands for more

-- The refusal of a body that came in an encoding, and of which `length` bytes were decoded, where that is not what came,
-- or nil. A filter before has looked at it. `malformed`: what was decoded is no JSON.
function check_decoded(metadata, length, malformed)
  local ours = metadata:get(NAMESPACE)
  local encoded, came = ours and ours.encoded, ours and ours.came or 0
  local damaged = encoded == false or type(encoded) == "number" and encoded ~= length % 4294967296
  if not damaged and not malformed then return nil end
  return encoded ~= false and length > MOST_PACKED * came and TOO_PACKED or BAD_ENCODING
end

local DECODED = { gzip = true, ["x-gzip"] = true, zstd = true }

-- The refusal of a body in an encoding that was not taken off before, or nil, and whether one was.
function check_encoding(headers)
  local given = headers:get("x-fl-encoding") or headers:get("content-encoding")
  if not given then return nil, false end
  headers:remove("x-fl-encoding")
  local said = match(match(lower(given), "^%s*(.*)$"), "^(.*%S)") or "" -- one pattern would be quadratic in blanks
  if said == "identity" or said == "" then
    headers:remove("content-encoding")
    return nil, false
  end
  if not DECODED[said] or headers:get("content-encoding") then return wrong_encoding(given) end
  return nil, true
end

end
