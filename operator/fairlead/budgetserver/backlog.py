"""Settlements that the store could not take yet.

A report comes once; while the store is away it waits here, in the order of arrival, and is settled when the store is
back. Settling is idempotent, so a step whose outcome is unknown is tried again. What does not fit is counted as lost:
its tokens are found by reconciliation, or its reservation expires.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.store import StoreError

CAPACITY = 100_000
"""Settlements kept: 100 seconds at 1,000 requests per second, some 50 MB."""
_RETRY_S = 0.5

Item = TypeVar("Item")


class Backlog(Generic[Item]):
    """A bounded queue that one task empties."""

    def __init__(
        self, settle: Callable[[Item], Awaitable[None]], metrics: Metrics, *, capacity: int = CAPACITY
    ) -> None:
        self._settle = settle
        self._metrics = metrics
        self._capacity = capacity
        self._items: deque[Item] = deque()
        self._filled = asyncio.Event()

    def put(self, item: Item) -> None:
        """Keep an item until the store takes it; when there is no room it is lost, and counted."""
        if len(self._items) >= self._capacity:
            self._metrics.lost.inc()
            return
        self._items.append(item)
        self._metrics.backlog.set(len(self._items))
        self._filled.set()

    async def run(self) -> None:
        """Empty the queue for as long as the server lives."""
        while True:
            await self._filled.wait()
            await self.drain()
            if self._items:
                await asyncio.sleep(_RETRY_S)

    async def drain(self) -> bool:
        """Settle what waits, until it is done or the store fails; say whether nothing is left."""
        while self._items:
            try:
                await self._settle(self._items[0])
            except StoreError:
                return False
            self._items.popleft()
            self._metrics.backlog.set(len(self._items))
        self._filled.clear()
        return True

    def __len__(self) -> int:
        return len(self._items)
