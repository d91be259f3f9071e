-- How much a model thinks: by words in one API, by tokens, or by words of its own, in the other ------------------------
--
-- Which share of an answer's tokens a word stands for: https://openrouter.ai/docs/guides/best-practices/reasoning-tokens

local SHARES = { minimal = 0.1, low = 0.2, medium = 0.5, high = 0.8, xhigh = 0.95 }
local LEAST_BUDGET, MOST_BUDGET = 1024, 128000 -- the API's, and that page's
-- Each word in those that all models have which have any.
local EFFORTS = { minimal = "low", low = "low", medium = "medium", high = "high", xhigh = "high", max = "high" }

-- The tokens for a word's thinking, in an answer of at most `limit`; nil where that leaves none for an answer.
local function budget_of(effort, limit)
  local share, most = SHARES[effort], tonumber(limit)
  if not share or not most then return nil end
  local budget = math.max(math.min(floor(most * share), MOST_BUDGET), LEAST_BUDGET)
  return budget < most and budget or nil
end

-- The word whose share is nearest; nil where no number says it.
local function effort_of(budget, limit)
  local tokens, most = tonumber(budget or ""), tonumber(limit or "")
  if not tokens or not most or most <= 0 then return nil end
  local share = tokens / most
  return share < 0.35 and "low" or share < 0.65 and "medium" or "high"
end

-- The effort that a request's thinking asks for, in the words of the other API; nil where its models take none.
local function effort_in(body)
  if not terms.reasoning or not body.thinking or body.thinking == "null" then return nil end
  local thinking = parts_of(body.thinking, "thinking")
  local kind = type_of(thinking)
  if kind == "disabled" then return nil end
  local config = body.output_config and body.output_config ~= "null" and parts_of(body.output_config, "output_config")
  return config and EFFORTS[match(config.effort or "", '^"(%l+)"$') or ""]
    or kind == "enabled" and effort_of(thinking.budget_tokens, body.max_tokens) or nil
end
