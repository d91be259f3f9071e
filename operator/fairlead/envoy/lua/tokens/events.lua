-- Answers: which of their members count -------------------------------------------------------------------------------

local WORD = 'usage"' -- without its first quote: a search goes from one first byte to the next, and quotes are many
local NESTED = { message = true, response = true, error = true, x_groq = true }

-- Why answers end, in OpenAI's words; what is no word of any API's is `other`.
local REASONS = {
  stop = "stop", end_turn = "stop", stop_sequence = "stop", completed = "stop",
  length = "length", max_tokens = "length", incomplete = "length",
  tool_calls = "tool_calls", function_call = "tool_calls", tool_use = "tool_calls",
  content_filter = "content_filter", refusal = "content_filter",
}
local ENDS = { stop_reason = true, status = true }
local RUNNING = { in_progress = true, queued = true }

-- Notes in `record` why an answer ended.
local function note_reason(record, reason)
  if reason ~= "" and not RUNNING[reason] then record.reason = REASONS[reason] or "other" end
end

-- Reads a member that may say why an answer ended.
local function read_reason(r, record)
  local reason = read_string(r)
  if reason then note_reason(record, reason) end
  return reason ~= false
end

-- A member of one of an answer's choices.
local function choice_member(r, name, first, record)
  if name == "finish_reason" and first == 34 then return read_reason(r, record) end
end

-- Reads the list at the next byte. Returns "none" or "some", as there are choices in it; false when it does not end.
local function read_choices(r, record)
  r.i = r.i + 1
  local c, found = next_byte(r), "none"
  while c and c ~= 93 do
    found = "some"
    local whole
    if c == 123 then whole = read_object(r, choice_member, record) else whole = skip_value(r) end
    if not whole then return false end
    c = next_byte(r)
    if c ~= 44 and c ~= 93 then return false end
    if c == 44 then
      r.i = r.i + 1
      c = next_byte(r)
    end
  end
  r.i = r.i + 1
  return c ~= nil and found
end

-- A member of the answer's `message` (Anthropic), `response` (Responses), `error` (OpenRouter) or `x_groq`.
local function nested_member(r, name, first, context)
  if name == "usage" and first == 123 then
    local usage = {}
    local whole = read_object(r, counted, usage)
    take(context.record, usage, context.begun)
    return whole
  elseif name == "background" and first == 116 then -- true: it goes on, and what it will have cost nobody knows yet
    context.record.changed = true
  elseif name == "model" and first == 34 then
    local model = read_string(r)
    if model and model ~= "" and #model <= LONGEST_MODEL then context.record.model = word_of(model) end
    return model ~= false
  elseif ENDS[name] and first == 34 then
    return read_reason(r, context.record)
  end
end

-- A member of `delta` in an event of Anthropic's: its count of the output is the whole one once there is a reason to stop.
local function delta_member(r, name, first, context)
  if name == "stop_reason" and first == 34 then
    context.stopped = true
    return read_reason(r, context.record)
  end
end

-- A member of an answer, or of one event of a stream. `context` learns what decides whether the event is left out.
local function member(r, name, first, context)
  local counted_as = context.units
  if counted_as then
    local done = counted_as(r, name, first, context.record)
    if done ~= nil then return done end
  end
  if name == "choices" and first == 91 then
    local found = read_choices(r, context.record)
    context.choices = found or "some"
    return found ~= false
  end
  if name == "error" and first ~= 110 then context.error = true end -- not null
  if name == "delta" and first == 123 then return read_object(r, delta_member, context) end
  if name == "type" and first == 34 then
    local kind = read_string(r)
    context.running = context.running or kind == "message_delta"
    return kind ~= false
  end
  if NESTED[name] and first == 123 then
    local begun = name == "message"
    context.begun = context.begun or begun
    return read_object(r, nested_member, { record = context.record, begun = begun })
  end
  if name == "usage" and first == 123 then context.usage = true end
  return nested_member(r, name, first, context)
end

-- Events of a stream --------------------------------------------------------------------------------------------------

local LARGE = 16384 -- bytes of an event that has not ended and is kept; a larger one is read as it comes
local AT_ONCE = 2 -- events with usage that are read when they come; of more, as of running counts, the last one

-- Whether an object comes behind the name that ends before i, in this line of an event's data or in its next.
local function has_object(s, i)
  return find(s, "^%s*:%s*{", i) or find(s, "^%s*:%s*[\r\n]data:%s*{", i)
end

-- Where the next `"usage":{` is in s, from `from` on (its u). `"usage":null` is none.
local function seek(s, from)
  local at = find(s, WORD, from, true)
  while at do
    if byte(s, at - 1) == 34 and has_object(s, at + 6) then return at end
    at = find(s, WORD, at + 6, true)
  end
  return nil
end

-- Whether an empty line, with which an event ends, ends at i.
local function is_end(s, i)
  local c, before = byte(s, i), byte(s, i - 1)
  if c == 10 then
    if before == 10 then return true end
    if before ~= 13 then return false end
    before = byte(s, i - 2)
    return before == 10 or before == 13
  end
  return c == 13 and before == 13
