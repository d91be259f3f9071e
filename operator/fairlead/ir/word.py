"""Names of models as words: how they travel inside a gateway, and how they are read where people see them.

Providers name models as they like (blanks, `~`, `[1m]`, commas, quotes, letters of other scripts), and blanks, commas
and bars separate what gateways keep of them: fields of the directory, headers, words of a check, members of a log line.
So there each name stands percent-encoded (RFC 3986), byte by byte of UTF-8: in the IR, response headers, log lines and
labels of metrics. Bodies, messages and whatever a person reads or writes carry the name itself. Lua's half is
`envoy/lua/word.lua`; a test holds both against each other.
"""

import re
from urllib.parse import quote, unquote

_PLAIN = re.compile(r"[A-Za-z0-9._:/@+][A-Za-z0-9._:/@+-]*")
"""What stands for itself; not a dash in front, which alone means that there is nothing."""
_KEPT = "/:@+"
"""Beside letters, digits and `_.-~`, which `quote` keeps anyway."""


def encode(name: str) -> str:
    """Return the word for a name. Different names have different words, and so do the beginnings of names."""
    if _PLAIN.fullmatch(name):
        return name
    word = quote(name, safe=_KEPT, errors="surrogatepass").replace("~", "%7E")
    return f"%2D{word[1:]}" if word.startswith("-") else word


def decode(word: str) -> str:
    """Return the name that a word, or a `provider/endpoint/model` with one at its end, stands for."""
    return unquote(word, errors="surrogatepass") if "%" in word else word


def encode_pattern(pattern: str) -> str:
    """Return a pattern of names as one of their words: a `*` at its end stays what it is."""
    prefix, star, _ = pattern.partition("*")
    return encode(prefix) + star
