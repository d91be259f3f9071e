-- Fairlead's request filter: which model, for whom, which route. Its contract stands in envoy/request_filter.py.
--
-- Three rules shape it. A request that this filter does not understand is never forwarded: every way out is either a
-- decision or an answer, and an error in Lua answers 500 (Envoy by itself would let the request go on). The body keeps
-- its bytes, except for the values named in the contract. And it runs on every request: state that is needed only
-- between two yields lives in the tables below and makes no garbage, what the directory says is taken apart once and
-- kept by content.

local byte, char, find, format, gmatch = string.byte, string.char, string.find, string.format, string.gmatch
local gsub, lower, match, sub, upper = string.gsub, string.lower, string.match, string.sub, string.upper
local concat, sort = table.concat, table.sort
local now = os.time

local NAMESPACE = "fairlead"
local CHAT, EMBEDDING = "Chat", "Embedding"
local MODEL_GRAMMAR = '^"([%w._:/@+-]+)"$'
local MODEL_LENGTH = 256
local LONGEST_MODEL = 6 * MODEL_LENGTH + 3 -- all in escapes, two quotes; one more would be too long
local KEPT = 4096 -- entries of a cache, then it starts anew
local LARGE = 1048576 -- bytes; the garbage of a larger body is collected at once: three copies of it

local DEEPEST = 128 -- containers in containers; serde, which many servers are made with, reads as many
local MOST_MEMBERS = 100000 -- of all objects of a body; elements of arrays are not counted

local NAMES = {} -- of members that are read, by slot

-- The members that are read of an object, numbered from `first` on: each has a slot in the tables of a scan. `starts`
-- are the bytes that such a key, or one in its disguise, can begin with; most keys of a request begin with others.
-- `folded`: their letters and digits alone.
local function readable(first, names)
  local reading = {
    slots = {}, folded = {}, first = first, last = first - 1,
    starts = { [92] = true, [196] = true, [197] = true, [226] = true },
  }
  for _, name in ipairs(names) do
    reading.last = reading.last + 1
    NAMES[reading.last] = name
    reading.slots[name], reading.folded[gsub(name, "_", "")] = reading.last, reading.last
    reading.starts[byte(name)], reading.starts[byte(upper(name))] = true, true
  end
  return reading
end

local MODEL, STREAM, STREAM_OPTIONS, FIRST_LIMIT, LAST_LIMIT, FIRST_COUNT, LAST_COUNT = 1, 2, 3, 4, 7, 8, 10
local PROMPT, PROMPT_EMBEDS, BACKGROUND = 11, 12, 13
local BODY = readable(MODEL, {
  "model", "stream", "stream_options", "max_tokens", "max_completion_tokens", "max_output_tokens", "n_predict",
  "n", "best_of", "n_cmpl", "prompt", "prompt_embeds", "background", "previous_response_id", "conversation",
})
local STORED = { PROMPT, BACKGROUND, BACKGROUND + 1, BACKGROUND + 2 } -- of the Responses API
local INCLUDE_USAGE = BODY.last + 1
local OPTIONS = readable(INCLUDE_USAGE, { "include_usage" })

local USAGE = '{"include_usage":true}'

-- What may be asked. `own` are the members by which an endpoint limits its output; where none of them is given, the
-- first is added. `usage`: streams tell their usage only when asked to. `stored`: members may name what one provider
-- keeps.
local PATHS = {
  ["/v1/chat/completions"] = { kind = CHAT, usage = true, own = { "max_completion_tokens", "max_tokens" } },
  ["/v1/completions"] = { kind = CHAT, usage = true, own = { "max_tokens" } },
  ["/v1/responses"] = { kind = CHAT, own = { "max_output_tokens" }, stored = true },
  ["/v1/messages"] = { kind = CHAT, own = { "max_tokens" } },
  ["/v1/embeddings"] = { kind = EMBEDDING, own = {} },
}
local MODELS_PATH = "/v1/models"
