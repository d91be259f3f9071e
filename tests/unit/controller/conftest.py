"""What tests of the controller share."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from fairlead.controller import handlers
from fast_clock import works_for_nobody
from memory_cluster import MemoryCluster


@pytest.fixture(autouse=True)
def kopf_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let watches tell what the memory holds, in a thread as kopf does."""
    clusters: list[MemoryCluster] = []
    made = MemoryCluster.__init__

    def remember(self: MemoryCluster, *objects: Any) -> None:
        made(self, *objects)
        clusters.append(self)

    @works_for_nobody
    def watch(told: Callable[[Any, bool], None], *, stop: threading.Event, **_: Any) -> None:
        with clusters[-1].told((*handlers.USER_KINDS, "Namespace"), told):
            stop.wait()

    monkeypatch.setattr(MemoryCluster, "__init__", remember)
    monkeypatch.setattr(handlers, "watch", watch)
