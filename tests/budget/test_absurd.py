"""A number that no counter can hold hurts the operation that brought it, and nobody else."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from budget.redis_server import RedisServer
from fairlead.budget.ledger import Hold, Plan, Posting, Settlement
from fairlead.budget.reconciliation import Count, UsageCounter, UsageCounterKey
from fairlead.budgetserver.redisstore import RedisStore
from fairlead.budgetserver.sqlite import SqliteStore
from fairlead.budgetserver.store import Booking, RefusedError, Store, UsageCounterUpdate

NOW = 1_800_000_000_000
ABSURD = [2**63, 2**64, 10**30]
KEY = UsageCounterKey(gateway="g", consumer="t/a", route="t/r", target="p/e/m")


def posting(name: str) -> Posting:
    return Posting(counter=name, cap=None, downgrade_at=None, keep_ms=None)


def settlement(request: str, cost: int, *names: str) -> Settlement:
    postings = tuple(map(posting, names))
    return Settlement(request=request, payer="t/a", cost=cost, estimated=False, postings=postings, now_ms=NOW)


@pytest.fixture(params=["sqlite", "redis"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Callable[[Store], Awaitable[None]]], None]:
    @asynccontextmanager
    async def store() -> AsyncIterator[Store]:
        made: Store
        if request.param == "sqlite":
            made = SqliteStore(tmp_path / "budget.db", timeout_s=5, warn=pytest.fail)
        else:
            server: RedisServer = request.getfixturevalue("redis_server")
            made = RedisStore(server.url, timeout_s=5)
        yield made
        await made.close()

    def run(body: Callable[[Store], Awaitable[None]]) -> None:
        async def whole() -> None:
            async with store() as made:
                await body(made)

        asyncio.run(whole())

    return run


async def spent(store: Store, *names: str) -> list[int]:
    return [counter.spent for counter in await store.counters(names)]


@pytest.mark.parametrize("cost", ABSURD)
def test_an_absurd_cost_fails_alone_in_its_batch(
    opened: Callable[[Callable[[Store], Awaitable[None]]], None], cost: int
) -> None:
    a, b = f"settle/{cost}/a", f"settle/{cost}/b"

    async def body(store: Store) -> None:
        outcomes = await asyncio.gather(
            store.settle(settlement(f"{a}1", 1, a), None),
            store.settle(settlement(f"{a}2", cost, b, a), None),
            store.settle(settlement(f"{a}3", 2, a), None),
            return_exceptions=True,
        )
        assert [isinstance(outcome, RefusedError) for outcome in outcomes] == [False, True, False]
        assert await spent(store, a, b) == [3, 0]

    opened(body)


def test_a_sum_beyond_the_counter_is_refused_and_writes_nothing(
    opened: Callable[[Callable[[Store], Awaitable[None]]], None],
) -> None:
    full = 9 * 10**18

    async def body(store: Store) -> None:
        await store.settle(settlement("sum/1", full, "sum/full"), None)
        with pytest.raises(RefusedError):
            await store.settle(settlement("sum/2", full, "sum/other", "sum/full"), None)
        assert await spent(store, "sum/full", "sum/other") == [full, 0]

    opened(body)


def test_an_absurd_reservation_holds_nothing(opened: Callable[[Callable[[Store], Awaitable[None]]], None]) -> None:
    async def body(store: Store) -> None:
        plan = Plan(amount=2**63, postings=(posting("hold/a"), posting("hold/b")))
        with pytest.raises(RefusedError):
            await store.reserve(Hold(request="hold/1", payer="t/a", plan=plan, downgrade=None, now_ms=NOW))
        assert [counter.reserved for counter in await store.counters(["hold/a", "hold/b"])] == [0, 0]

    opened(body)


@pytest.mark.parametrize("cost", ABSURD)
def test_an_absurd_booking_leaves_the_usage_counters_as_they_were(
    opened: Callable[[Callable[[Store], Awaitable[None]]], None], cost: int
) -> None:
    a, b = f"book/{cost}/a", f"book/{cost}/b"

    async def body(store: Store) -> None:
        before = await store.read_usage_counters(NOW)
        bookings = tuple(
            Booking(payer=name, requests=1, cost=each, postings=(posting(name),), at_ms=NOW)
            for name, each in ((a, 5), (b, cost))
        )
        usage_counters = {KEY: UsageCounter(seen=Count(requests=9))}
        update = UsageCounterUpdate(
            version=before.version, usage_counters=usage_counters, gateways=("g",), bookings=bookings, now_ms=NOW
        )
        with pytest.raises(RefusedError):
            await store.write_usage_counters(update)
        assert await store.read_usage_counters(NOW) == before
        assert await spent(store, a, b) == [0, 0]

    opened(body)
