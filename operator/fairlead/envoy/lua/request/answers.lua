-- Answers -----------------------------------------------------------------------------------------------------------

local JSON_ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\" }
local function escape(c) return JSON_ESCAPES[c] or format("\\u%04x", byte(c)) end
local function quote(text) return '"' .. gsub(text, '[%c"\\\127-\255]', escape) .. '"' end

local function refusal(status, code, message, param)
  return {
    status = status,
    code = code,
    message = message,
    body = '{"error":{"message":' .. quote(message) .. ',"type":"invalid_request_error","param":'
      .. (param and quote(param) or "null") .. ',"code":"' .. code .. '"}}',
  }
end

local ANTHROPIC_TYPES = {
  ["401"] = "authentication_error", ["404"] = "not_found_error", ["429"] = "rate_limit_error", ["500"] = "api_error",
}

-- The same answer in the shape of Anthropic's API.
local function anthropic_error(answer)
  return '{"type":"error","error":{"type":"' .. (ANTHROPIC_TYPES[answer.status] or "invalid_request_error")
    .. '","message":' .. quote(answer.message) .. "}}"
end

local NO_KEY = refusal("401", "invalid_api_key", "No valid API key was provided.")
local EXPIRED = refusal("401", "expired_api_key", "This API key has expired.")
local EMPTY = refusal("400", "invalid_json", "The request body is empty; a JSON object is wanted.")
local MALFORMED = refusal("400", "invalid_json", "The request body is not a valid JSON object.")
local TOO_DEEP = refusal("400", "invalid_json",
  "The request body is nested deeper than " .. DEEPEST .. " objects and arrays.")
local TOO_MANY_MEMBERS = refusal("400", "invalid_json",
  "The request body has more than " .. MOST_MEMBERS .. " members of objects.")
local BAD_ENCODING = refusal("400", "invalid_encoding",
  "The request body is not what its content-encoding says, or no JSON inside.")
local NO_MODEL = refusal("400", "missing_model", "You must provide a model parameter.", "model")
local BAD_MODEL = refusal("400", "invalid_model",
  "The model parameter is not a model name: up to 256 letters, digits and . _ : / @ + - are wanted.", "model")
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

local NO_RETRY = { ["x-should-retry"] = "false", ["x-fairlead-budget-remaining"] = "0" }

local function stopped(consumer)
  return no_quota("`" .. consumer .. "` was stopped by hand; ask whoever runs this gateway.", NO_RETRY)
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
    "The " .. name .. " parameter must be a whole number, at least 1: output of this model is limited, or your budget is.", name)
end

local function bad_count(name)
  return refusal("400", "invalid_n", "The " .. name .. " parameter must be a whole number, at least 1: your budget is limited.", name)
end

local function unsupported(name)
  return refusal("400", "unsupported_parameter", "The " .. name .. " parameter is not supported: it names what one provider "
    .. "keeps, and requests of this gateway go to several. Send the whole input, and wait for the answer.", name)
end

local function too_long(name)
  return refusal("400", "invalid_number", "The " .. name .. " parameter has more than 15 digits.", name)
end

local function unknown_model(model)
  return refusal("404", "model_not_found",
    "The model `" .. model .. "` does not exist or you do not have access to it.")
end

local function wrong_endpoint(model, path, kind)
  return refusal("404", "unsupported_endpoint", "The model `" .. model .. "` is "
    .. (kind == EMBEDDING and "an embedding model" or "not an embedding model") .. " and is not supported at " .. path
    .. ".", "model")
end

-- A base URL without `/v1`, or with it twice, is what most wrong paths come from.
local function unknown_url(method, path)
  local meant = PATHS["/v1" .. path] and "/v1" .. path or PATHS[sub(path, 4)] and sub(path, 4)
  if path == "/models" or path == "/v1/v1/models" then meant = MODELS_PATH end
  return refusal("404", "unknown_url", "Unknown request URL: " .. method .. " " .. sub(path, 1, 512) .. ". "
    .. (meant and "The base URL of this gateway ends in `/v1`, which makes it " .. meant .. "."
      or "Please check the URL for typos."))
end

local function json(body) return { status = "200", body = body } end
