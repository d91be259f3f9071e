-- References: keys anywhere in a body that name what is kept at the provider's account ------------------------------
-- All callers share that account, so such a name is a way to what another tenant left there. Found in the one pass over
-- the body, from the bytes of a key alone: a string is made of none that is not one of these names. The same pass counts the
-- parts that are pictures, films and files: a few bytes of one may be many tokens.

local look_at, look_anew, looked -- a key; the next body; what was found in it

local NEVER = DEEPEST + 2
local opaque = NEVER -- depth of the key whose value is the caller's own, such as the schema of a tool; nothing is found there

local LEADS = require("ffi").new("uint8_t[256]") -- bytes that such a key, or one in its disguise, begins with: 1

do

local ffi = require("ffi")
local bxor, rol = bit.bxor, bit.rol
local SLOW = 1

local KEPT_THERE = {
  "file_id", "file_ids", "file_uri", "vector_store_id", "vector_store_ids", "container", "container_id", "connector_id",
  "skill_id", "batch_id", "prompt_id", "response_id", "previous_response_id", "conversation_id", "cached_content",
  "upload_id", "library_ids", "collection_ids", "knowledge_id", "audio",
}
-- A container may be described, an id must be a string; only audio that was kept is an object in a message.
local NAMED_BY = { container = 34, audio = 123 }
-- Of `source` an object alone (123).
local SEEN = { image_url = true, video_url = true, audio_url = true, file_data = true, file_url = true, document_url = true,
  source = 123 }
local OWN = {
  "parameters", "input_schema", "schema", "input", "input_examples", "arguments", "metadata", "documents", "annotations",
  "citations", "chat_template_kwargs",
}
local OWN_OF_BODY = { metadata = true, documents = true, chat_template_kwargs = true }

local plain = ffi.new("uint8_t[256]") -- what a byte folds into; 0: nothing; SLOW: more than a byte tells
for c = 48, 57 do plain[c] = c end
for c = 97, 122 do plain[c], plain[c - 32] = c, c end
for _, c in ipairs({ 92, 196, 197, 226 }) do plain[c], LEADS[c] = SLOW, 1 end

local by_hash, by_name, exact, own = {}, {}, {}, {}

local function know(name)
  local hash, letters = 0, gsub(name, "_", "")
  for i = 1, #letters do hash = bxor(rol(hash, 5), byte(letters, i)) end
  by_hash[hash], by_name[letters], exact[name] = true, name, name
  LEADS[byte(name)], LEADS[byte(upper(name))] = 1, 1
end

for _, name in ipairs(KEPT_THERE) do know(name) end
for _, name in ipairs(OWN) do know(name) own[name] = true end
for name in pairs(SEEN) do know(name) end
know("id")

local found, named, odd, seen = nil, false, 0, 0

function look_anew() found, named, odd, seen = nil, false, 0, 0 end

-- The first such key, whether an element of a list has an id, whether more keys are in escapes than are looked at, and how
-- many parts are pictures or files.
function looked() return found, named, odd > MOST_KEYS, seen end

-- Looks at a key, between `from` and `last` of the bytes p, whose value begins with the byte `value`.
function look_at(p, from, last, value, depth)
  local hash, slow = 0, false
  for i = from, last < from + LONGEST_KEY and last or from + LONGEST_KEY do
    local c = plain[p[i]]
    if c == SLOW then
      slow = true
    elseif c ~= 0 then
      hash = bxor(rol(hash, 5), c)
    end
  end
  if not slow and not by_hash[hash] then return end
  local key = ffi.string(p + from, last - from + 1)
  local name = exact[key]
  if not name then
    odd = odd + 1
    if odd > MOST_KEYS then return end
    name = by_name[folded(sub(key, 1, LONGEST_KEY))]
  end
  if not name or value == 110 then return end -- null
  if own[name] then
    if key == name and (depth > 0 or OWN_OF_BODY[name]) then opaque = depth end
  elseif name == "id" then
    named = named or depth == 2
  elseif SEEN[name] then
    if depth > 0 and (SEEN[name] == true or SEEN[name] == value) then seen = seen + 1 end
  elseif depth > 0 and not found and (NAMED_BY[name] or value) == value then
    found = name
  end
end

end
