"""What the store could not take waits, in order, and nothing is dropped without a count."""

import asyncio

import pytest

from fairlead.budgetserver import backlog as backlog_module
from fairlead.budgetserver.backlog import Backlog
from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.store import StoreError


class Store:
    def __init__(self, *, up: bool = False, refuses: int | None = None) -> None:
        self.up = up
        self.refuses = refuses
        self.settled: list[int] = []

    async def settle(self, item: int) -> None:
        if not self.up or item == self.refuses:
            raise StoreError("away")
        await asyncio.sleep(0)
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


def filled(store: Store, count: int) -> Backlog[int]:
    backlog = Backlog(store.settle, Metrics())
    for item in range(count):
        backlog.put(item)
    return backlog


def test_two_that_empty_it_at_once_settle_each_item_once() -> None:
    async def run() -> None:
        store = Store(up=True)
        backlog = filled(store, 200)
        assert all(await asyncio.gather(backlog.drain(), backlog.drain(), backlog.drain()))
        assert store.settled == list(range(200))

    asyncio.run(run())


def test_what_one_refusal_leaves_stays_alone() -> None:
    async def run() -> None:
        store = Store(up=True, refuses=3)
        backlog = filled(store, 10)
        assert not await backlog.drain()
        assert (len(backlog), store.settled) == (1, [0, 1, 2, 4, 5, 6, 7, 8, 9])
        store.refuses = None
        assert await backlog.drain()
        assert store.settled[-1] == 3

    asyncio.run(run())


def test_who_is_cancelled_in_between_has_lost_nothing() -> None:
    async def run() -> None:
        hung = asyncio.Event()

        async def hang(_item: int) -> None:
            await hung.wait()

        backlog = Backlog(hang, Metrics())
        backlog.put(1)
        drain = asyncio.create_task(backlog.drain())
        await asyncio.sleep(0)
        drain.cancel()
        await asyncio.gather(drain, return_exceptions=True)
        assert len(backlog) == 1

    asyncio.run(run())
