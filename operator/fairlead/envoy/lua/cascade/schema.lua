-- Schemas: what `response_format` asks of an answer ----------------------------------------------------------------------
--
-- The words of JSON Schema that say which members there are, of which type, with which values: `type`, `enum`, `const`,
-- `required`, `properties`, `additionalProperties`, `items`, `anyOf`, `oneOf`, `allOf`, `$ref` within the schema. Others
-- (lengths, ranges, patterns, formats) are not looked at.

local MOST_STEPS = 100000 -- of a check; a schema that asks for more is a client's affair, and holds

local function type_of(value)
  if value == NULL then return "null" end
  if type(value) == "table" then return value.object and "object" or "array" end
  return type(value)
end

local function is_equal(one, other)
  if one == other then return true end
  local kind = type_of(one)
  if kind ~= type_of(other) or (kind ~= "object" and kind ~= "array") then return false end
  local mine, theirs = one.object or one.list, other.object or other.list
  for key, value in pairs(mine) do
    if theirs[key] == nil or not is_equal(value, theirs[key]) then return false end
  end
  for key in pairs(theirs) do
    if mine[key] == nil then return false end
  end
  return true
end

local function is_of_type(value, wanted)
  local kind = type_of(value)
  return wanted == kind or wanted == "integer" and kind == "number" and value % 1 == 0
end

local function is_one_of(value, list, holds, state)
  state.steps = state.steps + #list
  if state.steps > MOST_STEPS then return true end
  for i = 1, #list do
    if holds(value, list[i]) then return true end
  end
  return false
end

-- The schema that a reference means; nil where it leads nowhere.
local function referred(root, reference)
  local found = root
  local path = match(reference, "^#(.*)$")
  if not path then return nil end
  for part in gmatch(path, "/([^/]*)") do
    part = gsub(gsub(part, "~1", "/"), "~0", "~")
    found = member(found, part) or values_of(found)[(tonumber(part) or -1) + 1]
    if found == nil then return nil end
  end
  return found
end

local satisfies

local function count_satisfied(value, schemas, state)
  local count = 0
  for i = 1, #schemas do
    if satisfies(value, schemas[i], state) then count = count + 1 end
  end
  return count
end

local function has_members(members, words, state)
  local required = values_of(words.required)
  state.steps = state.steps + #required
  if state.steps > MOST_STEPS then return true end
  for _, name in ipairs(required) do
    if members[name] == nil then return false end
  end
  local known = members_of(words.properties) or NONE
  local others = words.additionalProperties
  for name, value in pairs(members) do
    if known[name] ~= nil then
      if not satisfies(value, known[name], state) then return false end
    elseif others ~= nil and not words.patternProperties and not satisfies(value, others, state) then
      return false
    end
  end
  return true
end

local function has_items(values, words, state)
  local first = values_of(words.prefixItems)
  for i = 1, #values do
    local wanted = first[i]
    if wanted == nil then wanted = words.items end
    if wanted ~= nil and not satisfies(values[i], wanted, state) then return false end
  end
  return true
end

local function has_combined(value, words, state)
  local any, one, all = words.anyOf, words.oneOf, words.allOf
  if any and count_satisfied(value, values_of(any), state) == 0 then return false end
  if one and count_satisfied(value, values_of(one), state) ~= 1 then return false end
  return not all or count_satisfied(value, values_of(all), state) == #values_of(all)
end

function satisfies(value, schema, state)
  state.steps = state.steps + 1
  if state.steps > MOST_STEPS then return true end
  if type(schema) == "boolean" then return schema end
  local words = members_of(schema)
  if not words then return true end
  local reference = text_of(words["$ref"])
  if reference then
    -- A reference to itself ends nowhere: it is as deep as a value can be.
    if state.references >= DEEPEST then return true end
    local found = referred(state.root, reference)
    state.references = state.references + 1
    local holds = found == nil or satisfies(value, found, state)
    state.references = state.references - 1
    if not holds then return false end
  end
  local kind = words.type
  if type(kind) == "string" and not is_of_type(value, kind) then return false end
  if type(kind) == "table" and kind.list and not is_one_of(value, kind.list, is_of_type, state) then return false end
  if words.const ~= nil and not is_equal(value, words.const) then return false end
  if words.enum and not is_one_of(value, values_of(words.enum), is_equal, state) then return false end
  if not has_combined(value, words, state) then return false end
  if type(value) ~= "table" then return true end
  if value.object then return has_members(value.object, words, state) end
  return not value.list or has_items(value.list, words, state)
end

-- Whether a value is what a schema asks for.
local function is_as_schema(value, schema)
  return satisfies(value, schema, { root = schema, steps = 0, references = 0 })
end
