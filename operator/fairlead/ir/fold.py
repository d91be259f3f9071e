"""Folding of case: ASCII, and letters of two bytes in UTF-8, each to one of as many bytes.

Longer ones would need a table of thousands, and letters that fold into more than one a search that knows them: the
request filter folds byte by byte, and a text keeps its length.
"""

from functools import cache

_FIRST, _LAST = 0x80, 0x7FF
"""The characters of two bytes."""


@cache
def pairs() -> dict[str, str]:
    """Return what each letter of two bytes folds into, where that is another one of two bytes."""
    folded = {chr(code): chr(code).casefold() for code in range(_FIRST, _LAST + 1)}
    return {
        letter: other
        for letter, other in folded.items()
        if other != letter and len(other) == 1 and _FIRST <= ord(other) <= _LAST
    }


@cache
def _table() -> dict[int, str]:
    capitals = {code: chr(code).lower() for code in range(ord("A"), ord("Z") + 1)}
    return {**capitals, **{ord(letter): other for letter, other in pairs().items()}}


def fold(text: str) -> str:
    """Return a text in one case."""
    return text.translate(_table())
