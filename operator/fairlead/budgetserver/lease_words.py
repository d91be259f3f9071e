"""What gateways say of leases: what they want of one, what is left of one, which unit a request had.

A lease is named by the server: hexadecimal digits. Its units are numbered from 1, and named `<lease>.<number>`.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from fairlead.budget.lease import MOST, unit_name

ABSENT = "-"
ASKED = "asked"
"""In place of what a report gives back: its check asked for a lease, and none came with an answer."""
MOST_RETURNED = 8
"""Leases that one message gives back."""
_WANT = re.compile(r"([0-9]{1,3}),([0-9]{1,15}),(-|[0-9]{1,15}),([1-9][0-9]{0,14})")
_UNIT = re.compile(r"[0-9a-f]{1,64}\.[1-9][0-9]?")
_RETURNED = re.compile(r"([0-9a-f]{1,64}):([1-9][0-9]?)-([1-9][0-9]?)")


class Want(NamedTuple):
    """Room for requests like the one that asks, each of at most this size."""

    units: int
    body_bytes: int
    output_limit: int | None
    """None: for requests that name none."""
    choices: int


def want(word: str) -> Want | None:
    """Read `<units>,<bytes>,<limit>,<answers>`; None for anything else."""
    found = _WANT.fullmatch(word)
    if found is None:
        return None
    units, size, limit, choices = found.groups()
    return Want(
        units=min(int(units), MOST),
        body_bytes=int(size),
        output_limit=None if limit == ABSENT else int(limit),
        choices=int(choices),
    )


def unit(word: str) -> str:
    """Return the name in the ledger of the unit that a report's word `reservation` names; empty when it names none."""
    if "." not in word or not _UNIT.fullmatch(word):
        return ""
    lease, _, number = word.partition(".")
    return unit_name(lease, int(number))


def returned(word: str) -> tuple[str, ...]:
    """Return the names in the ledger of the units that are given back: `<lease>:<first>-<last>`, several with `;`.

    What cannot be read is left out: it is released when it expires.
    """
    if word in {ABSENT, ""}:
        return ()
    return tuple(dict.fromkeys(_units(word)))


def _units(word: str) -> Iterator[str]:
    for one in word.split(";")[:MOST_RETURNED]:
        found = _RETURNED.fullmatch(one)
        if found is not None:
            lease, first, last = found.groups()
            for number in range(int(first), min(int(last), MOST) + 1):
                yield unit_name(lease, number)
