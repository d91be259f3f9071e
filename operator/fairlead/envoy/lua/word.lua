-- Words ---------------------------------------------------------------------------------------------------------------
--
-- Names of models as gateways keep them: percent-encoded, so that a blank or a comma in one separates nothing. The rules
-- are those of ir/word.py.

local UNPLAIN_IN_WORD = "[^%w._:/@+-]"
local DASH = 45

local function escaped_byte(c) return string.format("%%%02X", string.byte(c)) end
local function unescaped_byte(digits) return string.char(tonumber(digits, 16)) end

local function word_of(name)
  local dashed = string.byte(name) == DASH
  if not dashed and not string.find(name, UNPLAIN_IN_WORD) then return name end
  local word = string.gsub(name, UNPLAIN_IN_WORD, escaped_byte)
  return dashed and "%2D" .. string.sub(word, 2) or word
end

local function name_of(word)
  if not string.find(word, "%", 1, true) then return word end
  return (string.gsub(word, "%%(%x%x)", unescaped_byte))
end

local IN_JSON = { ['"'] = "\\u0022", ["\\"] = "\\u005c" }

-- The name as it stands in a JSON string, which has then no quote inside: whoever looks for its end finds it.
local function json_of(word) return (string.gsub(name_of(word), '["\\]', IN_JSON)) end
