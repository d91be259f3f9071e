"""Books bills: on their way to the store, or, while that is away, in the backlog."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import structlog

from fairlead.budget.lease import is_unit
from fairlead.budget.price import USD
from fairlead.budgetserver.backlog import Backlog
from fairlead.budgetserver.charge import Bill, Kind
from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.stages import Stages
from fairlead.budgetserver.store import RefusedError, Settled, Store, StoreError

_UNDER_WAY = 10_000
"""Bills on their way to the store at a time; more wait in the backlog."""
log = structlog.get_logger("fairlead.budget")


class Settling:
    """Sends each bill to the store once it can take it."""

    def __init__(self, *, store: Store, clock: Callable[[], int], stages: Stages, metrics: Metrics) -> None:
        self._store = store
        self._clock = clock
        self._stages = stages
        self._metrics = metrics
        self._tasks: set[asyncio.Task[None]] = set()
        self._under_way = 0
        self.backlog: Backlog[Bill] = Backlog(self._settle, metrics)

    async def take(self, bills: Sequence[Bill]) -> None:
        """Book bills, or keep them until they can be.

        They are on their way before they are waited for: a gateway that gives up cancels its call, not the booking.
        """
        if not bills:
            return
        if len(self.backlog) or self._under_way >= _UNDER_WAY:
            for bill in bills:
                self.backlog.put(bill)
            return
        self._under_way += len(bills)
        await asyncio.shield(self._begin(self._settle_all(bills)))

    async def give_back(self, units: Sequence[str]) -> None:
        """Release units of leases: on its way to the store before whatever comes next, which need not wait for it."""
        self._begin(self._release(units))
        await asyncio.sleep(0)

    async def settled(self) -> None:
        """Wait until nothing is on its way to the store; one that hangs is waited for until its time-out."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _settle_all(self, bills: Sequence[Bill]) -> None:
        try:
            found = await self._stored(bills)
        finally:
            self._under_way -= len(bills)
        for bill, settled in zip(bills, found, strict=True):
            if isinstance(settled, RefusedError):
                self.backlog.lose(settled)
            elif isinstance(settled, StoreError):
                self._metrics.store_errors.labels("settle").inc()
                log.warning("budget.report_waits", error=str(settled))
                self.backlog.put(bill)
            else:
                self._tell(bill, settled)

    async def _stored(self, bills: Sequence[Bill]) -> Sequence[Settled | StoreError]:
        """Settle bills; most reports have one."""
        try:
            if len(bills) > 1:
                return await self._store.settle_all([(bill.settlement, bill.metered) for bill in bills])
            return [await self._store.settle(bill.settlement, bill.metered) for bill in bills]
        except StoreError as error:
            return [error] * len(bills)

    async def _settle(self, bill: Bill) -> None:
        self._tell(bill, await self._store.settle(bill.settlement, bill.metered))

    async def _release(self, units: Sequence[str]) -> None:
        try:
            released = await self._store.give_back(units, self._clock())
        except StoreError as error:  # they are released when they expire
            self._metrics.store_errors.labels("give_back").inc()
            log.warning("budget.units_wait", error=str(error))
        else:
            self._metrics.count(self._metrics.units, "returned", by=released)

    def _tell(self, bill: Bill, settled: Settled) -> None:
        """Count what was booked."""
        if settled.unknown and is_unit(bill.settlement.request):
            self._metrics.count(self._metrics.units, "unknown")
        if settled.cost == 0:
            return
        dollars = settled.cost / USD
        match bill.kind:
            case Kind.SHADOW:
                self._metrics.count(self._metrics.shadow_spent, bill.route, bill.shadow, by=dollars)
            case Kind.SPENT | Kind.COUNT:
                pass
            case Kind.SAVED:
                self._metrics.count(self._metrics.cache_saved, bill.route, by=dollars)
            case Kind.BASELINE:
                self._metrics.count(self._metrics.baseline, bill.route, by=dollars)
            case Kind.REQUEST:
                consumer = bill.settlement.payer
                budgeted = "true" if bill.budgeted else "false"
                self._metrics.count(self._metrics.spent, consumer, bill.route, budgeted, by=dollars)
                for name, spent in settled.counters.items():
                    self._stages.note(name, consumer, before=spent - settled.cost, after=spent)
