-- Attempts in the words of another API ----------------------------------------------------------------------------------
--
-- By the client's path: the mark of hosts that want other words, the path there, and whose clients these are. Only those
-- that some host of this gateway wants.

local OTHERS, SAYABLE = {}, {}
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
  local other = OTHERS[path]
  if not other then return nil end
  local wants = wanted_of(forward)[other.mark] ~= nil
  h:streamInfo():dynamicMetadata():set(NAMESPACE, "translated", wants and other.clients or "")
  if other.clients == "chat" then say_version(h, headers, wants) end
  return wants and other or nil
end

-- Sends the request in the words that the request filter has left beside it. False where there are none.
local function send_words(h, model)
  local said = (h:streamInfo():dynamicMetadata():get("fairlead.messages") or NONE).said
  local _, last = find(said or "", '^{"model":"[^"]*"')
  if not last then return false end
  local bytes = h:body(true):setBytes('{"model":"' .. json_of(model) .. '"' .. sub(said, last + 1))
  h:headers():replace("content-length", tostring(bytes)) -- may have waited for the body
  return true
end
