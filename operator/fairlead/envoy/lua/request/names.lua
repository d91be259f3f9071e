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
local CHAT = "Chat"
local MODEL_LENGTH = 512 -- bytes: the 128 characters that a resource may write
local LONGEST_MODEL = 6 * MODEL_LENGTH + 2 -- all in escapes, two quotes
local KEPT = 4096 -- entries of a cache, then it starts anew
local LARGE = 1048576 -- bytes; the garbage of a larger body is collected at once: three copies of it

local DEEPEST = 128 -- containers in containers; serde, which many servers are made with, reads as many
local MOST_MEMBERS = 100000 -- of all objects of a body; elements of arrays are not counted
local MOST_CONTAINERS = 100000 -- objects and arrays
local MOST_KEYS = 1000 -- of an object that is read: each of its keys may be one in disguise
local MOST_PROMPTS = 10000
local TOKENS = { -- of input that has few bytes, or none
  picture = 16384, -- that is read: `docs/money.md` says who counts more
  tools = 2048, -- of what a provider tells a model of tools: Anthropic 346, and up to 735 for one that it has words of
}

local NAMES = {} -- of members that are read, by slot

-- The members that are read of an object, numbered from `first` on: each has a slot in the tables of a scan. `starts`
-- are the bytes that such a key, or one in its disguise, can begin with; most keys of a request begin with others.
-- `folded`: their letters and digits alone.
-- Those after the first `judged` ones are noted only: that one is given twice, or in a disguise, is `unclear`, and refused
-- where somebody needs it.
local function readable(first, names, judged)
  local reading = {
    slots = {}, folded = {}, first = first, last = first - 1, noted = judged and first + judged or math.huge,
    starts = { [92] = true, [196] = true, [197] = true, [226] = true },
    harmless = {}, known = 0, -- keys of requests that are none of these: most are looked up once
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
  -- what is kept at a provider, or not waited for
  "container", "cached_content", "kv_transfer_params", "session_params", "deferred",
  -- another model, provider, address or adapter than the gateway chose: OpenRouter, LiteLLM, llama.cpp, SGLang, TGI
  "models", "fallbacks", "route", "provider", "preset", "model_list", "user_config", "context_window_fallbacks",
  "content_policy_fallbacks", "custom_llm_provider", "api_base", "base_url", "api_key", "lora", "lora_path",
  "lora_request", "adapter_id",
  -- another price than the model's, up to `tools`
  "service_tier", "speed", "inference_geo", "prediction", "web_search_options", "search_parameters", "plugins",
  "mcp_servers", "data_sources", "enable_search", "search_options", "web_search", "search_settings", "compound_custom",
  "enable_enhancement", "extra_body", "chat_template", "tools", "input",
  -- what rules look at: of prompts, and of the form of the answer
  "messages", "system", "instructions", "response_format", "text", "output_config", "output_format",
  -- what is billed by searches, and the form of an answer that is spoken
  "documents", "stream_format", "query",
}, 56)
local INCLUDE_USAGE = BODY.last + 1
local OPTIONS = readable(INCLUDE_USAGE, { "include_usage" })

-- What may be asked. `own` are the members by which an endpoint limits its output; where none of them is given, the
-- first is added. `usage`: streams tell their usage only when asked to. `stored`: the prompt may name one that a provider
-- keeps, the input items, and the answer may be left there. `needs`: the protocol that a rung must speak to be asked.
-- `part`: what it needs alone, where the directory tells that apart.
-- `version`: what is said of Anthropic's API where the client says nothing. `free`: it answers nothing that is billed.
-- `form`: it comes as multipart/form-data. `also`: a kind beside `kind`. `unit`: what it asks for that may be billed by other units than tokens. `paced`: `speed` is how fast is spoken.
-- `worded`: some rungs want it in the words of the other API; `as_it_is` names the protocol of the rungs that take it otherwise.
local PATHS = {
  ["/v1/chat/completions"] = { kind = CHAT, needs = "OpenAI", part = "Chat", worded = "Chat", as_it_is = "OpenAI", usage = true, own = { "max_completion_tokens", "max_tokens" } },
  ["/v1/completions"] = { kind = CHAT, needs = "OpenAI", usage = true, own = { "max_tokens" } },
  ["/v1/responses"] = { kind = CHAT, needs = "OpenAI", part = "Responses", own = { "max_output_tokens" }, stored = true },
  ["/v1/messages"] = { kind = CHAT, version = "2023-06-01", worded = "Messages", as_it_is = "Anthropic", own = { "max_tokens" } },
  ["/v1/messages/count_tokens"] = { kind = CHAT, needs = "Anthropic", version = "2023-06-01", own = {}, free = true },
  ["/v1/embeddings"] = { kind = "Embedding", own = {} },
  ["/v1/images/generations"] = { kind = "Image", own = {}, unit = "images" },
  ["/v1/images/edits"] = { kind = "Image", own = {}, unit = "images", form = true },
  ["/v1/audio/speech"] = { kind = "Audio", also = "Speech", own = {}, unit = "characters", paced = true },
  ["/v1/audio/transcriptions"] = { kind = "Audio", also = "Transcription", own = {}, unit = "seconds", form = true },
  ["/v1/audio/translations"] = { kind = "Audio", also = "Transcription", own = {}, unit = "seconds", form = true },
  ["/v1/rerank"] = { kind = "Rerank", own = {}, unit = "documents" },
  ["/v1/moderations"] = { kind = "Moderation", own = {} },
}
local MODELS_PATH = "/v1/models"
