-- The same request in the words of another API: lua/messages/, lua/chat/ and lua/converse/ ------------------------------
-- By the client's API: a function of the body and of what the rungs have that want it so.
local in_other_words_of, in_converse_of = {}, {}
do -- a chunk of Lua has 200 locals at most
local floor = math.floor
@spans@
do
@messages@
in_other_words_of.Messages = in_other_words
end
do
@chat@
in_other_words_of.Chat = in_other_words
end
do
@converse_messages@
in_converse_of.Messages = in_other_words
end
do
@converse_chat@
in_converse_of.Chat = in_other_words
end
end
