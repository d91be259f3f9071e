-- Usage: the dialects of providers, made one --------------------------------------------------------------------------

local MOST = 1e9 -- no request has more tokens of any kind
local LONGEST_MODEL = 512

local PROMPT_DETAILS = {
  cached_tokens = "cached",
  audio_tokens = "audio_in",
  image_tokens = "image_in",
  cache_write_tokens = "made",
}
local ANSWER_DETAILS = { audio_tokens = "audio_out", reasoning_tokens = "reasoning" }
local DETAILS = {
  prompt_tokens_details = PROMPT_DETAILS,
  input_tokens_details = PROMPT_DETAILS,
  input_token_details = PROMPT_DETAILS, -- of transcriptions
  completion_tokens_details = ANSWER_DETAILS,
  output_tokens_details = ANSWER_DETAILS,
  cache_creation = { ephemeral_1h_input_tokens = "made_1h", ephemeral_5m_input_tokens = "made_5m" },
}
local COUNTS = {
  prompt_tokens = "prompt",
  input_tokens = "input",
  completion_tokens = "completion",
  output_tokens = "output",
  total_tokens = "total",
  cached_tokens = "hit", -- Moonshot
  prompt_cache_hit_tokens = "hit", -- DeepSeek
  cache_read_input_tokens = "read", -- Anthropic
  cache_creation_input_tokens = "made", -- Anthropic
}
local SIDES = { prompt = true, input = true, completion = true, output = true, total = true }

-- Notes a count in `usage`. What is neither a whole number nor null, or more than can be, makes a side impossible.
local function count(r, name, usage)
  local word = read_word(r)
  if not word then return false end
  local number = match(word, "^%d+$") and #word <= 15 and tonumber(word)
  if number and number <= MOST then
    usage[name] = number
  elseif word ~= "null" and SIDES[name] then
    usage.impossible = true
  end
  return true
end

local function detail(r, name, first, context)
  local known = context.names[name]
  if known and first ~= 34 and first ~= 123 and first ~= 91 then return count(r, known, context.usage) end
end

-- A length of time in seconds, in milliseconds and rounded up; nil for what is none. False when it does not end.
local function milliseconds(r)
  local word = read_word(r)
  if not word then return false end
  local number = match(word, "^%d+%.?%d*$") and #word <= 20 and tonumber(word)
  return true, number and number <= MOST / 1000 and math.ceil(number * 1000 - 1e-6) or nil
end

local function counted(r, name, first, usage)
  if name == "seconds" and first >= 48 and first <= 57 then
    local whole
    whole, usage.milliseconds = milliseconds(r)
    return whole
  end
  local known = COUNTS[name]
  if known and first ~= 34 and first ~= 123 and first ~= 91 then return count(r, known, usage) end
  local details = DETAILS[name]
  if details and first == 123 then
    usage.details = usage.details or details == PROMPT_DETAILS
    return read_object(r, detail, { names = details, usage = usage })
  end
  if known and SIDES[known] then usage.impossible = true end
end

-- Notes what a usage object says. `begun`: it stands at the beginning of a stream, where the output is not known yet.
local function take(record, usage, begun)
  local input, output = usage.prompt or usage.input, usage.completion or usage.output
  if begun then output = nil end
  if usage.milliseconds then record.units, record.timed, record.changed = usage.milliseconds, true, true end
  if not (input or output or usage.total or usage.impossible) then return end
  record.changed = true
  record.impossible, record.total = usage.impossible, usage.total -- each speaks of the counts beside it
  record.input, record.output = input or record.input, output or record.output
  record.cached = usage.cached or usage.hit or record.cached
  record.read, record.made = usage.read or record.read, usage.made or record.made
  record.made_1h = usage.made_1h or record.made_1h
  if not record.made and (usage.made_1h or usage.made_5m) then -- its parts alone
    record.made = (usage.made_1h or 0) + (usage.made_5m or 0)
  end
  record.reasoning = usage.reasoning or record.reasoning
  record.audio_in, record.audio_out = usage.audio_in or record.audio_in, usage.audio_out or record.audio_out
  record.image_in = usage.image_in or record.image_in
  record.beside = not usage.prompt and not usage.details -- Anthropic counts what is in the cache beside the input
end

-- Input, output (nil where not known), and whether they contradict each other.
local function sides(record, wordless)
  local own, output, total = record.input, record.output, record.total
  if wordless then
    if total and total > (own or 0) then own = total end
    return own, output or 0, record.impossible
  end
  local input = own
  if own and record.beside then input = own + (record.read or 0) + (record.made or 0) end
  if not input or not output or record.impossible then return input, output, record.impossible end
  local hidden = record.reasoning or 0
  if hidden > output and not total then return input, output + hidden, false end -- xAI's: beside the output
  if not total or total == own + output or total == input + output then return input, output, hidden > output end
  if total < input + output then return input, output, true end
  return input, total - input, false -- hidden reasoning is counted in the total alone
