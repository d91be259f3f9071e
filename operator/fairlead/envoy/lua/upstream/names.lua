-- Fairlead's upstream filter: runs once per attempt, after its host is chosen and the client's credentials are off. Puts
-- the host's credential on, writes model and path as the host wants them, and lets nothing of ours out. On the way back it
-- lets through what the client's API knows, and makes a 200 that is no answer a failed attempt.

local byte, find, format, match = string.byte, string.find, string.format, string.match
local gmatch, gsub, lower, sub = string.gmatch, string.gsub, string.lower, string.sub

local NAMESPACE = "fairlead"
