"""What stands in columns of the database: JSON and whole numbers, or a row that nobody can read."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from fairlead.budget.reconciliation import Count, UsageCounter, UsageCounterKey

_KEY_PARTS = 4


class UnreadableRowError(ValueError):
    """A row is not as it was written."""


def check_whole(numbers: Sequence[Any]) -> None:
    """Take numbers that are whole; SQLite keeps words in their columns, too. Raises `UnreadableRowError`."""
    for number in numbers:
        if type(number) is not int:
            raise UnreadableRowError(f"got {number!r}, want a whole number")


@lru_cache(maxsize=1024)  # of the entries of a consumer most have the same
def names_of(text: Any) -> tuple[str, ...]:
    """Read a list of names. Raises `UnreadableRowError`."""
    try:
        found = json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise UnreadableRowError(str(error)) from error
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise UnreadableRowError("got something else, want a list of names")
    return tuple(found)


def key_text(key: UsageCounterKey) -> str:
    """Spell a key."""
    return json.dumps([key.gateway, key.consumer, key.route, key.target])


def key_of(text: str) -> UsageCounterKey:
    """Read a key. Raises `UnreadableRowError`."""
    names = names_of(text)
    if len(names) != _KEY_PARTS:
        raise UnreadableRowError(f"got {len(names)} names, want {_KEY_PARTS}")
    gateway, consumer, route, target = names
    return UsageCounterKey(gateway=gateway, consumer=consumer, route=route, target=target)


def state_text(counter: UsageCounter) -> str:
    """Spell a counter."""
    return json.dumps(asdict(counter))


def usage_counter_of(text: str) -> UsageCounter:
    """Read a counter. Raises `UnreadableRowError`."""
    try:
        counts = {name: Count(**count) for name, count in json.loads(text).items()}
        counter = UsageCounter(**counts)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UnreadableRowError(str(error)) from error
    for count in counts.values():
        check_whole((count.requests, count.input, count.output, count.cached))
    return counter