end

-- The end of the last event that ended in s: 0 when none did. Line ends before the first event are as good as one.
local function last_end(s)
  local i = #s
  while i > 0 and not is_end(s, i) do i = i - 1 end
  if i == 0 then
    local blank = match(s, "^[\r\n]*()") - 1
    if blank == #s then return blank end
  end
  return i
end

local NEAR = 256 -- bytes before a place in which the beginning of its event is looked for first

-- Where the event around `at` begins, at `from` or later.
local function begin_of(s, at, from)
  local near = NEAR
  repeat
    local least = at - near
    if least < from then least = from end
    local first, i = nil, find(s, "[\r\n]", least)
    while i and i < at do
      if is_end(s, i) and i >= from then first = i + 1 end
      i = find(s, "[\r\n]", i + 1)
    end
    if first then return first end
    near = near * 16
  until least == from
  return from
end

-- First and last byte of the event around `at`; it begins at `from` or later.
local function event_at(s, at, from)
  local first = begin_of(s, at, from)
  local i = find(s, "[\r\n]", at)
  while i do
    if byte(s, i) == 13 and byte(s, i + 1) == 10 then i = i + 1 end
    local c = byte(s, i + 1)
    if c == 10 then return first, i + 1 end
    if c == 13 then return first, byte(s, i + 2) == 10 and i + 2 or i + 1 end
    i = find(s, "[\r\n]", i + 1)
  end
  return first, #s
end

-- Where the data of an event begins, in a text that has all of it.
local function data_of(event)
  local at = match(event, "^data: ?()") or match(event, "[\r\n]data: ?()")
  if not at or not find(event, "[\r\n]data:", at) then return event, at end
  local lines = {}
  for line in gmatch(event, "[^\r\n]+") do
    lines[#lines + 1] = match(line, "^data: ?(.*)$")
  end
  return concat(lines, "\n"), 1
end

-- Publishes what an event brought. Counts that run along, and those of a beginning, are not the whole output; they are
-- published once, for a stream that is cut.
local function announce(h, record, context)
  if not record.changed then return end
  local partial = context.choices == "some" or context.begun or context.running and not context.stopped or false
  if not partial or not record.announced then publish(h, record, partial) end
  record.announced = true
end

-- Reads an event; whether it says nothing but usage.
local function read_event(h, record, event)
  local text, at = data_of(event)
  if not at then return false end
  local context = { record = record }
  local whole = read_object({ s = text, i = at }, member, context)
  announce(h, record, context)
  return whole and context.usage and context.choices ~= "some" and not context.error
end

-- Reads the events with usage in s, from `from` to `last`. Returns s without those that nobody asked for, and how much
-- shorter that is.
local function note(h, state, s, from, last)
  local record = state.record
  local at = seek(s, from)
  local kept, copied, removed -- only when something goes
  while at and at <= last do
    local first, stop = event_at(s, at, from)
    first = match(s, "^[\r\n]*()", first)
    local event = sub(s, first, stop)
    local lone = not find(event, '"choices"%s*:%s*%[%s*[^%s%]]')
    record.events = record.events + 1
    if record.events > AT_ONCE and not lone then
      record.later = event
    else
      record.later = nil
      if read_event(h, record, event) and state.unasked and first > state.sent then
        kept, copied, removed = kept or {}, copied or 1, (removed or 0) + stop - first + 1
        kept[#kept + 1] = sub(s, copied, first - 1)
        copied = stop + 1
      end
    end
    from = stop + 1
    at = seek(s, from)
  end
  if not kept then return s, 0 end
  kept[#kept + 1] = sub(s, copied)
  return concat(kept), removed
end

-- Whether what has come of an event may still become one that is left out: a part of it may not be sent on then.
local function may_go(s)
  if #s > LARGE then return false end
  local at = find(s, '"choices"', 1, true)
  return not at or not find(s, "^%s*:%s*%[%s*[^%s%]]", at + 9)
end

-- Reads an event that is too large to be kept, whose beginning s is; the client has it. Returns what follows its data,
-- and what of the chunk that it stands in comes before.
local function read_large(h, state, s)
  local _, at = data_of(s)
  local line_end = at and find(s, "[\r\n]", at)
  if line_end then
    read_event(h, state.record, sub(s, 1, line_end - 1))
    return sub(s, line_end), nil
  end
  local rest, before = "", nil
  local function more()
    if before then return nil end
    local piece = state.next()
    if not piece then return nil end
    local stop = find(piece, "[\r\n]")
    if not stop then return piece end
    rest, before = sub(piece, stop), sub(piece, 1, stop - 1)
    return before
  end
  local r = { s = s, i = at or #s + 1, more = more }
  local context = { record = state.record }
  if at then read_object(r, member, context) end
  while fill(r) do end
  announce(h, state.record, context)
  return rest, before
end
