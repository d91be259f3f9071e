"""Judging a JSON value by its node: every problem at once, in the order of the fields.

The API server does the same with the generated CRD: first the form of every field, then defaults, then the rules. A
rule is skipped here while a field that it reads has a problem of its own.
"""

import difflib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from functools import cached_property
from typing import Any

from fairlead.api.form import ListType, Text
from fairlead.api.problem import Problem
from fairlead.api.schema import Kind, Node, Property

_LONGEST_QUOTE = 80


def judge(node: Node, value: object, path: str) -> tuple[Any, tuple[Problem, ...]]:
    """Return the value with all defaults filled in, and its problems; the value is of use only if there are none."""
    problems = _Problems(node, path)
    judged = _judge(node, value, path, problems)
    return judged, tuple(problems)


class _Problems(list[Problem]):
    """What was found so far, and where each field of the whole has its place."""

    def __init__(self, node: Node, path: str) -> None:
        super().__init__()
        self._node, self._path = node, path

    @cached_property
    def homes(self) -> Mapping[str, str]:
        """`homes` of the whole: worked out where a field is unknown, which few objects have."""
        return homes(self._node, self._path)


def homes(node: Node, path: str) -> dict[str, str]:
    """Return by its name where a field stands, below `path`: those that have one place, outside lists."""
    found: dict[str, list[str]] = {}
    _note_homes(node, path, found)
    return {name: places[0] for name, places in found.items() if len(places) == 1}


def _note_homes(node: Node, path: str, found: dict[str, list[str]]) -> None:
    for field in node.properties:
        found.setdefault(field.name, []).append(below(path, field.name))
        _note_homes(field.node, below(path, field.name), found)


def below(path: str, name: str) -> str:
    """Return the path of a field of the value at `path`."""
    return f"{path}.{name}" if path and name else path or name


def unknown_field(path: str, name: object, known: Iterable[str], elsewhere: Mapping[str, str] | None = None) -> Problem:
    """Return the problem of a field that nothing reads, with the place or the name that was probably meant."""
    names = sorted(known)
    home = (elsewhere or {}).get(str(name))
    if home is not None and not nearest(str(name), names, likeness=0.85):
        return Problem(below(path, _plain(str(name))), f"got an unknown field, want it at `{home}`, move it")
    near = nearest(str(name), names)
    want = f"want `{near}`, rename or remove it" if near else f"want one of {listing(names)}, remove it"
    return Problem(below(path, _plain(str(name))), f"got an unknown field, {want}")


def nearest(word: str, known: Iterable[str], *, likeness: float = 0.6) -> str | None:
    """Return the known word that was probably meant, if one is near; `likeness` is of the letters, from 0 to 1."""
    words = {known_word.lower(): known_word for known_word in known}
    matches = difflib.get_close_matches(word.lower(), words, n=1, cutoff=likeness)
    return words[matches[0]] if matches else None


def listing(words: Iterable[str]) -> str:
    """Return words as literals in one line."""
    return ", ".join(f"`{word}`" for word in words)


def got(value: object) -> str:  # noqa: PLR0911  # one line per JSON type
    """Return what a person wrote, in few words. What stands where a mapping or list is wanted is not repeated."""
    match value:
        case None:
            return "got nothing"
        case bool():
            return f"got the boolean `{str(value).lower()}`"
        case int() | float():
            return f"got the number `{value}`"
        case str():
            return f"got {quoted(value)}"
        case date():
            return "got a time without quotes"
        case Mapping():
            return "got a mapping"
        case list() | tuple():
            return "got a list"
        case _:
            return "got something that is not JSON"


def quoted(text: str) -> str:
    """Return a string as a literal of one line and bearable length, without the user and password of a URL."""
    plain = re.sub(r"//[^/]*@", "//...@", _plain(text))
    return f"`{plain}`" if len(plain) <= _LONGEST_QUOTE else f"`{plain[:_LONGEST_QUOTE]}...`"


def legible(text: str) -> str:
    """Return a text from outside as a person may read it: one line of bearable length that steers no terminal."""
    plain = _plain(text)
    return plain if len(plain) <= _LONGEST_QUOTE else f"{plain[:_LONGEST_QUOTE]}..."


def _plain(text: str) -> str:
    return "".join(character if character.isprintable() and character != "`" else "?" for character in text)


