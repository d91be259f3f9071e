-- Fairlead's filter of answers in other words: what a provider said in one API to a client of the other. It runs on the way
-- back, for attempts whose request was said in other words; see envoy/words.py.

local byte, char, find, format, gmatch = string.byte, string.char, string.find, string.format, string.gmatch
local gsub, match, sub = string.gsub, string.match, string.sub
local concat, floor = table.concat, math.floor
local now = os.time

local NAMESPACE = "fairlead"
