-- Refusals by name: what may be said of a request, but not to a provider that many share -----------------------------

local kept_there, steered, priced_apart -- the refusal of a body, or nil

do

local KEPT_THERE = { "conversation", "container", "cached_content", "kv_transfer_params",
  "session_params", "deferred" }
local PREVIOUS = { "previous_response_id" }
local KEPT_OF_RESPONSES = { "prompt", "background" }
local STEERING = { "models", "fallbacks", "route", "provider", "preset", "model_list", "user_config",
  "context_window_fallbacks", "content_policy_fallbacks", "custom_llm_provider", "api_base", "base_url", "api_key", "lora",
  "lora_path", "lora_request", "adapter_id" }
local ONLY_OFF = { background = true, deferred = true }
local TOOLS, INPUT = BODY.slots.tools, BODY.slots.input

-- Members with a price, and the values of them that cost no more than the model's own price.
local PRICED = {
  { "service_tier", ['"auto"'] = true, ['"default"'] = true, ['"flex"'] = true, ['"standard"'] = true,
    ['"standard_only"'] = true, ['"on_demand"'] = true },
  { "speed", ['"standard"'] = true },
  { "inference_geo", ['"global"'] = true },
  { "prediction" }, -- what of it is rejected is billed as output, beside the limit on that
  { "web_search_options" }, { "search_parameters" }, { "plugins", ["[]"] = true }, { "mcp_servers", ["[]"] = true },
  -- what others call searches, and input that is not in the body: Azure, DashScope, Baidu, Groq, Hunyuan, Google; a template of
  -- vLLM's may repeat itself
  { "data_sources", ["[]"] = true }, { "enable_search", ["false"] = true }, { "search_options" },
  { "web_search", ["false"] = true }, { "search_settings" }, { "compound_custom" }, { "enable_enhancement", ["false"] = true },
  { "extra_body", ["{}"] = true }, { "chat_template" },
}

local ITEM = readable(OPTIONS.last + 1, { "type", "id", "content", "encrypted_content", "result", "arguments", "output",
  "input", "action", "actions", "approve", "code", "tools", "operation", "queries" })
local TOOL = readable(ITEM.last + 1, { "type", "input_schema", "function" })
local RUN_BY_CLIENTS = { ["function"] = true, custom = true, local_shell = true, apply_patch = true, namespace = true,
  computer = true, computer_use_preview = true }
local FAMILIES_OF_CLIENTS = { "^bash_%d+$", "^text_editor_%d+$", "^memory_%d+$", "^computer_%d+$", "^tool_search" }

local function given(s, slot)
  local value = value_of(s, slot)
  return value ~= "null" and value or nil
end

local function first_given(s, names)
  for _, name in ipairs(names) do
    local value = given(s, BODY.slots[name])
    if value and not (value == "false" and ONLY_OFF[name]) then return name end
  end
  return nil
end

-- Calls `judge` for each object in the list of a slot, until it has a refusal; returns that.
local function each_object(s, slot, reading, judge)
  return begins(slot, 91) and each_in(s, value_at[slot], reading, judge) or nil
end

local function type_in(s, reading)
  local text = given(s, reading.slots.type)
  return text and byte(text) == 34 and (unescaped(sub(text, 2, -2)) or "") or nil
end

local function is_full(slot)
  local c = key_at[slot] ~= 0 and p[value_at[slot]]
  if not c or c == 110 then return false end
  local inside = p[skip_space(value_at[slot] + 1)]
  return c == 34 and inside ~= 34 or c == 91 and inside ~= 93 or c == 123 and inside ~= 125
end

-- An item that has an id, and not what it says: a provider would look it up.
local function judge_item(s)
  local kind, slots = type_in(s, ITEM), ITEM.slots
  if kind == "item_reference" then return unsupported(kind) end
  if not given(s, slots.id) or is_full(slots.content) or is_full(slots.encrypted_content) or is_full(slots.result) then
    return nil
  end
  for slot = slots.arguments, ITEM.last do
    if kind ~= "reasoning" and given(s, slot) then return nil end
  end
  return unsupported("id")
end

local function judge_tool(s)
  local kind = type_in(s, TOOL)
  if kind and RUN_BY_CLIENTS[kind] then return nil end
  if not kind and (given(s, TOOL.slots.input_schema) or given(s, TOOL.slots["function"])) then return nil end
  for _, family in ipairs(FAMILIES_OF_CLIENTS) do
    if kind and find(kind, family) then return nil end
  end
  return unpriced("tools", kind and "`" .. sub(kind, 1, LONGEST_SHOWN) .. "`")
end

-- What names something that is kept at the provider's account, or is not waited for. After the scan of the body itself.
-- `goes_on`: whether it may go on from an answer that is kept there.
function kept_there(s, endpoint, goes_on)
  local found, named, too_many = looked()
  if too_many then return TOO_MANY_KEYS end
  local name = found or not goes_on and first_given(s, PREVIOUS) or first_given(s, KEPT_THERE) or endpoint.stored and first_given(s, KEPT_OF_RESPONSES)
  if name then return unsupported(name) end
  return endpoint.stored and named and each_object(s, INPUT, ITEM, judge_item) or nil
end

-- What lets a provider choose another model, or another provider.
function steered(s)
  local name = first_given(s, STEERING)
  return name and chosen(name)
end

-- What costs otherwise than by the tokens of the model. For callers whose budget counts this route.
function priced_apart(s, endpoint)
  for _, member in ipairs(PRICED) do
    local value = given(s, BODY.slots[member[1]])
    if value and not member[value] and not (endpoint.paced and member[1] == "speed") then return unpriced(member[1]) end
  end
  return each_object(s, TOOLS, TOOL, judge_tool)
end

end
