-- Edits of the body, in the order of their places -------------------------------------------------------------------

local edits = 0
local added = "" -- members that come right after the model
local replace, rewrite

do -- a chunk of Lua has 200 locals at most

local edit_from, edit_to, edit_text = {}, {}, {}

function replace(from, to, text)
  local n = edits
  while n > 0 and edit_from[n] > from do
    edit_from[n + 1], edit_to[n + 1], edit_text[n + 1] = edit_from[n], edit_to[n], edit_text[n]
    n = n - 1
  end
  edit_from[n + 1], edit_to[n + 1], edit_text[n + 1] = from, to, text
  edits = edits + 1
end

local pieces = {}

-- The object from `open` to before `close` with `model` in front, its edits done, without space around it. Nil when
-- that is the very text that came.
function rewrite(s, open, close, model)
  local first = comma_at[MODEL] == 0
  if first and edits == 0 and added == "" and close > #s
    and find(s, '{"model":"' .. model .. '"', 1, true) == 1 and value_end[MODEL] == #model + 12 then
    return nil
  end
  replace(first and open + 1 or comma_at[MODEL], value_end[MODEL], "")
  pieces[1] = '{"model":"' .. model .. '"' .. added .. (first and "" or ",")
  local n, from = 1, open + 1
  for edit = 1, edits do
    pieces[n + 1] = sub(s, from, edit_from[edit] - 1)
    pieces[n + 2] = edit_text[edit]
    n, from = n + 2, edit_to[edit]
  end
  pieces[n + 1] = sub(s, from, close - 1)
  local text = concat(pieces, "", 1, n + 1)
  for piece = 1, n + 1 do pieces[piece] = nil end -- they can be megabytes
  return text
end

end

local unasked = false -- whether the client did not ask for what its provider is asked for
local ask_for_usage

do

local USAGE = '{"include_usage":true}'
local OPTIONS_BYTES = 4096 -- of stream_options, which is read once more

-- Streams report their usage: asks for it, and leaves the client's other options as they are.
function ask_for_usage(s)
  local options = value_of(s, STREAM_OPTIONS)
  if options == USAGE then return nil end
  unasked = true
  if not options then
    added = added .. ',"stream_options":' .. USAGE
    return nil
  end
  local from = value_at[STREAM_OPTIONS]
  if options == "null" then
    replace(from, value_end[STREAM_OPTIONS], USAGE)
    return nil
  end
  if byte(options, 1) ~= 123 or #options > OPTIONS_BYTES then return BAD_OPTIONS end
  local done, problem = scan(s, from, OPTIONS)
  if not done then return problem end
  local asked = value_of(s, INCLUDE_USAGE)
  if not asked then
    local empty = p[skip_space(from + 1)] == 125
    replace(from + 1, from + 1, empty and '"include_usage":true' or '"include_usage":true,')
  elseif asked == "false" or asked == "null" then
    replace(value_at[INCLUDE_USAGE], value_end[INCLUDE_USAGE], "true")
  elseif asked == "true" then
    unasked = false
  else
    return BAD_OPTIONS
  end
  return nil
end

end
