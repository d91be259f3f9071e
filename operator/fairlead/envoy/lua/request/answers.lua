-- Answers -----------------------------------------------------------------------------------------------------------

local quote

do -- a chunk of Lua has 200 locals at most

local JSON_ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\" }
local function escape(c) return JSON_ESCAPES[c] or format("\\u%04x", byte(c)) end

local UTF_8_CHARACTERS = {
  "[\194-\223][\128-\191]", "\224[\160-\191][\128-\191]", "[\225-\236\238\239][\128-\191][\128-\191]",
  "\237[\128-\159][\128-\191]", "\240[\144-\191][\128-\191][\128-\191]",
  "[\241-\243][\128-\191][\128-\191][\128-\191]", "\244[\128-\143][\128-\191][\128-\191]",
}

local function is_utf8(text)
  if not find(text, "[\128-\255]") then return true end
  for _, character in ipairs(UTF_8_CHARACTERS) do text = gsub(text, character, "c") end
  return not find(text, "[\128-\255]")
end

-- A string of JSON. What is no UTF-8 is shown byte by byte.
function quote(text)
  return '"' .. gsub(text, is_utf8(text) and '[%c"\\\127]' or '[%c"\\\127-\255]', escape) .. '"'
end

end

local function refusal(status, code, message, param)
  return {
    status = status,
    code = code,
    message = message,
    body = '{"error":{"message":' .. quote(message) .. ',"type":"invalid_request_error","param":'
      .. (param and quote(param) or "null") .. ',"code":"' .. code .. '"}}',
  }
end

local EMPTY = refusal("400", "invalid_json", "The request body is empty; a JSON object is wanted.")
local MALFORMED = refusal("400", "invalid_json", "The request body is not a valid JSON object.")
local TOO_DEEP = refusal("400", "invalid_json",
  "The request body is nested deeper than " .. DEEPEST .. " objects and arrays.")
local TOO_MANY_MEMBERS = refusal("400", "invalid_json",
  "The request body has more than " .. MOST_MEMBERS .. " members of objects, or objects and arrays.")
local TOO_MANY_KEYS = refusal("400", "invalid_json",
  "The request body, or its stream_options, has more than " .. MOST_KEYS .. " members of its own, or as many keys inside"
  .. " in disguise: in escapes, or in other letters than those that an API has.")
local BAD_ENCODING = refusal("400", "invalid_encoding",
  "The request body is not what its content-encoding says, has no JSON inside, or packs a part too well to be read.")
local TOO_PACKED = refusal("415", "unsupported_encoding", "The request body packs more than 100 bytes into one, which is "
  .. "read in gzip of less than 10,000 bytes alone; send it as it is.")
local NO_MODEL = refusal("400", "missing_model", "You must provide a model parameter.", "model")
local BAD_MODEL = refusal("400", "invalid_model",
  "The model parameter must be the name of a model: a string of 1 to " .. MODEL_LENGTH .. " bytes.", "model")
local BAD_STREAM = refusal("400", "invalid_stream", "The stream parameter must be a boolean.", "stream")
local BAD_OPTIONS = refusal("400", "invalid_stream_options",
  "The stream_options parameter must be an object whose include_usage is a boolean.", "stream_options")
local BROKEN = {
  status = "500",
  code = "internal_error",
  message = "The gateway failed to read this request.",
  body = '{"error":{"message":"The gateway failed to read this request.","type":"server_error","param":null,'
    .. '"code":"internal_error"}}',
}

-- 429 as the budget server gives it, in the words of OpenAI.
local function no_quota(message, headers)
  return {
    status = "429",
    code = "insufficient_quota",
    message = message,
    body = '{"error":{"message":' .. quote(message)
      .. ',"type":"insufficient_quota","param":null,"code":"insufficient_quota"}}',
    headers = headers,
  }
end

local anthropic_error, stopped

do -- a chunk of Lua has 200 locals at most

local ANTHROPIC_TYPES = {
  ["401"] = "authentication_error", ["404"] = "not_found_error", ["429"] = "rate_limit_error", ["500"] = "api_error",
}

