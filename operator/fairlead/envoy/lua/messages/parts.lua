-- Parts of a request: what is taken of them, left out or refused, whichever API it is said in ---------------------------

local left_out -- names of hints, in order, and by name
-- What the rungs that want these words have besides: `reasoning`, how their models are told to think; `leaves`, whether
-- how tokens are drawn is a hint; `most`, of Messages, the tokens of an answer whose client names no limit.
local terms

local function leave(name)
  if not left_out[name] then
    left_out[name], left_out[#left_out + 1] = true, name
  end
end

local function refuse(name)
  error({ name = gsub(name, " of type $", "") }, 0) -- a type that is none, or is spelled in escapes
end

-- What says how tokens are drawn, and the other API cannot say: refused, unless the providers may be asked without it.
local function draw_anyhow(name)
  if not terms.leaves then refuse(name) end
  leave(name)
  return ""
end
local function needed(value, name) return value or refuse(name) end

-- A string of JSON: what is cut open or put among others must be one.
local function word(value, name) return value and byte(value) == 34 and value or refuse(name) end

-- The members of an object that say something: `null` is as if there were none.
local function parts_of(text, where)
  local found = needed(members(text), where)
  for name, value in pairs(found) do
    if value == "null" then found[name] = nil end
  end
  return found
end

local function object(value, name) return value and byte(value) == 123 and value or refuse(name) end

-- Refuses members that nobody knows what they would mean.
local function only(found, known, where)
  for name in pairs(found) do
    if not known[name] then
      if name == "cache_control" then leave(name) else refuse(where .. "." .. name) end
    end
  end
end

local function type_of(block)
  return match(block.type or "", '^"([%w_%-]+)"$') or ""
end

-- A request in the words that `make` finds for it, and the hints that it leaves out, in a list; or nil, and what cannot
-- be said.
local function said_by(make, s, wanted)
  left_out, terms = {}, wanted
  local ok, text = pcall(make, s)
  if ok then return text, concat(left_out, ", ") end
  return nil, type(text) == "table" and text.name or error(text, 0)
end
