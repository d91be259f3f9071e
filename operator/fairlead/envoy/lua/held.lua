-- Which credentials are there -----------------------------------------------------------------------------------------
--
-- The answer of `held.PATH`, for whoever has the key that only the operator knows. It reads files as an attempt does, and
-- says of each that is asked for whether it can be sent, never what it holds.

local FILES = "x-fairlead-files"
local MOST = 64
local CONSUMER, CLIENT = "x-fl-consumer", "fairlead read-back"

function envoy_on_request(h)
  if h:headers():get(CONSUMER) ~= CLIENT then
    h:respond({ [":status"] = "404" }, "")
    return
  end
  local absent = {}
  for file in gmatch(h:headers():get(FILES) or "", "[^,]+") do
    local is_one = match(file, "^[%w.-]+/[%w._-]+$") and not find(file, "..", 1, true)
    local path = CREDENTIALS .. "/" .. file
    if #absent < MOST and not (is_one and (read_credential(path) or is_credentials_file(read_file(path) or ""))) then
      absent[#absent + 1] = file
    end
  end
  h:respond({ [":status"] = "200", ["x-fairlead-absent"] = table.concat(absent, ",") }, "")
end