-- The same answer in the shape of Anthropic's API.
function anthropic_error(answer)
  return '{"type":"error","error":{"type":"' .. (ANTHROPIC_TYPES[answer.status] or "invalid_request_error")
    .. '","message":' .. quote(answer.message) .. "}}"
end

local NO_RETRY = { ["x-should-retry"] = "false", ["x-fairlead-budget-remaining"] = "0" }

function stopped(consumer)
  return no_quota("`" .. consumer .. "` was stopped by hand; ask whoever runs this gateway.", NO_RETRY)
end

end

local LONGEST_SHOWN = 100

local function wrong_type(given)
  return refusal("415", "unsupported_media_type", "The content type `" .. sub(given, 1, LONGEST_SHOWN)
    .. "` is not read here; send JSON in UTF-8, with the header `content-type: application/json`.")
end

local function wrong_encoding(given)
  return refusal("415", "unsupported_encoding", "The content encoding `" .. sub(given, 1, LONGEST_SHOWN)
    .. "` is not read here; send the body as it is, or in gzip or zstd.")
end

local function doubled(name)
  return refusal("400", "invalid_json", "The request body has the key " .. name .. " more than once.", name)
end

local function disguised(name)
  return refusal("400", "invalid_json",
    "The request body has a key that some servers read as " .. name .. "; spell it plainly.", name)
end

local function bad_limit(name)
  return refusal("400", "invalid_max_tokens",
    "The " .. name .. " parameter must be a whole number, at least 1: output of this model is limited, your budget is, or a rule of"
    .. " this route asks for it.", name)
end

local function bad_count(name)
  return refusal("400", "invalid_n", "The " .. name .. " parameter must be a whole number, at least 1: your budget is limited.", name)
end

local function uncountable(name, kind)
  return refusal("400", "invalid_type", "The " .. name .. " parameter must be " .. kind
    .. ": your budget is limited, and this model is billed by it.", name)
end

local TOO_MANY_PROMPTS = refusal("400", "invalid_n",
  "The prompt parameter has more than " .. MOST_PROMPTS .. " prompts; send them in several requests.", "prompt")

local function unsupported(name)
  return refusal("400", "unsupported_parameter", "The " .. name .. " parameter is not supported: it names what one provider "
    .. "keeps, and requests of this gateway go to several. Send the whole input, and wait for the answer.", name)
end

local function chosen(name)
  return refusal("400", "unsupported_parameter", "The " .. name .. " parameter is not supported: which model answers, and "
    .. "where, is for this gateway to choose. Leave it out.", name)
end

local function unpriced(name, value)
  return refusal("400", "unsupported_parameter", "The " .. name .. " parameter" .. (value and " with " .. value or "")
    .. " is not supported under a budget: it costs by the call, or by another price, which no reservation covers."
    .. " Leave it out.", name)
end

local function too_long(name)
  return refusal("400", "invalid_number", "The " .. name .. " parameter has more than 15 digits.", name)
end

local function odd_model(character)
  return refusal("400", "invalid_model", "The model parameter has the character " .. character
    .. ", which no model's name has.", "model")
end

local function unknown_model(model)
  if #model > MODEL_LENGTH then model = gsub(sub(model, 1, MODEL_LENGTH), "[\192-\255][\128-\191]*$", "") end
  return refusal("404", "model_not_found",
    "The model `" .. model .. "` does not exist or you do not have access to it.")
end

local wrong_endpoint

do -- a chunk of Lua has 200 locals at most

local MODELS_OF = {
  Embedding = "an embedding model", Image = "an image model", Audio = "an audio model", Rerank = "a rerank model",
  Moderation = "a moderation model", Speech = "a model of speech", Transcription = "a model of transcriptions",
}

-- `kind` is the model's, `wanted` the one that the path asks for.
function wrong_endpoint(model, path, kind, wanted)
  return refusal("404", "unsupported_endpoint", "The model `" .. model .. "` is "
    .. (MODELS_OF[kind] or "not " .. MODELS_OF[wanted]) .. " and is not supported at " .. path .. ".", "model")
