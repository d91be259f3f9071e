-- Fairlead's look at a body in gzip or zstd, before it is decoded: whether it is one, and ends where it ends. Envoy decodes
-- the first frame and drops whatever follows, or lacks. Bytes are looked at as they come, and go on at once: a body that was
-- collected first would be decoded in one step, whatever is in it.
--
-- Notes for the request filter: of gzip the length that it states of what is inside (its last four bytes), of zstd whether
-- its only frame is whole; and how many bytes came.

local byte, lower, match, sub = string.byte, string.lower, string.match, string.sub

local ZSTD = "\40\181\47\253"
local SINGLE_SEGMENT, CHECKSUM = 32, 4 -- bits of a frame's descriptor
local DICTIONARY_BYTES = { [0] = 0, 1, 2, 4 }
local SIZE_BYTES = { [0] = 0, 2, 4, 8 }
local RUN, RESERVED = 1, 3 -- types of blocks
local band, rshift = bit.band, bit.rshift

-- Reads a body in order: `take(n)` gives the next bytes, `drop(n)` passes over some, `ended()` says that none is left.
local function reader(pull)
  local s, i = "", 1
  local function more()
    local chunk, length = pull()
    if not chunk then return false end
    s, i = sub(s, i) .. (length > 0 and chunk:getBytes(0, length) or ""), 1
    return true
  end
  local function take(n)
    while #s - i + 1 < n do
      if not more() then return nil end
    end
    i = i + n
    return sub(s, i - n, i - 1)
  end
  local function drop(n)
    while n > #s - i + 1 do
      n, i = n - (#s - i + 1), #s + 1
      if not more() then return false end
    end
    i = i + n
    return true
  end
  local function ended()
    while i > #s do
      if not more() then return true end
    end
    return false
  end
  return take, drop, ended
end

-- RFC 8878: a header, blocks, and a checksum.
local function is_whole(pull)
  local take, drop, ended = reader(pull)
  local head = take(5)
  if not head or sub(head, 1, 4) ~= ZSTD then return false end
  local flags = byte(head, 5)
  local single, sized = band(flags, SINGLE_SEGMENT) ~= 0, rshift(flags, 6)
  local rest = DICTIONARY_BYTES[band(flags, 3)] + SIZE_BYTES[sized]
  if single then rest = rest + (sized == 0 and 1 or 0) else rest = rest + 1 end
  if not drop(rest) then return false end
  local last = false
  while not last do
    local block = take(3)
    if not block then return false end
    local a, b, c = byte(block, 1, 3)
    local kind, size = band(rshift(a, 1), 3), rshift(a, 3) + b * 32 + c * 8192
    last = band(a, 1) == 1
    if kind == RESERVED or not drop(kind == RUN and 1 or size) then return false end
  end
  return drop(band(flags, CHECKSUM) ~= 0 and 4 or 0) and ended()
end

-- RFC 1952: the last four bytes.
local function stated_length(pull)
  local tail = ""
  for chunk, length in pull do
    local from = length > 4 and length - 4 or 0
    if length > 0 then tail = sub(tail .. chunk:getBytes(from, length - from), -4) end
  end
  local a, b, c, d = byte(tail, 1, 4)
  return d and a + b * 256 + c * 65536 + d * 16777216 or -1
end

function envoy_on_request(h)
  -- In two patterns: one for both ends looks at each blank of a long row as often as there are blanks (50 KB: 9 s).
  local given = match(h:headers():get("content-encoding") or "", "^%s*(.*)$")
  local encoding = lower(match(given, "^(.*%S)") or "")
  if encoding == "x-gzip" then -- RFC 9110, 8.4.1.3: the same, which Envoy does not know
    encoding = "gzip"
    h:headers():replace("content-encoding", encoding)
  end
  local read = encoding == "zstd" and is_whole or encoding == "gzip" and stated_length
  if not read then return end
  local chunks, came = h:bodyChunks(), 0
  local found = read(function()
    local chunk = chunks()
    local length = chunk and chunk:length()
    came = came + (length or 0)
    return chunk, length
  end)
  for chunk in chunks do came = came + chunk:length() end
  local metadata = h:streamInfo():dynamicMetadata()
  metadata:set("fairlead", "encoded", found)
  metadata:set("fairlead", "came", came)
end
