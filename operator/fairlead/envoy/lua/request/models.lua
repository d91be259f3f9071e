-- GET /v1/models ----------------------------------------------------------------------------------------------------

local function model_object(name)
  return '{"id":"' .. name .. '","object":"model","created":0,"owned_by":"fairlead"}'
end

local function list_models(directory, caller)
  local seen, usable = {}, {}
  for _, list in ipairs(caller.lists) do
    for _, name in ipairs(names_of(directory:get(list) or "")) do
      local refused = byte(name) == 33
      if refused then name = sub(name, 2) end
      if not seen[name] then
        seen[name] = true
        if not refused and allows(caller, name) then usable[#usable + 1] = name end
      end
    end
  end
  sort(usable)
  for n, name in ipairs(usable) do usable[n] = model_object(name) end
  return json('{"object":"list","data":[' .. concat(usable, ",") .. "]}")
end

local function decode_url(text)
  return (gsub(text, "%%(%x%x)", function(digits) return char(tonumber(digits, 16)) end))
end

-- The answer to GET on a path below /v1/models, or nil when there is no such path.
local function answer_models(directory, caller, path)
  if path == MODELS_PATH then return list_models(directory, caller) end
  local id = decode_url(match(path, "^/v1/models/(.+)$") or "")
  if id == "" then return nil end
  if find(id, "\0", 1, true) or not look_up(directory, caller, id) then return unknown_model(sub(id, 1, MODEL_LENGTH)) end
  return json(model_object(id))
end
