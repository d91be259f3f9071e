-- Fairlead's filter of answers that their provider keeps: their ids become those of the caller and of the endpoint that
-- made them, in answers in one piece and in each event of a stream; see envoy/response_ids.py.

local byte, char, find, format, gmatch = string.byte, string.char, string.find, string.format, string.gmatch
local gsub, match, sub = string.gsub, string.match, string.sub
local concat = table.concat
local now = os.time

local NAMESPACE = "fairlead"
