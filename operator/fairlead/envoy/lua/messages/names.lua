-- Fairlead's messages filter: what a provider of chat/completions said to a client of Anthropic's Messages, in the words of
-- that. It runs on the way back, for attempts whose request was said in other words; see envoy/messages_filter.py.

local byte, char, find, format, gmatch = string.byte, string.char, string.find, string.format, string.gmatch
local gsub, match, sub = string.gsub, string.match, string.sub
local concat, floor = table.concat, math.floor

local NAMESPACE = "fairlead"
