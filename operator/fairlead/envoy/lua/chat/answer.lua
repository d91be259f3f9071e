-- An answer of Messages as one of chat/completions ---------------------------------------------------------------------

local REASONS = { end_turn = "stop", stop_sequence = "stop", tool_use = "tool_calls", max_tokens = "length",
  model_context_window_exceeded = "length", pause_turn = "length", refusal = "content_filter" }

local function reason_of(stop) return '"' .. (REASONS[match(stop or "", '^"([%w_]+)"$') or ""] or "stop") .. '"' end

-- The other API counts what was read from the cache, and written into it, beside the input.
local function usage_of(usage)
  local read, made = count(usage.cache_read_input_tokens), count(usage.cache_creation_input_tokens)
  local input, output = count(usage.input_tokens) + read + made, count(usage.output_tokens)
  return format('{"prompt_tokens":%.0f,"completion_tokens":%.0f,"total_tokens":%.0f,"prompt_tokens_details":{"cached_tokens":%.0f%s}}',
    input, output, input + output, read, made > 0 and format(',"cache_write_tokens":%.0f', made) or "")
end

local THOUGHTS = { thinking = true, redacted_thinking = true }

local function kind_of(block) return block and match(block.type or "", '^"([%w_]+)"$') end

-- A call of a tool; nil where it is none.
local function call_of(block)
  if not is_text(block.id) or not is_text(block.name) or not block.input or byte(block.input) ~= 123 then return nil end
  return '{"id":' .. block.id .. ',"type":"function","function":{"name":' .. block.name .. ',"arguments":'
    .. quoted(block.input) .. "}}"
end

-- The beginning of an answer, or of an event of its stream, without what it says.
local function head_of(kind, id, model, made)
  return '{"id":' .. (is_text(id) and id or '"msg"') .. ',"object":"' .. kind .. '","created":' .. format("%d", made)
    .. ',"model":' .. (is_text(model) and model or '""') .. ',"choices":['
end

-- A whole answer in other words; nil where it says what no completion can. What a model thought is left out.
local function completion_of(s)
  local body = members(s)
  local blocks = body and body.type == '"message"' and elements(body.content or "")
  if not blocks then return nil end
  local texts, calls = {}, {}
  for _, one in ipairs(blocks) do
    local block = members(one)
    local kind = kind_of(block)
    if kind == "text" then
      if not block.text or byte(block.text) ~= 34 then return nil end
      texts[#texts + 1] = sub(block.text, 2, -2)
    elseif kind == "tool_use" then
      local call = call_of(block)
      if not call then return nil end
      calls[#calls + 1] = call
    elseif not THOUGHTS[kind or ""] then
      return nil
    end
  end
  return head_of("chat.completion", body.id, body.model, now())
    .. '{"index":0,"message":{"role":"assistant","content":' .. (#texts > 0 and '"' .. concat(texts) .. '"' or "null")
    .. ',"refusal":null' .. (#calls > 0 and ',"tool_calls":[' .. concat(calls, ",") .. "]" or "")
    .. '},"logprobs":null,"finish_reason":' .. reason_of(body.stop_reason) .. '}],"usage":'
    .. usage_of(body.usage and members(body.usage) or {}) .. "}"
end

local KINDS = { invalid_request_error = "invalid_request_error", authentication_error = "invalid_request_error",
  permission_error = "invalid_request_error", not_found_error = "invalid_request_error",
  request_too_large = "invalid_request_error", rate_limit_error = "rate_limit_error" }
local CODES = { rate_limit_error = "rate_limit_exceeded", overloaded_error = "overloaded",
  request_too_large = "request_too_large" }

-- An error in OpenAI's words. `kind`: what the other API calls it, nil where it does not say.
local function error_of(status, message, kind)
  local named = status == 429 and "rate_limit_error" or status < 500 and "invalid_request_error" or "server_error"
  local code = CODES[kind or ""]
  return '{"error":{"message":' .. message .. ',"type":"' .. (KINDS[kind or ""] or named) .. '","param":null,"code":'
    .. (code and '"' .. code .. '"' or "null") .. "}}"
end

-- The error of a provider in other words. One that has no message says its status.
local function problem_of(s, status)
  local body = members(s)
  local problem = body and body.error and (members(body.error) or { message = body.error })
  local message = problem and problem.message
  return error_of(status, is_text(message) and message or '"The provider answered ' .. status .. '."', kind_of(problem))
end

-- Whether an error is in OpenAI's words already: the gateway's own.
local function is_own(s)
  local body = find(s, '^{"error":{') and members(s)
  local problem = body and members(body.error)
  return problem ~= nil and problem ~= false and is_text(problem.message) and is_text(problem.type) and problem.code ~= nil
end