end

-- Whole numbers of at most 14 digits, which Lua writes without a point.
local function written(number) return number or "null" end
local function word(number) return number or "-" end

local COMPLETE, INCOMPLETE, IMPOSSIBLE, APART = 1, 2, 3, 4
local WORDLESS = { Embedding = true, Rerank = true, Moderation = true } -- kinds without an output
local BY_UNITS = { Image = true, Audio = true, Speech = true, Transcription = true, Rerank = true } -- kinds that may be billed by other units than tokens

-- What an answer of a kind is billed by besides; of speech it is what the request filter counted.
local UNITS = { Image = "image", Transcription = "millisecond", Audio = "millisecond", Rerank = "search" }
local SPOKEN = { Audio = true, Speech = true }

local function spoken_by(h)
  local ours = h:streamInfo():dynamicMetadata():get("fairlead")
  return ours and ours.spoken
end

local function units_logged(count, unit) return count and ',"units":' .. count .. ',"unit":"' .. unit .. '"' or "" end

-- What was counted of an answer by another unit than tokens, and the unit; nil where nothing was.
local function counted_apart(h, kind, record)
  local spoken = SPOKEN[kind] and spoken_by(h)
  if spoken then return spoken, "character" end
  if record.units and UNITS[kind] then return record.units, UNITS[kind] end
end

-- Further members of a log line: kinds of tokens that there are, and units.
local function more_logged(made, made_1h, audio_in, audio_out, seen, units, unit)
  local text = units_logged(units, unit)
  if made + made_1h + audio_in + audio_out + seen > 0 then
    return text .. ',"cache_write_tokens":' .. made .. ',"cache_write_1h_tokens":' .. made_1h .. ',"audio_input_tokens":' .. audio_in
      .. ',"audio_output_tokens":' .. audio_out .. ',"image_input_tokens":' .. seen
  end
  return text
end

-- Of speech in one piece, which has no usage, a line says what it is billed by.
local function log_spoken(h)
  local units, unit = counted_apart(h, h:filterContext():get("kind"), {})
  if not units then return end
  h:streamInfo():dynamicMetadata():set("fairlead", "usage", {
    units = units,
    unit = unit,
    log = '"prompt_tokens":null,"completion_tokens":null,"cached_tokens":null,"usage_status":null,"model_served":""'
      .. units_logged(units, unit),
  })
end

-- Publishes what is known: as numbers, as members of a log line, and as the words of a report.
local function publish(h, record, partial)
  local kind = h:filterContext():get("kind")
  local input, output, contradiction = sides(record, WORDLESS[kind])
  if partial then output = nil end
  local status = contradiction and IMPOSSIBLE or (input and output) and (BY_UNITS[kind] and APART or COMPLETE) or INCOMPLETE
  local model = record.model or ""
  local cached = record.cached or (record.beside and record.read) or 0
  local made_1h = record.made_1h or 0
  local made = record.made and record.made - made_1h or 0
  if made < 0 then made = 0 end
  local audio_in, audio_out = record.audio_in or 0, record.audio_out or 0
  local parts = cached .. " " .. made .. " " .. made_1h .. " " .. audio_in .. " " .. audio_out
  local seen, units, unit = record.image_in or 0, counted_apart(h, kind, record)
  local more = record.units and " " .. word(record.units) or ""
  if seen > 0 then more = " " .. word(record.units) .. " " .. word(seen) end
  h:streamInfo():dynamicMetadata():set("fairlead", "usage", {
    input = input,
    output = output,
    cached = cached,
    status = status,
    model = model,
    units = units,
    unit = unit,
    log = '"prompt_tokens":' .. written(input) .. ',"completion_tokens":' .. written(output) .. ',"cached_tokens":'
      .. written(cached) .. ',"usage_status":' .. status .. ',"model_served":"' .. model .. '"'
      .. more_logged(made, made_1h, audio_in, audio_out, seen, units, unit),
    report = status .. " " .. word(input) .. " " .. word(output) .. " " .. parts .. more,
  })
  record.changed, record.status = partial, status
end

-- At the end of an answer: whether its report needs no call of its own. It may be one of a batch where the request took a
-- unit of a lease and all was counted, so that what is lost of a batch is found in the counters of this gateway.
local function note_batched(h, record)
  if record.status ~= COMPLETE then return end
  local metadata = h:streamInfo():dynamicMetadata()
  local said = metadata:get("envoy.filters.http.ratelimit")
  if not (said and said.remaining) then return end
  local lease = metadata:get("fairlead.lease")
  if not (lease and lease.lost) then metadata:set("fairlead.lease", "batched", "batched") end
end
