"""What is spent is kept for as long as its window runs, whatever became of the policy meanwhile."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from redis.asyncio import Redis

from budget.redis_server import RedisServer
from fairlead.budget.ledger import Counter, Hold, Plan, Posting, Settlement
from fairlead.budgetserver.redisstore import PREFIX, RedisStore
from fairlead.budgetserver.sqlite import SqliteStore
from fairlead.budgetserver.store import Store

NOW = 1_800_000_000_000
HOUR, MONTH = 3_600_000, 30 * 24 * 3_600_000


def posting(name: str, keep_ms: int | None) -> Posting:
    return Posting(counter=name, cap=100, downgrade_at=None, keep_ms=keep_ms)


async def spend(store: Store, *postings: Posting) -> None:
    for one in postings:
        await store.settle(
            Settlement(request=f"r-{one.counter}", payer="t/a", cost=90, estimated=False, postings=(one,), now_ms=NOW),
            None,
        )


async def forget(store: Store, now_ms: int) -> None:
    """Let a request come, which also drops what nobody needs any more."""
    await store.reserve(
        Hold(
            request="r",
            payer="t/b",
            plan=Plan(amount=1, postings=(posting("other", HOUR),)),
            downgrade=None,
            now_ms=now_ms,
        )
    )


SHORT, KEPT, FOREVER = posting("short", HOUR), posting("kept", HOUR), posting("forever", None)
CHANGED = (replace(KEPT, keep_ms=MONTH), replace(FOREVER, keep_ms=HOUR), posting("nobody's", MONTH))


@pytest.mark.parametrize("longest", [MONTH, None])
def test_sqlite_keeps_a_counter_whose_window_became_longer(tmp_path: Path, longest: int | None) -> None:
    async def run() -> list[Counter]:
        store = SqliteStore(tmp_path / "budget.db", timeout_s=10, warn=pytest.fail)
        await spend(store, SHORT, KEPT, FOREVER)
        await store.keep([replace(KEPT, keep_ms=longest), *CHANGED], NOW)
        await store.keep([KEPT], NOW)  # and does not forget it sooner, when the window is short again
        await forget(store, NOW + 2 * HOUR)
        found = await store.counters(["short", "kept", "forever", "nobody's"])
        await store.close()
        return list(found)

    spent = Counter(spent=90)
    assert asyncio.run(run()) == [Counter(), spent, spent, Counter()]


@pytest.mark.parametrize("longest", [MONTH, None])
def test_redis_keeps_a_counter_whose_window_became_longer(redis_server: RedisServer, longest: int | None) -> None:
    async def run() -> list[int]:
        store = RedisStore(redis_server.url, timeout_s=10)
        names = [f"retention-{longest}-{name}" for name in ("short", "kept", "forever", "nobody's")]
        short, kept, forever, nobodys = (posting(name, HOUR) for name in names)
        await spend(store, short, kept, replace(forever, keep_ms=None))
        await store.keep([replace(kept, keep_ms=longest), forever, replace(nobodys, keep_ms=MONTH)], NOW)
        await store.keep([kept], NOW)
        async with Redis.from_url(redis_server.url) as client:
            left = [await client.pttl(f"{PREFIX}c:{name}") for name in names]
        await store.close()
        return left

    short, kept, forever, nobodys = asyncio.run(run())
    assert 0 < short <= HOUR
    assert kept == -1 if longest is None else HOUR < kept <= MONTH
    assert (forever, nobodys) == (-1, -2), "one is kept forever, the other is not there"
