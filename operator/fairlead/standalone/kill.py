"""Consumers that a person has stopped: `killed.json`, written by `fairlead kill` and read by `fairlead up`.

Each is a BudgetPolicy of no dollars, as in a cluster, and is remembered as one: a damaged file lets nobody go on.
"""

import json
from collections.abc import Callable
from typing import Any

from fairlead.adapters import disk
from fairlead.errors import StateError
from fairlead.runtime import memory, saved, stop
from fairlead.standalone import status
from fairlead.standalone.state import StateFolder

BALLAST_BYTES = 1_048_576
"""For the list of who is stopped, and for what budget server and gateways are told because of it."""


class Stops:
    """Who is stopped, read again at each look."""

    def __init__(self, state: StateFolder, warn: Callable[[str], None]) -> None:
        self._state, self._warn = state, warn
        self._known: frozenset[str] | None = None
        """Who was stopped when the file could last be read; None before that."""
        self._told = ""

    def read(self) -> frozenset[str]:
        """Return the stopped consumers, `namespace/name`; where the file is damaged, those of before, told once."""
        path = self._state.killed
        try:
            content = disk.read(path)
            self._known = frozenset() if content is None else saved.decoded(content, _decode, str(path))
            self._told = ""
        except StateError as error:
            what_holds = "whoever was stopped stays so"
            if self._known is None:
                # Whoever reads the rest of it says what is wrong with it.
                last_good = saved.read(self._state.last_good, memory.decode, warn=lambda _: None)
                if last_good is None:
                    what_holds = "nothing else says who was stopped, so nobody is"
                self._known = stop.stopped(last_good or {})
            if str(error) != self._told:
                self._told = str(error)
                self._warn(f"{error}; {what_holds}, write it anew with `fairlead kill`")
        return self._known


def keep_room(state: StateFolder) -> None:
    """Take the room on the disk that a stop needs, before somebody else does."""
    disk.take_room(state.ballast, BALLAST_BYTES)


def write(state: StateFolder, killed: frozenset[str]) -> None:
    """Write down who is stopped, also on a full disk where `keep_room` found some before; raises `StateError`."""
    content = json.dumps({"killed": sorted(killed)}).encode()
    try:
        disk.write(state.killed, content)
    except StateError:
        if not disk.remove(state.ballast):
            raise
        disk.write(state.killed, content)


def callers(state: StateFolder) -> frozenset[str] | None:
    """Return whom the gateways let in, `namespace/name`, as `fairlead up` last said; None where nothing says it."""
    try:
        document = status.read(state)
    except StateError:
        return None
    return None if document is None else frozenset(document["consumers"])


def _decode(document: Any) -> frozenset[str]:
    names = [name.partition("/") for name in document["killed"]]
    if not all(namespace and name and "/" not in name for namespace, _, name in names):
        raise ValueError("each is namespace/name")
    return frozenset(f"{namespace}/{name}" for namespace, _, name in names)