def _judge(node: Node, value: object, path: str, problems: _Problems) -> Any:
    before = len(problems)
    match node.kind:
        case Kind.OBJECT:
            judged: Any = _judge_object(node, value, path, problems)
        case Kind.MAP:
            judged = _judge_map(node, value, path, problems)
        case Kind.ARRAY:
            judged = _judge_array(node, value, path, problems)
        case Kind.STRING:
            judged = _judge_string(node, value, path, problems)
        case Kind.BOOLEAN:
            judged = _judge_boolean(node, value, path, problems)
        case _:
            judged = _judge_integer(node, value, path, problems)
    spoilt = problems[before:]
    if judged is not None:
        problems.extend(_broken_rules(node, judged, path, spoilt))
    return judged


def _broken_rules(node: Node, value: Any, path: str, spoilt: list[Problem]) -> Iterator[Problem]:
    for rule in node.rules:
        reads = [below(path, field) for field in rule.reads] or [path]
        if any(_is_at_or_below(problem.path, read) for problem in spoilt for read in reads):
            continue
        start = f"{got(value)}, " if node.kind is Kind.STRING else ""
        yield from (Problem(below(path, place), start + rule.message) for place in rule.broken_at(value))


def _is_at_or_below(path: str, ancestor: str) -> bool:
    return path == ancestor or path.startswith((f"{ancestor}.", f"{ancestor}["))


def _judge_object(node: Node, value: object, path: str, problems: _Problems) -> dict[str, Any] | None:
    if not isinstance(value, Mapping):
        problems.append(_wrong_type(value, path, want(node)))
        return None
    judged: dict[str, Any] = {}
    for field in node.properties:
        if field.name in value:
            judged[field.name] = _judge(field.node, value[field.name], below(path, field.name), problems)
        elif field.required:
            problems.append(missing(field, path))
        elif field.default is not None:
            judged[field.name] = field.default
    if node.is_open:
        return judged
    known = [field.name for field in node.properties]
    problems.extend([unknown_field(path, name, known, problems.homes) for name in value if name not in known])
    return judged


def _judge_map(node: Node, value: object, path: str, problems: _Problems) -> dict[str, Any] | None:
    if not isinstance(value, Mapping):
        problems.append(_wrong_type(value, path, want(node)))
        return None
    if node.items is None or node.map_key is None or node.entries is None:  # pragma: no cover  # every MAP has all
        raise TypeError(path)
    if len(value) > (most := node.entries.max_properties):
        problems.append(Problem(path, f"got {len(value)} entries, want at most {most}, remove some"))
    judged: dict[str, Any] = {}
    for key, entry in value.items():
        place = f"{path}[{_plain(str(key))}]"
        if not (isinstance(key, str) and _matches(node.map_key, key)):
            problems.append(Problem(place, f"got the key {quoted(str(key))}, want {node.map_key.want}, rename it"))
        judged[str(key)] = _judge(node.items, entry, place, problems)
    return judged


def _judge_array(node: Node, value: object, path: str, problems: _Problems) -> list[Any] | None:
    if not isinstance(value, (list, tuple)):
        problems.append(_wrong_type(value, path, want(node)))
        return None
    listed, items = node.listed, node.items
    if listed is None or items is None:  # pragma: no cover  # every ARRAY has both
        raise TypeError(path)
    if len(value) < listed.min_items:
        problems.append(
            Problem(path, f"got an empty list, want at least {listed.min_items} entry, {listed.absent or 'add one'}")
        )
    if len(value) > listed.max_items:
        problems.append(Problem(path, f"got {len(value)} entries, want at most {listed.max_items}, remove some"))
    judged = []
    seen: set[object] = set()
    for index, entry in enumerate(value):
        place = f"{path}[{index}]"
        judged.append(_judge(items, entry, place, problems))
        identity = _identity(listed.list_type, listed.keys, entry)
        if identity is not None and identity in seen:
            problems.append(_duplicate(listed.keys, entry, place))
        seen.add(identity)
    return judged


def _identity(list_type: ListType, keys: tuple[str, ...], entry: object) -> object:
    """Return what makes an entry the same as another, or None where nothing does."""
    if list_type is ListType.SET and isinstance(entry, str):
        return entry
    if list_type is ListType.MAP and isinstance(entry, Mapping):
        parts = tuple(entry.get(key) for key in keys)
        return parts if all(isinstance(part, str) for part in parts) else None
    return None


def _duplicate(keys: tuple[str, ...], entry: Any, place: str) -> Problem:
    if not keys:
        return Problem(place, f"got {quoted(entry)} a second time, want each entry once, remove it")
    key = keys[0]
    return Problem(
        below(place, key), f"got {quoted(entry[key])} a second time, want each `{key}` once, change or remove it"
    )


