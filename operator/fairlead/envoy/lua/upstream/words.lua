-- Attempts in the words of another API ----------------------------------------------------------------------------------
--
-- By the client's path: lists of the mark of hosts that want other words, the path there, and what is noted of whose
-- clients these are. Only those that some host of this gateway wants.

local OTHERS, SAYABLE = { ["/messages"] = {}, ["/chat/completions"] = {} }, {}
do
  local char, concat, floor, gsub, now = string.char, table.concat, math.floor, string.gsub, os.time
@words@
end

local ASKED_AT = { messages = "/chat/completions", chat = "/messages" }

-- The path of the client, and the one that was asked for it.
local function client_path(ours) return match(ours.way or "", "/v1(/[^ ?]*)[^ ]*$") end
local function path_of(ours) return ASKED_AT[ours.translated] or client_path(ours) end

local UNSAYABLE = "470" -- as fairlead.statuses has it: retried, and no step towards an ejection

-- The status that an answer in one piece fails with where it cannot be said in the client's words, or nil. It is no stream;
-- and what a model says in it may be a client's doing.
local function fault_of(ours, body)
  local say = SAYABLE[ours.translated]
  if not say then return nil end
  if ours.stream then return "502" end
  return say(body:getBytes(0, body:length())) == nil and UNSAYABLE or nil
end

local VERSION, SAID = "anthropic-version", "2023-06-01"

-- What Anthropic's API wants to be told, where the client did not; another host is not told.
local function say_version(h, headers, wants)
  local metadata = h:streamInfo():dynamicMetadata()
  if wants and not headers:get(VERSION) then
    headers:replace(VERSION, SAID)
    metadata:set(NAMESPACE, "versioned", "1")
  elseif not wants and metadata:get(NAMESPACE).versioned == "1" then
    headers:remove(VERSION)
    metadata:set(NAMESPACE, "versioned", "")
  end
end

-- What this host is to be asked instead, or nil; attempts share what is noted of it.
local function other_words(h, headers, path, forward)
  local others = OTHERS[path]
  if not others or #others == 0 then return nil end
  local metadata, marks, found = h:streamInfo():dynamicMetadata(), wanted_of(forward), nil
  for i = 1, #others do
    if marks[others[i].mark] then found = others[i] end
  end
  metadata:set(NAMESPACE, "translated", found and found.clients or "")
  if path == "/chat/completions" then say_version(h, headers, found ~= nil and not found.converse) end
  if found and found.streamed and tostring(metadata:get(NAMESPACE).stream) == "true" then return found.streamed end
  return found
end

-- Sends the request in the words that the request filter has left beside it. False where there are none.
local function send_words(h, worded, model)
  local all = h:streamInfo():dynamicMetadata():get("fairlead.messages") or NONE
  local said = all[worded.said]
  if said and not worded.converse then -- there the path says the model
    local _, last = find(said, '^{"model":"[^"]*"')
    said = last and '{"model":"' .. json_of(model) .. '"' .. sub(said, last + 1)
  end
  if not said then return false end
  local bytes = h:body(true):setBytes(said)
  h:headers():replace("content-length", tostring(bytes)) -- may have waited for the body
  return true
end
