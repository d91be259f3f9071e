"""Fields of the hashes in which a Redis keeps what reconciliation knows: how they are named, and what they say.

Whatever cannot be read raises `ValueError` or `KeyError`, which `damaged_keys.decoded` takes for damage.
"""

from collections.abc import Mapping

from fairlead.budget.reconciliation import Count, UsageCounter, UsageCounterKey
from fairlead.budgetserver.rows import usage_counter_of

_SUFFIXES = {"n": "requests", "i": "input", "o": "output", "c": "cached"}


def field(key: UsageCounterKey) -> str:
    """Spell a key as a field's name; no name of a gateway, consumer, route or target contains a bar."""
    return f"{key.gateway}|{key.consumer}|{key.route}|{key.target}|"


def meter(name: str, state: str) -> tuple[UsageCounterKey, UsageCounter]:
    """Read what is known of a usage counter."""
    return _key(name), usage_counter_of(state)


def part(name: str, number: str) -> tuple[tuple[UsageCounterKey, str], int]:
    """Read one number of what reports booked: a field's name has a letter for which one behind its key."""
    return (_key(name), _SUFFIXES[name[-1]]), int(number)


def counts(parts: Mapping[tuple[UsageCounterKey, str], int]) -> dict[UsageCounterKey, Count]:
    """Put such numbers together."""
    numbers: dict[UsageCounterKey, dict[str, int]] = {}
    for (key, name), number in parts.items():
        numbers.setdefault(key, {})[name] = number
    return {key: Count(**count) for key, count in numbers.items()}


def _key(name: str) -> UsageCounterKey:
    gateway, consumer, route, target, _ = name.split("|")
    return UsageCounterKey(gateway=gateway, consumer=consumer, route=route, target=target)
