"""What tests of the controller share."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from fairlead.adapters.kube import Listed
from fairlead.controller import handlers
from memory_cluster import MemoryCluster


@pytest.fixture(autouse=True)
def kopf_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let watches tell what the memory holds, in a thread as kopf does."""
    clusters: list[MemoryCluster] = []
    made = MemoryCluster.__init__

    def remember(self: MemoryCluster, *objects: Any) -> None:
        made(self, *objects)
        clusters.append(self)

    def watch(told: Callable[[Any, bool], None], *, stop: threading.Event, **_: Any) -> None:
        async def follow(kind: str) -> None:
            async for one in clusters[-1].watch(kind, namespace=None):
                for found in one.objects if isinstance(one, Listed) else (one.object,):
                    told(found, not isinstance(one, Listed) and one.deleted)

        async def all_kinds() -> None:
            tasks = [asyncio.create_task(follow(kind)) for kind in (*handlers.USER_KINDS, "Namespace")]
            while not stop.is_set():
                await asyncio.sleep(0.002)
            for task in tasks:
                task.cancel()

        asyncio.run(all_kinds())

    monkeypatch.setattr(MemoryCluster, "__init__", remember)
    monkeypatch.setattr(handlers, "watch", watch)
