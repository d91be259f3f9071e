-- GET /v1/models ----------------------------------------------------------------------------------------------------

local answer_models

do -- a chunk of Lua has 200 locals at most

local function model_object(name)
  return '{"id":' .. quote(name) .. ',"object":"model","created":0,"owned_by":"fairlead"}'
end

-- The same in the shape of Anthropic's API, which its clients ask for by their header.
local function anthropic_model(name)
  name = quote(name)
  return '{"type":"model","id":' .. name .. ',"display_name":' .. name .. ',"created_at":"1970-01-01T00:00:00Z"}'
end

local function anthropic_list(models, first, last)
  return '{"data":[' .. concat(models, ",") .. '],"has_more":false,"first_id":' .. (first and quote(first) or "null")
    .. ',"last_id":' .. (last and quote(last) or "null") .. "}"
end

local function list_models(directory, caller, anthropic)
  local seen, usable = {}, {}
  for _, list in ipairs(caller.lists) do
    for _, name in ipairs(names_of(directory:get(list) or "")) do
      local refused = byte(name) == 33
      if refused then name = sub(name, 2) end
      if not seen[name] then
        seen[name] = true
        if not refused and allows(caller, name) then usable[#usable + 1] = name_of(name) end
      end
    end
  end
  sort(usable)
  local first, last = usable[1], usable[#usable]
  for n, name in ipairs(usable) do usable[n] = (anthropic and anthropic_model or model_object)(name) end
  if anthropic then return json(anthropic_list(usable, first, last)) end
  return json('{"object":"list","data":[' .. concat(usable, ",") .. "]}")
end

-- The answer to GET on a path below /v1/models, or nil when there is no such path.
function answer_models(directory, caller, path, headers)
  local anthropic = headers:get("anthropic-version") ~= nil
  if path == MODELS_PATH then return list_models(directory, caller, anthropic) end
  local id = name_of(match(path, "^/v1/models/(.+)$") or "")
  if id == "" then return nil end
  if not look_up(directory, caller, word_of(id)) then return unknown_model(id) end
  return json((anthropic and anthropic_model or model_object)(id))
end

end