def _judge_string(node: Node, value: object, path: str, problems: _Problems) -> str | None:
    if not isinstance(value, str):
        problems.append(_wrong_type(value, path, want(node), _written(node, value)))
        return None
    if node.enum:
        if value not in node.enum:
            near = nearest(value, node.enum)
            todo = f"write `{near}`" if near else "choose one"
            problems.append(Problem(path, f"{got(value)}, want {want(node)}, {todo}"))
        return value
    text = node.text
    if text is None:  # pragma: no cover  # a STRING has an enum or a text
        raise TypeError(path)
    if len(value) > text.max_length:
        problems.append(Problem(path, f"got {len(value)} characters, want at most {text.max_length}, shorten it"))
    elif not _matches(text, value):
        todo = _written(node, value) or "rewrite it"
        problems.append(Problem(path, f"{_got_text(text, value)}, want {text.want}, {todo}"))
    return value


def _got_text(text: Text, value: str) -> str:
    if not value:
        return "got an empty string"
    if text.quiet:
        return f"got a string of {len(value)} characters in another form"
    refused = re.search(text.refused, value) if text.refused else None
    return f"{got(value)} with {character(refused[0])}" if refused else got(value)


def character(one: str) -> str:
    """Name a character, also one that cannot be shown: `U+0007 (a control character)`."""
    kinds = {"Cc": "a control character", "Cs": "half a character"}
    kind = kinds.get(unicodedata.category(one), f"`{one}`")
    return f"U+{ord(one):04X} ({kind})"


def _matches(text: Text, value: str) -> bool:
    # fullmatch, since Python's `$` also matches before a newline at the end.
    if not text.min_length <= len(value) <= text.max_length or re.fullmatch(text.pattern, value) is None:
        return False
    return not text.refused or re.search(text.refused, value) is None


def _written(node: Node, value: object) -> str:
    """Return how to write the value that was probably meant, or nothing."""
    text = node.text
    if text is None or text.quiet or not isinstance(value, (str, int, float)):
        return ""
    plain = str(value).lower() if isinstance(value, bool) else str(value)
    seconds = f"{plain}s" if plain.isdigit() else plain
    for guess in (plain, f"{plain}%", plain.strip(), plain.replace(" ", ""), plain.lower(), seconds):
        if guess != value and _matches(text, guess):
            return f'write `"{guess}"`'
    return ""


def _judge_integer(node: Node, value: object, path: str, problems: _Problems) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        todo = (
            f"write `{value}` without quotes" if isinstance(value, str) and value.isascii() and value.isdigit() else ""
        )
        problems.append(_wrong_type(value, path, want(node), todo))
        return None
    number = node.number
    if number and not number.minimum <= value <= number.maximum:
        problems.append(Problem(path, f"{got(value)}, want {want(node)}, change it"))
    return value


def _judge_boolean(node: Node, value: object, path: str, problems: _Problems) -> bool | None:
    if isinstance(value, bool):
        return value
    todo = f"write `{str(value).lower()}` without quotes" if str(value).lower() in {"true", "false"} else ""
    problems.append(_wrong_type(value, path, want(node), todo))
    return None


def _wrong_type(value: object, path: str, wanted: str, todo: str = "") -> Problem:
    if value is None:
        return Problem(path, f"got nothing after the colon, want {wanted}, write it or remove the field")
    # What stands in place of a mapping or list may be a pasted credential: say only that it is a string.
    wants_scalar = not wanted.startswith(("a mapping", "a list"))
    said = got(value) if wants_scalar or not isinstance(value, str) else "got a string"
    return Problem(path, f"{said}, want {wanted}, {todo or 'rewrite it'}")


def want(node: Node) -> str:
    """Return what a node wants, in few words."""
    if node.enum:
        return listing(node.enum) if len(node.enum) == 1 else f"one of {listing(node.enum)}"
    if node.text:
        return node.text.want
    if node.number:
        return node.number.want
    if node.kind is Kind.BOOLEAN:
        return "`true` or `false`"
    if node.kind is Kind.OBJECT:
        needed = [field.name for field in node.properties if field.required]
        return f"a mapping with {listing(needed or (field.name for field in node.properties))}"
    return "a list" if node.kind is Kind.ARRAY else "a mapping of strings"


def missing(field: Property, path: str) -> Problem:
    """Return the problem of a required field that is not there."""
    return Problem(below(path, field.name), f"got nothing, want {want(field.node)}, add it")