end

end

-- What no provider of the model can be told in its words, by the API of the client; `conversed`: in Bedrock's.
local function unsayable(name, worded, conversed)
  return refusal("400", "unsupported_parameter", "The " .. name .. " parameter is not supported by this model: its provider"
    .. " speaks " .. (conversed and "Bedrock's Converse" or worded == "Chat" and "Anthropic's Messages" or "OpenAI's chat/completions")
    .. ", which cannot say it. Leave it out.", name)
end

-- An endpoint that no provider of the model has. `entry`: what the model is.
local function wrong_protocol(model, path, needs, entry)
  local conversed, answers_chat = entry.converse.Messages, entry.translated.Chat or entry.converse.Chat
  return refusal("404", "unsupported_endpoint", "The model `" .. model .. "` is not supported at " .. path .. ": "
    .. (needs == "Anthropic" and "tokens are counted beforehand only where a provider speaks Anthropic's API."
      or "its provider speaks " .. (conversed and "Bedrock's" or "Anthropic's") .. " API alone, which this gateway answers at"
        .. " /v1/messages" .. (answers_chat and ", and at /v1/chat/completions in its words." or ".")), "model")
end

-- An endpoint of an API that a provider has in part.
local function missing_there(model, path)
  return refusal("404", "unsupported_endpoint", "The model `" .. model .. "` is not supported at " .. path
    .. ": its provider's API has no such endpoint. This gateway answers it at /v1/chat/completions.", "model")
end

local unknown_url

do -- a chunk of Lua has 200 locals at most

-- What most wrong paths come from: a base URL without `/v1`, with it twice, or of another service; a slash at the end.
local FOREIGN = { "^$", "/v1$", "/openai$", "/api$", "/deployments/[^/]+$" }

local function path_meant(path)
  local before, name, last = match(path, "^(.-)(/[^/]+)/?$")
  if not before then return nil end
  last = before ~= "" and match(before, "/[^/]+$")
  if last and PATHS["/v1" .. last .. name] then before, name = sub(before, 1, -#last - 1), last .. name end
  local meant = "/v1" .. name
  if not PATHS[meant] and meant ~= MODELS_PATH then return nil end
  for _, ending in ipairs(FOREIGN) do
    if find(before, ending) then return meant end
  end
  return nil
end

local function advice(path)
  local meant = path_meant(path)
  if not meant then return "Please check the URL for typos." end
  if path == meant then return "It answers " .. (PATHS[path] and "POST." or "GET.") end
  if path == meant .. "/" then return "Without the slash at its end it is " .. meant .. "." end
  return "The base URL of this gateway ends in `/v1`, which makes it " .. meant .. "."
    .. (find(path, "/deployments/", 1, true) and " The model stands in the body." or "")
end

-- What a provider keeps at an account that all callers share.
local KEPT_THERE = { "files", "uploads", "batches", "fine_tuning", "vector_stores", "assistants", "threads" }
local OF_RESPONSES = refusal("404", "unsupported_endpoint", "Answers are not fetched, deleted or cancelled here: they lie at"
  .. " one of several providers' endpoints, and come with their request. To go on from one, send its id as"
  .. " previous_response_id to /v1/responses.")

function unknown_url(method, path)
  if find(path, "^/v1/responses/[^/]") then return OF_RESPONSES end
  path = sub(path, 1, 512)
  for _, name in ipairs(KEPT_THERE) do
    if find(path .. "/", "/v1/" .. name .. "/", 1, true) == 1 then
      return refusal("404", "unsupported_endpoint", "This gateway does not serve /v1/" .. name .. ": a provider keeps such"
        .. " things at one account, which all callers share, and requests of this gateway go to several. Send the content"
        .. " in the request itself, and many requests one by one, as its other endpoints take them.")
    end
  end
  return refusal("404", "unknown_url", "Unknown request URL: " .. method .. " " .. path .. ". " .. advice(path))
end

end

local function json(body) return { status = "200", body = body } end
