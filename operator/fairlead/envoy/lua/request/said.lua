-- The same request in the words of another API: lua/messages/ ---------------------------------------------------------

local in_words

do -- a chunk of Lua has 200 locals at most

@messages@

in_words = in_other_words

end
