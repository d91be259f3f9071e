"""Keys in Redis that somebody else wrote to: set aside and told, so that each hurts only whom it is about."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from redis.exceptions import RedisError

Name = TypeVar("Name")
Value = TypeVar("Value")

PREFIX = "{fairlead}:"
UNKNOWN = "unknown"
"""For `mend`: whatever it is, it cannot be read."""
_SHOWN = 3
_SIGNS = ("WRONGTYPE", "DAMAGED", "not an integer", "attempt to", "out of range")
"""How Redis, and scripts, say that what stands there is not what was written."""
SHARED = (
    (f"{PREFIX}open", "zset"),
    (f"{PREFIX}opens", "numbers"),
    (f"{PREFIX}waivers", "numbers"),
    (f"{PREFIX}booked", "numbers"),
    (f"{PREFIX}gateways", "numbers"),
    (f"{PREFIX}meters", "hash"),
    (f"{PREFIX}since", "number"),
    (f"{PREFIX}version", "number"),
)


class UnreadableFieldsError(ValueError):
    """Fields of a hash that nobody can make sense of."""

    def __init__(self, key: str, fields: Mapping[str, str]) -> None:
        super().__init__(f"{key}: {len(fields)} fields cannot be read")
        self.key, self.fields = key, fields


def decoded(key: str, fields: Mapping[str, str], decode: Callable[[str, str], tuple[Name, Value]]) -> dict[Name, Value]:
    """Decode the fields of a hash. Raises `UnreadableFieldsError`."""
    found, wrong = {}, {}
    for field, text in fields.items():
        try:
            name, value = decode(field, text)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            wrong[field] = text
        else:
            found[name] = value
    if wrong:
        raise UnreadableFieldsError(key, wrong)
    return found


class Touched(NamedTuple):
    """What a step may have met, beside what all steps share."""

    requests: tuple[str, ...] = ()
    counters: tuple[str, ...] = ()


def aside(key: str) -> str:
    """Return where `mend` keeps what stood in a key."""
    return f"{PREFIX}damaged:{key.removeprefix(PREFIX)}"


def is_damage(error: Any) -> bool:
    """Tell what stands there from a store that does not do its work."""
    return isinstance(error, RedisError) and any(sign in str(error) for sign in _SIGNS)


def suspects(touched: Iterable[Touched]) -> list[str]:
    """Return the arguments of `mend` for what some steps may have met."""
    found = dict(SHARED)
    for one in touched:
        found |= {f"{PREFIX}e:{request}": "entry" for request in one.requests}
        found |= {f"{PREFIX}c:{name}": "counter" for name in one.counters}
    return [word for pair in found.items() for word in pair]


def told(moved: Sequence[str]) -> str:
    """Say what was set aside."""
    shown = ", ".join(name[:100] for name in moved[:_SHOWN]) + (", ..." if len(moved) > _SHOWN else "")
    return (
        f"redis: {len(moved)} values cannot be read ({shown}); they are kept as `{PREFIX}damaged:...`,"
        " and what they said of spending counts as $0: look there, and lower the limit of"
        " whom it was about until the window ends"
    )
