-- After the token filter's own source: runs it over a stream that is cut in every way that is asked for, in this Envoy's
-- own Lua. What it gets from Envoy, apart from the bytes, is nothing that a test here looks at.

local under_test = envoy_on_response
envoy_on_response = nil

local function buffer(text)
  return {
    length = function() return #text end,
    getBytes = function(_, from, count)
      if from < 0 or count < 0 or from + count > #text then error("out of the buffer") end
      return string.sub(text, from + 1, from + count)
    end,
    setBytes = function(_, new)
      text = new
      return #text
    end,
    text = function() return text end,
  }
end

-- What the filter says of the pieces: the report's words, a line end, and the bytes that go on. As in Envoy, the last chunk
-- is still there when the filter has seen the end.
local function run(pieces, unasked)
  local published, shown, current, place = {}, {}, nil, 0
  local ours = { stream = true, unasked = unasked or nil }
  under_test({
    headers = function() return { get = function() return "text/event-stream" end, remove = function() end } end,
    filterContext = function() return { get = function() end } end,
    streamInfo = function()
      return {
        dynamicMetadata = function()
          return { get = function() return ours end, set = function(_, _, key, value) published[key] = value end }
        end,
      }
    end,
    bodyChunks = function()
      return function()
        place = place + 1
        if place > #pieces then return nil end
        if current then shown[#shown + 1] = current.text() end
        current = buffer(pieces[place])
        return current
      end
    end,
  })
  local words = published.usage and published.usage.report or ""
  return words .. "\n" .. table.concat(shown) .. current.text()
end

function envoy_on_request(h)
  local body = h:body(true)
  local text = body:getBytes(0, body:length())
  local unasked = h:headers():get("x-unasked") == "1"
  local found, order = {}, {}
  local function note(pieces)
    local one = run(pieces, unasked)
    if not found[one] then
      found[one] = true
      order[#order + 1] = one
    end
  end
  local cuts = h:headers():get("x-cuts")
  if cuts == "all" then
    local single = {}
    for i = 1, #text do
      note({ string.sub(text, 1, i), string.sub(text, i + 1) })
      single[i] = string.sub(text, i, i)
    end
    note(single)
    single[#single + 1] = "" -- as when the end comes by itself
    note(single)
  end
  local pieces, from = {}, 1
  for cut in string.gmatch(cuts, "%d+") do
    pieces[#pieces + 1] = string.sub(text, from, tonumber(cut))
    from = tonumber(cut) + 1
  end
  pieces[#pieces + 1] = string.sub(text, from)
  note(pieces)
  h:respond({ [":status"] = "200", ["x-results"] = tostring(#order) }, table.concat(order, "\1\1\1"))
end
