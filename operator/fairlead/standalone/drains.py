"""What a person has drained: `drains.json`, written by `fairlead drain` and read by `fairlead up`. Each ends by itself.

A damaged file changes nothing: the orders that were read before hold until they end, and a process that begins then
takes the copy, which was written with it.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

from fairlead.adapters import disk
from fairlead.errors import StateError
from fairlead.health.region import DrainKind, DrainOrder
from fairlead.runtime import saved
from fairlead.standalone.state import StateFolder

LONGEST_MS = 7 * 24 * 3_600_000
"""How long a drain may last: one that is mistyped does not last for ever."""
_KEPT = "what was drained stays so until its time"
_LOST = "its copy cannot be read either, so what was drained comes back by steps"
_MOST = 1000
"""Orders in one file."""


class Orders:
    """What is drained, read again at each look."""

    def __init__(self, state: StateFolder, warn: Callable[[str], None]) -> None:
        self._state, self._warn = state, warn
        self._known: tuple[DrainOrder, ...] | None = None
        self._told = ""

    def read(self) -> tuple[DrainOrder, ...]:
        """Return all orders, ended ones too; where the file is damaged, those of before or of the copy, told once."""
        try:
            self._known = read(self._state)
            self._told = ""
        except StateError as error:
            lost = self._known is None and not self._take_copy()
            if str(error) != self._told:
                self._told = str(error)
                self._warn(f"{error}; {_LOST if lost else _KEPT}; write it anew with `fairlead drain`")
        return self._known or ()

    def _take_copy(self) -> bool:
        """Go by the copy; False where there is none that can be read."""
        try:
            content = disk.read(self._state.drains_copy)
            if content is not None:
                self._known = saved.decoded(content, _decode, str(self._state.drains_copy))
        except StateError:
            return False
        return content is not None


def read(state: StateFolder) -> tuple[DrainOrder, ...]:
    """Return all orders, sorted by kind and name; raises `StateError` where the file is damaged."""
    content = disk.read(state.drains)
    return () if content is None else saved.decoded(content, _decode, str(state.drains))


def write(state: StateFolder, orders: Iterable[DrainOrder], *, now_ms: int) -> None:
    """Write down what is drained, without what has ended, and a copy of it; raises `StateError`."""
    lasting = [one for one in orders if one.until_ms > now_ms]
    document = {
        "drains": [
            {
                "kind": one.kind.value,
                "name": one.name,
                "beganMs": one.began_ms,
                "untilMs": one.until_ms,
                "overMs": one.over_ms,
            }
            for one in sorted(lasting, key=lambda one: (one.kind, one.name))
        ]
    }
    for path in (state.drains, state.drains_copy):
        disk.write(path, json.dumps(document, indent=1).encode())


def _decode(document: Any) -> tuple[DrainOrder, ...]:
    entries = document["drains"]
    if len(entries) > _MOST:
        raise ValueError("too many")
    orders = [_order(one) for one in entries]
    if any(one.until_ms - one.began_ms > LONGEST_MS for one in orders):
        raise ValueError("nobody drains for so long")
    return tuple(sorted(orders, key=lambda one: (one.kind, one.name)))


def _order(entry: Any) -> DrainOrder:
    name = entry["name"]
    times = [entry[key] for key in ("beganMs", "untilMs", "overMs")]
    if not isinstance(name, str) or not all(type(one) is int and one >= 0 for one in times):
        raise ValueError("a name and whole numbers")
    return DrainOrder(kind=DrainKind(entry["kind"]), name=name, began_ms=times[0], until_ms=times[1], over_ms=times[2])
