"""Which words of an Envoy's log say what went wrong: decided by what they mean, for the last line is seldom the cause.

An Envoy that has no inotify instance left says so once, and then prints addresses of its own code. One that lacks files
says it on its standard error, and an assertion later.
"""

import re
from enum import IntEnum

from fairlead.adapters import inotify

LONGEST = 400
"""Characters of an entry that are shown."""


class _Weight(IntEnum):
    """How near an entry is to the cause."""

    NOISE = 0
    WARNING = 1
    """Something was refused, and what was there before goes on."""
    ERROR = 2
    CRITICAL = 3
    MACHINE = 4
    """The machine, or somebody else on it, does not give what Envoy needs: nothing that Envoy says after it is news."""


_ENTRY = re.compile(
    r"^(?=\[\d{4}-|\[warn\] |\[err\] |\d+ external/"
    r"|\w+: (?:Too many|No space|Permission|Cannot allocate|Operation not))",
    re.MULTILINE,
)
"""Where an entry begins: Envoy's own, libevent's, the allocator's, a system call's. One may have many lines."""
_HEAD = re.compile(r"\[[^]]*\]\[\d+\]\[(?P<level>\w+)\]\[(?P<logger>\w+)\] (\[[^]]*\] )?")
_NOISE = frozenset(("backtrace", "envoy_bug"))
"""Loggers that tell addresses."""
_MACHINE = re.compile(
    r"too many open files|inotify|no space left|address already in use|cannot assign requested address"
    r"|permission denied|operation not permitted|read-only file system|out of memory|cannot allocate"
    r"|resource temporarily unavailable|no such file or directory|does not exist",
    re.IGNORECASE,
)
_REFUSAL = re.compile(r"reject|refus|fail|unable", re.IGNORECASE)


def cause(text: str) -> str:
    """Return the entry that says why, in one line; empty where none complains. Of equals the last one.

    Where file events ran out, what to set follows.
    """
    entries = [" ".join(entry.split()) for entry in _ENTRY.split(text)]
    weighed = [(_weight(entry), entry) for entry in entries]
    heaviest = max((weight for weight, _ in weighed), default=_Weight.NOISE)
    if heaviest is _Weight.NOISE:
        return ""
    found = next(entry for weight, entry in reversed(weighed) if weight is heaviest)
    advice = inotify.advice(found)
    return f"{_shown(found)}; {advice}" if advice else _shown(found)


def _weight(entry: str) -> _Weight:
    head = _HEAD.match(entry)
    if head is None:
        return _Weight.MACHINE if _MACHINE.search(entry) else _Weight.NOISE
    if head["logger"] in _NOISE:
        return _Weight.NOISE
    if head["level"] in {"critical", "error"}:
        if _MACHINE.search(entry):
            return _Weight.MACHINE
        return _Weight.CRITICAL if head["level"] == "critical" else _Weight.ERROR
    return _Weight.WARNING if _REFUSAL.search(entry, head.end()) else _Weight.NOISE


def _shown(entry: str) -> str:
    """Shorten an entry: what is wrong stands at its end, but for what the machine lacks."""
    if len(entry) <= LONGEST:
        return entry
    found = _MACHINE.search(entry)
    end = len(entry) if found is None else min(len(entry), max(found.end(), LONGEST))
    return f"... {entry[end - LONGEST : end]}{'' if end == len(entry) else ' ...'}"
