-- Frames of application/vnd.amazon.eventstream: what has come of a stream, cut where the provider cut it --------------
--
-- https://smithy.io/2.0/aws/amazon-eventstream.html
-- frame = <its bytes> <bytes of its headers> <CRC of these two> <headers> <payload> <CRC of all before>, numbers of four
-- bytes, the first one the highest. At most one frame is kept.

local LARGEST = 8388608 -- bytes of a frame
local PRELUDE, AROUND = 12, 16 -- bytes before the headers; of all that is neither headers nor payload

local band, bnot, bxor, rshift = bit.band, bit.bnot, bit.bxor, bit.rshift

-- CRC-32 as in ISO 3309: by one byte, and by a byte that one, two and three others follow.
local CRC = ffi.new("uint32_t[4][256]")
for i = 0, 255 do
  local c = i
  for _ = 1, 8 do c = band(c, 1) == 1 and bxor(0xedb88320, rshift(c, 1)) or rshift(c, 1) end
  CRC[0][i] = c
end
for i = 0, 255 do
  for row = 1, 3 do
    local c = CRC[row - 1][i]
    CRC[row][i] = bxor(CRC[0][band(c, 255)], rshift(c, 8))
  end
end
local WORDS = ffi.typeof("const uint32_t *")

-- The CRC of `length` bytes from `from` on; four at a time, the lowest first, as processors that Envoy runs on have them.
local function crc_of(text, from, length)
  local p, c = ffi.cast(BYTES, text) + from - 1, -1
  local whole = rshift(length, 2)
  local words = ffi.cast(WORDS, p)
  for i = 0, whole - 1 do
    c = bxor(c, words[i])
    c = bxor(CRC[3][band(c, 255)], CRC[2][band(rshift(c, 8), 255)], CRC[1][band(rshift(c, 16), 255)], CRC[0][rshift(c, 24)])
  end
  for i = whole * 4, length - 1 do c = bxor(CRC[0][band(bxor(c, p[i]), 255)], rshift(c, 8)) end
  return bnot(c)
end

local function number_at(text, at)
  local a, b, c, d = byte(text, at, at + 3)
  return ((a * 256 + b) * 256 + c) * 256 + d
end

local function has_crc(text, from, length)
  return crc_of(text, from, length) % 4294967296 == number_at(text, from + length)
end

local STRING = 7
local SIZES = { [0] = 0, 0, 1, 2, 4, 8, nil, nil, 8, 16 } -- of a header's value, by its type; two have their length in front

-- The headers that are strings, by name; nil where they do not end where they should.
local function headers_in(text)
  local found, at, past = {}, 1, #text + 1
  while at < past do
    local name_ends = at + byte(text, at)
    local kind = byte(text, name_ends + 1)
    local value, size = name_ends + 2, SIZES[kind]
    if kind == STRING or kind == 6 then
      local high, low = byte(text, value, value + 1)
      if not low then return nil end
      value, size = value + 2, high * 256 + low
    end
    if not size or value + size > past then return nil end
    if kind == STRING then found[sub(text, at + 1, name_ends)] = sub(text, value, value + size - 1) end
    at = value + size
  end
  return found
end

local KEPT = 64 -- headers that are kept by their text: each kind of event has its own
local kinds, kept = {}, 0

-- What a frame is: the name of an event, or of an exception and true. Nil where its headers do not say it.
local function kind_in(text)
  local kind = kinds[text]
  if kind then return kind.name, kind.failed end
  local found = headers_in(text)
  local says = found and found[":message-type"]
  local name = says == "event" and found[":event-type"] or says == "exception" and found[":exception-type"]
    or says == "error" and found[":error-code"]
  if not name or not find(name, "^%w+$") then return nil end
  if kept == KEPT then kinds, kept = {}, 0 end
  kept = kept + 1
  kinds[text] = { name = name, failed = says ~= "event" }
  return name, says ~= "event"
end

-- Reads the frame of `total` bytes at `at`, whose prelude is good; false where it is damaged.
local function read_frame(state, out, text, at, total)
  local headers = number_at(text, at + 4)
  if not has_crc(text, at, total - 4) then return false end
  local name, failed = kind_in(sub(text, at + PRELUDE, at + PRELUDE + headers - 1))
  if not name then return false end
  advance(state, out, name, sub(text, at + PRELUDE + headers, at + total - 5), failed)
  return true
end

-- The length of the frame at `at`, of which the prelude is there; nil where that is none, or too long a one.
local function length_at(text, at)
  local total = number_at(text, at)
  if total < AROUND or total > LARGEST or number_at(text, at + 4) > total - AROUND then return nil end
  return has_crc(text, at, 8) and total or nil
end

-- Takes the next bytes of a stream, and returns what goes on in their place.
local function translated(state, chunk)
  if state.ended then return "" end
  local pieces, out = state.pieces, {}
  pieces[#pieces + 1], state.held = chunk, state.held + #chunk
  if state.held < (state.wanted or PRELUDE) then return "" end
  local text, at = #pieces == 1 and chunk or concat(pieces), 1
  local last = #text
  while not state.ended do
    state.wanted = PRELUDE
    if last - at + 1 < PRELUDE then break end
    local total = length_at(text, at)
    if total and last - at + 1 < total then
      state.wanted = total
      break
    end
    if not total or not read_frame(state, out, text, at, total) then
      fail(state, out, BROKEN)
    else
      at = at + total
    end
  end
  local rest = state.ended and "" or sub(text, at)
  state.pieces, state.held = { rest }, #rest
  return concat(out)
end
