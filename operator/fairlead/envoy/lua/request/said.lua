-- The same request in the words of another API: lua/messages/ and lua/chat/ --------------------------------------------
local in_words, in_words_of_messages
do -- a chunk of Lua has 200 locals at most
local floor = math.floor
@spans@
do
@messages@
in_words = in_other_words
end
do
@chat@
in_words_of_messages = in_other_words
end
end
