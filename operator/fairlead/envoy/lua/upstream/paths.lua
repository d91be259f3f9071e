-- Paths ---------------------------------------------------------------------------------------------------------------
--
-- base path = <path>, `-` for none, or <path>?<version> of Azure's API by deployments, where a model stands in the path of
-- what is asked of it. A base path of the resource has no `?`, and a deployment's name is one of letters, digits, `-_.`.
-- In Bedrock's paths a model stands, too: its id, or an ARN, has `:` and `/` besides, which must not part the path.

local VERSIONED = "@versioned@" ~= "" -- whether some host of this gateway has a version
local OF_MODELS = { ["/converse"] = true, ["/converse-stream"] = true }
local APART = { [":"] = "%3A", ["/"] = "%2F" }
local OF_DEPLOYMENTS = { ["/chat/completions"] = true, ["/completions"] = true, ["/embeddings"] = true,
  ["/images/generations"] = true, ["/images/edits"] = true, ["/audio/speech"] = true,
  ["/audio/transcriptions"] = true, ["/audio/translations"] = true }

-- Where a host is asked what clients ask at `path`.
local function path_at(base, path, model)
  if OF_MODELS[path] then return "/model/" .. gsub(model, "[:/]", APART) .. path end
  local root, version
  if VERSIONED then root, version = match(base, "^([^?]+)%?(.+)$") end
  if not root then return base == "-" and path or base .. path end
  if OF_DEPLOYMENTS[path] then root = root .. "/deployments/" .. model end
  return root .. path .. (find(path, "?", 1, true) and "&" or "?") .. "api-version=" .. version
end

-- Where a host is sent what is no question.
local function root_of(base) return base == "-" and "/" or match(base, "^[^?]+") end
