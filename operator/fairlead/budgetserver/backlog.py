"""Settlements that the store could not take yet.

A report comes once; while the store is away it waits here, in the order of arrival, and is settled when the store is
back. Settling is idempotent, so a step whose outcome is unknown is tried again. What does not fit is counted as lost:
its tokens are found by reconciliation, or its reservation expires.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Generic, TypeVar

import structlog

from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.store import RefusedError, StoreError

CAPACITY = 100_000
"""Settlements kept: 100 seconds at 1,000 requests per second, some 50 MB."""
_AT_ONCE = 64
"""Settlements tried together: a store amortizes its round trips over them."""
_RETRY_S = 0.5
log = structlog.get_logger("fairlead.budget")

Item = TypeVar("Item")


class Backlog(Generic[Item]):
    """A bounded queue; what is settled leaves it."""

    def __init__(
        self, settle: Callable[[Item], Awaitable[None]], metrics: Metrics, *, capacity: int = CAPACITY
    ) -> None:
        self._settle = settle
        self._metrics = metrics
        self._capacity = capacity
        self._items: deque[Item] = deque()
        self._filled = asyncio.Event()
        self._draining = asyncio.Lock()
        """Two that empty the queue at once would each drop what only the other has settled."""

    def put(self, item: Item) -> None:
        """Keep an item until the store takes it; when there is no room it is lost, and counted."""
        if len(self._items) >= self._capacity:
            self._metrics.lost.inc()
            return
        self._items.append(item)
        self._metrics.backlog.set(len(self._items))
        self._filled.set()

    def lose(self, reason: BaseException) -> None:
        """Count an item that no store will ever take: it must not hold back those behind it."""
        self._metrics.lost.inc()
        log.error("budget.report_lost", error=str(reason) or repr(reason))

    async def run(self) -> None:
        """Empty the queue for as long as the server lives."""
        while True:
            await self._filled.wait()
            await self.drain()
            if self._items:
                await asyncio.sleep(_RETRY_S)

    async def drain(self) -> bool:
        """Settle what waits, until it is done or the store fails; say whether nothing is left."""
        async with self._draining:
            while self._items:
                if not await self._settle_some():
                    return False
            self._filled.clear()
            return True

    async def _settle_some(self) -> bool:
        """Settle the oldest; what failed stays in front, in its order. Says whether all went well.

        Until the store has answered they stay where they are: who is cancelled in between has lost nothing.
        """
        first = list(islice(self._items, _AT_ONCE))
        outcomes = await asyncio.gather(*map(self._settle, first), return_exceptions=True)
        for _ in first:
            self._items.popleft()
        failed = [item for item, outcome in zip(first, outcomes, strict=True) if _may_pass(outcome)]
        self._items.extendleft(reversed(failed))
        self._metrics.backlog.set(len(self._items))
        for outcome in outcomes:
            if outcome is not None and not _may_pass(outcome):
                self.lose(outcome)
        return not failed

    def __len__(self) -> int:
        return len(self._items)


def _may_pass(outcome: BaseException | None) -> bool:
    """Say whether trying again can help: the store was away, rather than unable to take this item."""
    return isinstance(outcome, StoreError) and not isinstance(outcome, RefusedError)
