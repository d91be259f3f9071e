"""What the store could not take waits, in order, and nothing is dropped without a count."""

import asyncio

import pytest

from fairlead.budgetserver import backlog as backlog_module
from fairlead.budgetserver.backlog import Backlog
from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.store import StoreError


class Store:
    def __init__(self) -> None:
        self.up = False
        self.settled: list[int] = []

    async def settle(self, item: int) -> None:
        if not self.up:
            raise StoreError("away")
        self.settled.append(item)


def test_items_wait_until_the_store_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog_module, "_RETRY_S", 0.001)

    async def run() -> None:
        store = Store()
        backlog = Backlog(store.settle, Metrics())
        for item in range(3):
            backlog.put(item)
        assert not await backlog.drain()
        loop = asyncio.create_task(backlog.run())
        await asyncio.sleep(0.005)
        assert len(backlog) == 3
        store.up = True
        while len(backlog):
            await asyncio.sleep(0.001)
        assert store.settled == [0, 1, 2]
        loop.cancel()

    asyncio.run(run())


def test_what_does_not_fit_is_counted() -> None:
    metrics = Metrics()
    backlog = Backlog(Store().settle, metrics, capacity=2)
    for item in range(5):
        backlog.put(item)
    assert len(backlog) == 2
    assert metrics.registry.get_sample_value("fairlead_budget_lost_reports_total") == 3
    assert metrics.registry.get_sample_value("fairlead_budget_backlog") == 2
