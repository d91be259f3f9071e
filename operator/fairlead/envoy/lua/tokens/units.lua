-- Units other than tokens: what is billed of an answer that is no text ---------------------------------------------------

local MOST_UNITS = 100000

-- How many objects the list at the next byte has; false when it does not end.
local function read_length(r)
  r.i = r.i + 1
  local c, length = next_byte(r), 0
  while c and c ~= 93 do
    if c == 123 then length = length + 1 end
    if not skip_value(r) then return false end
    c = next_byte(r)
    if c ~= 44 and c ~= 93 then return false end
    if c == 44 then
      r.i = r.i + 1
      c = next_byte(r)
    end
  end
  r.i = r.i + 1
  return c ~= nil and length
end

local function billed_member(r, name, first, record)
  if name ~= "search_units" or first == 34 or first == 123 or first == 91 then return nil end
  local word = read_word(r)
  if not word then return false end
  local number = match(word, "^%d+$") and #word <= 15 and tonumber(word)
  if number and number <= MOST_UNITS then record.units, record.changed = number, true end
  return true
end

local function meta_member(r, name, first, record)
  if name == "billed_units" and first == 123 then return read_object(r, billed_member, record) end
end

-- By the kind of the model: reads a member of its answer that counts; nil for any other.
local UNITS_OF = {
  Image = function(r, name, first, record)
    if name ~= "data" or first ~= 91 then return nil end
    local length = read_length(r)
    if length then record.units, record.changed = length, true end
    return length ~= false
  end,
  Transcription = function(r, name, first, record)
    if name ~= "duration" or first < 48 or first > 57 then return nil end
    local whole, found = milliseconds(r)
    if found and not record.timed then record.units, record.changed = found, true end
    return whole
  end,
  Rerank = function(r, name, first, record)
    if name == "meta" and first == 123 then return read_object(r, meta_member, record) end
  end,
}
UNITS_OF.Audio = UNITS_OF.Transcription
