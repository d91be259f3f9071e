"""What a strict provider accepts as a body: JSON without liberties, then a table of fields per endpoint.

A check is a function `(value, path) -> None` that raises `Malformed`. Fields that no table names are accepted, as most
OpenAI-compatible servers do, so that a gateway's byte-exactness can be tested with them.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

JSON = Any
Check = Callable[[JSON, str], None]


class Malformed(ValueError):  # noqa: N818 - the name says what the body is; it never leaves the provider
    """The body is refused with 400; `param` is the path of the field at fault."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


def parse(raw: bytes) -> dict[str, JSON]:
    """Parse a JSON object: UTF-8, no BOM, no NaN, no key twice at any depth; raise `Malformed` otherwise."""
    try:
        body = json.loads(raw.decode(), object_pairs_hook=_object, parse_constant=_constant)
    except Malformed:
        raise
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise Malformed(f"We could not parse the JSON body of your request: {error}") from error
    if not isinstance(body, dict):
        raise Malformed("The body of your request must be a JSON object")
    return body


def _object(pairs: Sequence[tuple[str, JSON]]) -> dict[str, JSON]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Malformed(f"The key '{twice}' stands twice in one object", twice)
    return found


def _constant(name: str) -> None:
    raise Malformed(f"{name} is not JSON")


def fields(body: Mapping[str, JSON], table: Mapping[str, Check], *, required: Sequence[str], path: str = "") -> None:
    """Hold `body` against `table`; null counts as absent, as the real API takes it for optional fields."""
    for name in required:
        if body.get(name) is None:
            raise Malformed(f"Missing required parameter: '{path}{name}'.", f"{path}{name}")
    for name, check in table.items():
        if body.get(name) is not None:
            check(body[name], f"{path}{name}")


def wrong(path: str, want: str, value: JSON) -> Malformed:
    """Make the error for a value of the wrong type, in the real API's words."""
    kinds = {bool: "a boolean", int: "an integer", float: "a decimal", str: "a string", list: "an array"}
    got = "null" if value is None else kinds.get(type(value), "an object")
    return Malformed(f"Invalid type for '{path}': expected {want}, but got {got} instead.", path)


def string(value: JSON, path: str) -> None:
    """Accept any string."""
    if not isinstance(value, str):
        raise wrong(path, "a string", value)


def name(value: JSON, path: str) -> None:
    """Accept a string that is not empty."""
    string(value, path)
    if not value:
        raise Malformed(f"Invalid '{path}': empty string.", path)


def boolean(value: JSON, path: str) -> None:
    """Accept true and false only: not 1, not "true"."""
    if not isinstance(value, bool):
        raise wrong(path, "a boolean", value)


def integer(low: int, high: int | None = None) -> Check:
    """Make a check for an integer from `low` to `high`; 1.0 and true are none."""

    def check(value: JSON, path: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong(path, "an integer", value)
        if value < low or (high is not None and value > high):
            raise Malformed(f"Invalid '{path}': {value} is out of range.", path)

    return check


def number(low: float, high: float) -> Check:
    """Make a check for a number from `low` to `high`."""

    def check(value: JSON, path: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise wrong(path, "a number", value)
        if not low <= value <= high:
            raise Malformed(f"Invalid '{path}': {value} is out of range.", path)

    return check


def one_of(*choices: str) -> Check:
    """Make a check for one of some strings."""

    def check(value: JSON, path: str) -> None:
        string(value, path)
        if value not in choices:
            raise Malformed(f"Invalid value: '{value}'. Supported values are: {', '.join(choices)}.", path)

    return check


def matching(pattern: str) -> Check:
    """Make a check for a string that a regular expression matches as a whole."""
    compiled = re.compile(pattern)

    def check(value: JSON, path: str) -> None:
        string(value, path)
        if not compiled.fullmatch(value):
            raise Malformed(f"Invalid '{path}': string does not match pattern '{pattern}'.", path)

    return check


def mapping(value: JSON, path: str) -> None:
    """Accept any object."""
    if not isinstance(value, dict):
        raise wrong(path, "an object", value)


def shape(table: Mapping[str, Check], *required: str) -> Check:
    """Make a check for an object by a table of its fields."""

    def check(value: JSON, path: str) -> None:
        mapping(value, path)
        fields(value, table, required=required, path=f"{path}.")

    return check


def sequence(item: Check, *, least: int = 0, most: int | None = None) -> Check:
    """Make a check for an array whose every item passes `item`."""

    def check(value: JSON, path: str) -> None:
        if not isinstance(value, list):
            raise wrong(path, "an array", value)
        if len(value) < least or (most is not None and len(value) > most):
            raise Malformed(f"Invalid '{path}': array of {len(value)} items is too short or too long.", path)
        for index, each in enumerate(value):
            item(each, f"{path}[{index}]")

    return check


def either(want: str, checks: Mapping[type, Check]) -> Check:
    """Make a check that depends on the JSON type of the value."""

    def check(value: JSON, path: str) -> None:
        chosen = checks.get(type(value))
        if chosen is None:
            raise wrong(path, want, value)
        chosen(value, path)

    return check


def texts(value: JSON, path: str) -> None:
    """Accept an object whose values are strings (`metadata`)."""
    mapping(value, path)
    for key, each in value.items():
        string(each, f"{path}.{key}")
