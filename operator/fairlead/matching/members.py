"""JSON objects whose members are read as the request filter reads them: once each, and in no disguise."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

_LETTERS = {"\u017f": "s", "\u212a": "k", "\u0130": "i", "\u0131": "i"}
_MOST = 1000
"""Members of an object that is read."""


class Amiss(ValueError):  # noqa: N818  # what a gateway answers with 400 is no error of the reader's
    """A gateway refuses the body; the text is the code that it answers with."""


class Pairs(tuple[tuple[str, Any], ...]):
    """An object's members, as often as they are given. Keys are as they are written, escapes among them."""

    __slots__ = ()


def loads(text: str) -> Any:
    """Read JSON, objects as `Pairs`.

    Raises:
        Amiss: it is no JSON.

    """
    try:
        return json.loads(_with_raw_keys(text), object_pairs_hook=Pairs, parse_int=_number, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Amiss("invalid_json") from error


def pick(pairs: Pairs, names: Collection[str]) -> Mapping[str, Any]:
    """Return the members of these names.

    Raises:
        Amiss: one is given twice or in a disguise, or there are too many.

    """
    if len(pairs) > _MOST:
        raise Amiss("invalid_json")
    plain = {name.replace("_", ""): name for name in names}
    found: dict[str, Any] = {}
    for raw, value in pairs:
        name = plain.get(_folded(raw))
        # Keys that begin with another sign are nobody's name, whatever follows.
        if name is None or raw[:1].lower() not in {name[0], "\\", *_LETTERS}:
            continue
        if raw != name or name in found:
            raise Amiss("invalid_json")
        found[name] = value
    return found


def elements(value: Any) -> Sequence[Any]:
    """Return the elements of a list, and none of anything else."""
    return value if isinstance(value, list) else ()


_DIGITS = 1000
"""More than any number has that is read; Python refuses to read some thousands (`sys.set_int_max_str_digits`)."""


def _number(digits: str) -> float:
    return int(digits) if len(digits) <= _DIGITS else float(digits)


_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def _with_raw_keys(text: str) -> str:
    """Write keys so that reading them gives them as they were written: an escape in one is a disguise."""
    if "\\" not in text:
        return text
    pieces, at = [], 0
    for found in _STRING.finditer(text):
        end = found.end()
        rest = text[end : end + 64].lstrip(" \t\r\n") or text[end:].lstrip(" \t\r\n")
        if "\\" in found[0] and rest.startswith(":"):
            json.loads(found[0])  # the escapes are some
            pieces += [text[at : found.start()], json.dumps(found[0][1:-1])]
            at = end
    return "".join([*pieces, text[at:]])


def _folded(raw: str) -> str:
    """Reduce a key to what lenient servers may take it for."""
    text = json.loads(f'"{raw}"') if "\\" in raw else raw
    text = text.partition("\0")[0]
    for letter, plain in _LETTERS.items():
        text = text.replace(letter, plain)
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _no_number(text: str) -> None:
    raise ValueError(text)
