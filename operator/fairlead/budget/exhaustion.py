"""Who is at the end of a budget, as budget servers said: what gateways go by while nobody answers their checks.

Servers forget with each start who found no room, so what they once said holds for its window. It is used only where
nobody can be asked, and is void as soon as the limit is another.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from fairlead.budget.spend import MOST_EXHAUSTED, SpendSnapshot

MOST = 2_000
"""Consumers that are remembered, over all policies: each takes up to 100 bytes of the 900 KiB of a gateway's routes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhaustion:
    """One policy in one window."""

    limit: int
    start_ms: int
    end_ms: int | None
    """None: the window never ends."""
    consumers: frozenset[str]
    """`namespace/name`, or `*` for all that share the limit."""


Exhaustions = Mapping[str, Exhaustion]
"""By policy, `namespace/name`; only those that somebody has exhausted."""


def remembered(before: Exhaustions, snapshot: SpendSnapshot | None) -> Exhaustions:
    """Add what a snapshot says to what was known; without one, or without its store, nothing changes."""
    if snapshot is None or not snapshot.store_up:
        return before
    found: dict[str, Exhaustion] = {}
    room = MOST
    for account in snapshot.accounts:
        one = Exhaustion(
            limit=account.limit,
            start_ms=account.start_ms,
            end_ms=account.end_ms,
            consumers=frozenset(account.exhausted),
        )
        known = before.get(account.policy)
        if known is not None and replace(known, consumers=one.consumers) == one:
            one = replace(one, consumers=one.consumers | known.consumers)
        kept = frozenset(sorted(one.consumers)[: min(MOST_EXHAUSTED, room)])
        if kept:
            found[account.policy] = replace(one, consumers=kept)
            room -= len(kept)
    return found


def document(exhaustions: Exhaustions) -> dict[str, Any]:
    """Write down what is known, of JSON's types only: whoever starts while nobody can be asked goes by it."""
    return {
        "policies": [
            {
                "policy": policy,
                "limit": one.limit,
                "start": one.start_ms,
                "end": one.end_ms,
                "consumers": sorted(one.consumers),
            }
            for policy, one in sorted(exhaustions.items())
        ]
    }


def read(document: Any) -> Exhaustions:
    """Read what `document` wrote. Raises one of Python's errors of lookup, type or value for anything else."""
    return {_text(entry["policy"]): _one(entry) for entry in document["policies"]}


def _one(entry: Mapping[str, Any]) -> Exhaustion:
    numbers = [entry["limit"], entry["start"], *([] if entry["end"] is None else [entry["end"]])]
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise ValueError("limits and times are whole numbers")
    return Exhaustion(
        limit=entry["limit"],
        start_ms=entry["start"],
        end_ms=entry["end"],
        consumers=frozenset(_text(name) for name in entry["consumers"]),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("names are text")
    return value
