-- Turns of a conversation, in an API that has one message for all that somebody says until another speaks --------------

-- Whether a string of JSON has nothing but blanks.
local function is_blank(text)
  local at, from = 2, 1
  while at > from do
    from, at = at, match(text, "^%s*()", at)
    at = match(text, "^\\[nrt]()", at) or at
  end
  return at == #text
end

-- The last turn, or a new one where somebody else speaks: results of tools, and all that a user says after them, are one.
local function turn_of(turns, role)
  local last = turns[#turns]
  if not last or last.role ~= role then
    last = { role = role, results = {}, blocks = {} }
    turns[#turns + 1] = last
  end
  return last
end

local function say(turns, role, blocks)
  if #blocks == 0 then return end
  local said = turn_of(turns, role).blocks
  for i = 1, #blocks do said[#said + 1] = blocks[i] end
end

-- The members of a request that say who said what.
local function said_in(system, turns)
  local said = {}
  for i, turn in ipairs(turns) do
    for _, block in ipairs(turn.blocks) do turn.results[#turn.results + 1] = block end
    said[i] = '{"role":"' .. turn.role .. '","content":[' .. concat(turn.results, ",") .. "]}"
  end
  return (#system > 0 and ',"system":[' .. concat(system, ",") .. "]" or "") .. ',"messages":[' .. concat(said, ",") .. "]"
end
