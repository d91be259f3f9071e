-- Answers, and what a request asks of them, in the words of each API ------------------------------------------------------
--
-- An answer is a list of choices: `finish` (stop, length, tool_calls, content_filter, other), `text`, `refused`, `calls`
-- ({ name, arguments }), `acts` (it calls tools of other kinds), `logprobs` (numbers). A request is `format`, the text of the schema or "object", and `tools`, the
-- text of its list of tools.

local FINISHES = {
  stop = "stop", end_turn = "stop", stop_sequence = "stop", eos = "stop", completed = "stop",
  length = "length", max_tokens = "length", max_output_tokens = "length", model_length = "length",
  tool_calls = "tool_calls", function_call = "tool_calls", tool_use = "tool_calls",
  content_filter = "content_filter", refusal = "content_filter",
}

local function finish_of(value) return FINISHES[value] or "other" end

-- The texts of parts of these types, joined; a content may be one text, too.
local function texts_of(content, kinds)
  if type(content) == "string" then return content end
  local texts = {}
  for _, part in ipairs(values_of(content)) do
    if kinds[member(part, "type")] then texts[#texts + 1] = text_of(member(part, "text")) end
  end
  return concat(texts)
end

local TEXT, OUTPUT_TEXT = { text = true }, { output_text = true }

local function logprobs_of(tokens)
  local found = {}
  for _, token in ipairs(values_of(tokens)) do
    local one = type(token) == "table" and member(token, "logprob") or token
    if type(one) == "number" then found[#found + 1] = one end
  end
  return found
end

local function chat_choice(choice)
  local message, calls, acts = member(choice, "message"), {}, false
  for _, call in ipairs(values_of(member(message, "tool_calls"))) do
    local called = member(call, "function")
    acts = true -- tools of other types have arguments of their own
    if called then calls[#calls + 1] = { name = member(called, "name"), arguments = member(called, "arguments") } end
  end
  local called = member(message, "function_call")
  if members_of(called) then
    calls[#calls + 1] = { name = member(called, "name"), arguments = member(called, "arguments") }
  end
  local refused = text_of(member(message, "refusal"))
  return {
    finish = finish_of(member(choice, "finish_reason")),
    text = texts_of(member(message, "content"), TEXT),
    refused = refused ~= nil and refused ~= "",
    calls = calls,
    acts = acts,
    logprobs = logprobs_of(member(choice, "logprobs", "content")),
  }
end

local function completion_choice(choice)
  return {
    finish = finish_of(member(choice, "finish_reason")),
    text = text_of(member(choice, "text")) or "",
    calls = NONE,
    logprobs = logprobs_of(member(choice, "logprobs", "token_logprobs")),
  }
end

local function each_choice(read)
  return function(answer)
    local choices = {}
    for _, choice in ipairs(values_of(member(answer, "choices"))) do choices[#choices + 1] = read(choice) end
    return choices
  end
end

-- Of responses: calls that the client has to carry out or to allow, with arguments of their own.
local ACTS = {
  custom_tool_call = true, computer_call = true, local_shell_call = true, shell_call = true, apply_patch_call = true,
  mcp_approval_request = true,
}

local function response(answer)
  local texts, calls, refused, acts = {}, {}, false, false
  for _, item in ipairs(values_of(member(answer, "output"))) do
    local kind = member(item, "type")
    if kind == "function_call" then
      calls[#calls + 1] = { name = member(item, "name"), arguments = member(item, "arguments") }
    elseif kind == "message" then
      texts[#texts + 1] = texts_of(member(item, "content"), OUTPUT_TEXT)
      for _, part in ipairs(values_of(member(item, "content"))) do
        refused = refused or member(part, "type") == "refusal"
      end
    elseif ACTS[kind] then
      acts = true
    end
  end
  local finish = finish_of(member(answer, "status"))
  if finish == "other" then finish = finish_of(member(answer, "incomplete_details", "reason")) end
  if finish == "stop" and #calls > 0 then finish = "tool_calls" end
  return { { finish = finish, text = concat(texts), refused = refused, calls = calls, acts = acts, logprobs = NONE } }
end

local function said_message(answer)
  local calls = {}
  for _, part in ipairs(values_of(member(answer, "content"))) do
    if member(part, "type") == "tool_use" then
      calls[#calls + 1] = { name = member(part, "name"), arguments = member(part, "input") }
    end
  end
  local reason = member(answer, "stop_reason")
  return {
    {
      finish = finish_of(reason),
      text = texts_of(member(answer, "content"), TEXT),
      refused = reason == "refusal",
      calls = calls,
      logprobs = NONE,
    },
  }
end

local APIS = {
  ["/v1/chat/completions"] = { choices = each_choice(chat_choice), forms = { { "response_format" } } },
  ["/v1/completions"] = { choices = each_choice(completion_choice), forms = { { "response_format" } } },
  ["/v1/responses"] = { choices = response, forms = { { "text", "format" } } },
  ["/v1/messages"] = { choices = said_message, forms = { { "output_format" }, { "output_config", "format" } } },
}

-- The place after a value of a request, which is JSON: the request filter has read it.
local function after_value(text, at)
  local first = byte(text, at)
  if first ~= QUOTE and first ~= 91 and first ~= 123 then return match(text, "^[^,}%]%s]*()", at) end
  local depth = 0
  repeat
    local found = find(text, '["%[%]{}]', at)
    if not found then return nil end
    local c = byte(text, found)
    if c == QUOTE then
      repeat
        found = find(text, '["\\]', found + 1)
        if not found then return nil end
        local escaped = byte(text, found) == 92
        if escaped then found = found + 1 end
      until not escaped
    else
      depth = depth + ((c == 91 or c == 123) and 1 or -1)
    end
    at = found + 1
  until depth == 0
  return at
end

-- The text of a member of a request's own; nil where there is none.
local function member_text(text, wanted)
  local at = match(text, "^%s*{%s*()")
  while at do
    local past = byte(text, at) == QUOTE and after_value(text, at)
    local value = past and match(text, "^%s*:%s*()", past)
    local after = value and after_value(text, value)
    if not after then return nil end
    if sub(text, at + 1, past - 2) == wanted then return sub(text, value, after - 1) end
    at = match(text, "^%s*,%s*()", after)
  end
  return nil
end

-- The text of what members of these names say, one inside the other; nil where that is not there.
local function text_inside(text, names)
  for _, name in ipairs(names) do
    text = text and find(text, '"' .. name .. '"', 1, true) and member_text(text, name)
  end
  return text or nil
end

-- What a request asks for as to its answer's form: the text of a schema, "object", or "".
local function format_of(text, api)
  local form
  for _, names in ipairs(api.forms) do form = form or text_inside(text, names) end
  local kind = form and member_text(form, "type")
  if kind == '"json_object"' then return "object" end
  if kind ~= '"json_schema"' then return "" end
  return member_text(member_text(form, "json_schema") or form, "schema") or "object"
end

local BETWEEN = "\30" -- in no text of JSON

-- The texts of the lists of tools in a request, which are two in the oldest form.
local function tools_of(text)
  local found = {}
  for _, name in ipairs({ "tools", "functions" }) do
    found[#found + 1] = find(text, '"' .. name .. '"', 1, true) and member_text(text, name) or nil
  end
  return concat(found, BETWEEN)
end

-- The names of the tools in such texts.
local function names_of(tools)
  local names = {}
  for text in gmatch(tools, "[^\30]+") do
    for _, tool in ipairs(values_of(decoded(text))) do
      local name = member(tool, "function", "name") or member(tool, "name")
      if name then names[name] = true end
    end
  end
  return names
end
