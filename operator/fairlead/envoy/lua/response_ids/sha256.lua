-- SHA-256 (FIPS 180-4) and HMAC with it (RFC 2104), of short texts ----------------------------------------------------

local mac_of

do -- a chunk of Lua has 200 locals at most

local ffi = require("ffi")
local band, bnot, bor, bxor = bit.band, bit.bnot, bit.bor, bit.bxor
local lshift, ror, rshift, tobit, tohex = bit.lshift, bit.ror, bit.rshift, bit.tobit, bit.tohex
local BLOCK = 64

-- The first 32 bits of what is behind the point of the primes' roots: square ones to begin with, cubic ones for rounds.
local BEGIN, ROUNDS = {}, {}
do
  local number = 2
  while #ROUNDS < 64 do
    local divisor = 2
    while number % divisor ~= 0 do divisor = divisor + 1 end
    if divisor == number then
      ROUNDS[#ROUNDS + 1] = tobit(math.floor(number ^ (1 / 3) % 1 * 4294967296))
      if #BEGIN < 8 then BEGIN[#BEGIN + 1] = tobit(math.floor(math.sqrt(number) % 1 * 4294967296)) end
    end
    number = number + 1
  end
end

local w = ffi.new("int32_t[64]")

-- Takes the block that begins at `at` into the state.
local function compress(state, text, at)
  for i = 0, 15 do
    local a, b, c, d = byte(text, at + 4 * i, at + 4 * i + 3)
    w[i] = bor(lshift(a, 24), lshift(b, 16), lshift(c, 8), d)
  end
  for i = 16, 63 do
    local x, y = w[i - 15], w[i - 2]
    w[i] = tobit(w[i - 16] + bxor(ror(x, 7), ror(x, 18), rshift(x, 3)) + w[i - 7] + bxor(ror(y, 17), ror(y, 19), rshift(y, 10)))
  end
  local a, b, c, d, e, f, g, h = unpack(state)
  for i = 0, 63 do
    local one = tobit(h + bxor(ror(e, 6), ror(e, 11), ror(e, 25)) + bxor(band(e, f), band(bnot(e), g)) + ROUNDS[i + 1] + w[i])
    local two = bxor(ror(a, 2), ror(a, 13), ror(a, 22)) + bxor(band(a, b), band(a, c), band(b, c))
    h, g, f, e, d, c, b, a = g, f, e, tobit(d + one), c, b, a, tobit(one + two)
  end
  local more = { a, b, c, d, e, f, g, h }
  for i = 1, 8 do state[i] = tobit(state[i] + more[i]) end
end

local function bytes_of_word(number)
  number = number % 4294967296
  return char(math.floor(number / 16777216), math.floor(number / 65536) % 256, math.floor(number / 256) % 256, number % 256)
end

-- The state after a text that follows so many whole blocks, which led to the state `from`.
local function state_after(text, from, before)
  local state, length = { unpack(from) }, #text + before
  text = text .. "\128" .. string.rep("\0", (55 - length) % BLOCK) .. "\0\0\0\0" .. bytes_of_word(length * 8)
  for at = 1, #text, BLOCK do compress(state, text, at) end
  return state
end

local function text_of_state(state)
  local words = {}
  for i = 1, 8 do words[i] = bytes_of_word(state[i]) end
  return concat(words)
end

local function state_after_pad(secret, pad)
  local state = { unpack(BEGIN) }
  compress(state, gsub(secret .. string.rep("\0", BLOCK - #secret), ".", function(c) return char(bxor(byte(c), pad)) end), 1)
  return state
end

local MOST_SECRETS = 64
local paddings, count = {}, 0 -- by secret

-- The first half of a text's MAC, in hexadecimal digits: 128 bits.
function mac_of(secret, text)
  local padding = paddings[secret]
  if not padding then
    local short = #secret > BLOCK and text_of_state(state_after(secret, BEGIN, 0)) or secret
    padding = { inner = state_after_pad(short, 0x36), outer = state_after_pad(short, 0x5c) }
    if count >= MOST_SECRETS then paddings, count = {}, 0 end
    paddings[secret], count = padding, count + 1
  end
  local state = state_after(text_of_state(state_after(text, padding.inner, BLOCK)), padding.outer, BLOCK)
  return tohex(state[1]) .. tohex(state[2]) .. tohex(state[3]) .. tohex(state[4])
end

end
