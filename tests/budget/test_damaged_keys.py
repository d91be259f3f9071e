"""A key in Redis that somebody else wrote to hurts whom it is about, is told once and kept; nobody else notices."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from budget.conftest import make_redis
from budget.redis_server import RedisServer
from fairlead.budget.ledger import EXPIRES_AFTER_MS, Hold, Plan, Posting, Settlement, Verdict
from fairlead.budget.reconciliation import Count, UsageCounter, UsageCounterKey
from fairlead.budgetserver.redisstore import RedisStore
from fairlead.budgetserver.store import Booking, UsageCounterUpdate

NOW = 1_800_000_000_000
KEY = UsageCounterKey(gateway="g", consumer="t/a", route="t/r", target="p/e/m")
FIELD = "g|t/a|t/r|p/e/m|"
P = "{fairlead}:"


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = make_redis(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


def posting(name: str) -> Posting:
    return Posting(counter=name, cap=1_000, downgrade_at=None, keep_ms=None)


def hold(name: str, request: str) -> Hold:
    plan = Plan(amount=7, postings=(posting(name), posting("shared")))
    return Hold(request=f"{name}|{request}", payer=name, plan=plan, downgrade=None, now_ms=NOW)


def settlement(name: str, request: str) -> Settlement:
    return Settlement(
        request=f"{name}|{request}",
        payer=name,
        cost=20,
        estimated=False,
        postings=(posting(name), posting("shared")),
        now_ms=NOW,
    )


async def work(store: RedisStore, name: str, when: str) -> None:
    """Do all that a server does for a consumer, who has an open entry before, and after."""
    # Replayed where the step found something at its end, and was taken again.
    assert (await store.reserve(hold(name, f"{when} checked"))).verdict in {Verdict.GRANTED, Verdict.REPLAYED}
    await store.settle(settlement(name, f"{when} checked"), (KEY, Count(requests=1, input=2)))
    await store.settle(settlement(name, f"{when} unchecked"), (KEY, Count(requests=1, input=2)))
    known = await store.read_usage_counters(NOW)
    booking = Booking(payer=name, requests=1, cost=5, postings=(posting(name),), at_ms=NOW)
    counters = {KEY: UsageCounter(seen=Count(requests=9))}
    await store.write_usage_counters(
        UsageCounterUpdate(
            version=known.version, usage_counters=counters, gateways=("g",), bookings=(booking,), now_ms=NOW
        )
    )
    await store.keep([posting(name)], NOW)
    await store.counters([name, "shared"])
    await store.ping()


DAMAGE: dict[str, tuple[str, ...]] = {
    "a counter of another type": ("SET", f"{P}c:a", "x"),
    "a word for what is spent": ("HSET", f"{P}c:a", "s", "junk"),
    "a fraction for what is reserved": ("HSET", f"{P}c:a", "r", "1.5"),
    "bytes for what is estimated": ("HSET", f"{P}c:a", "g", "\u00ff\u0000"),
    "a number that none holds": ("HSET", f"{P}c:a", "s", "9" * 40),
    "an entry of another type": ("SET", f"{P}e:a|open", "x"),
    "an entry in no phase": ("HSET", f"{P}e:a|open", "p", "junk"),
    "an entry without an amount": ("HSET", f"{P}e:a|open", "a", "junk"),
    "an entry without names": ("HDEL", f"{P}e:a|open", "k"),
    "an entry without a time": ("HSET", f"{P}e:a|open", "t", "junk"),
    "open entries of another type": ("SET", f"{P}open", "x"),
    "an open entry that is none": ("ZADD", f"{P}open", "0", "junk"),
    "open counts of another type": ("SET", f"{P}opens", "x"),
    "a word for an open count": ("HSET", f"{P}opens", "a", "junk"),
    "waivers of another type": ("RPUSH", f"{P}waivers", "x"),
    "a word for a waiver": ("HSET", f"{P}waivers", "a", "junk"),
    "a word for a waiver's time": ("HSET", f"{P}waivers", "a\n", "junk"),
    "bookings of another type": ("SADD", f"{P}booked", "x"),
    "a word for a booking": ("HSET", f"{P}booked", f"{FIELD}n", "junk"),
    "a booking of nobody": ("HSET", f"{P}booked", "junk", "1"),
    "usage counters of another type": ("SET", f"{P}meters", "x"),
    "a usage counter that is no JSON": ("HSET", f"{P}meters", FIELD, "{"),
    "a usage counter of words": ("HSET", f"{P}meters", FIELD, '{"seen": {"requests": "x"}}'),
    "a usage counter of nobody": ("HSET", f"{P}meters", "junk\nmore", "{}"),
    "a gateway seen at no time": ("HSET", f"{P}gateways", "h", "junk"),
    "a word for the beginning": ("SET", f"{P}since", "junk"),
    "a version of another type": ("HSET", f"{P}version", "a", "b"),
    "a word for the version": ("SET", f"{P}version", "junk"),
}
UNTOLD = {"an entry without a time", "an open entry that is none", "an entry in no phase", "an entry of another type"}
"""What only says that an entry is there, or is met by nobody but a late report."""


@pytest.mark.parametrize("name", DAMAGE)
def test_it_is_told_once_and_costs_its_own_consumer(redis: RedisServer, name: str) -> None:
    said: list[str] = []

    async def whole(steps: Callable[[RedisStore], Awaitable[None]]) -> None:
        store = RedisStore(redis.url, timeout_s=10, warn=said.append)
        try:
            await steps(store)
        finally:
            await store.close()

    async def before(store: RedisStore) -> None:
        for consumer in ("a", "b"):
            await store.reserve(hold(consumer, "open"))
            await work(store, consumer, "before")

    async def after(store: RedisStore) -> None:
        (b,) = await store.counters(["b"])
        await work(store, "b", "after")
        await work(store, "a", "after")
        await store.settle(settlement("a", "open"), None)
        (now,) = await store.counters(["b"])
        # A request of before covers one of after, by the ledger's waiver, where that is still known.
        waived = 0 if name == "waivers of another type" else 20
        assert (now.spent - b.spent, now.reserved) == (45 - waived, 7)
        while await store.expire(NOW + 2 * EXPIRES_AFTER_MS, 100):
            pass
        (now,) = await store.counters(["b"])
        assert now.reserved == 0

    redis.command("FLUSHALL")
    asyncio.run(whole(before))
    assert said == []
    if name.endswith("another type"):
        redis.command("DEL", DAMAGE[name][1])
    assert not redis.command(*DAMAGE[name]).startswith(b"-")
    asyncio.run(whole(after))
    assert len(said) == 1 or (name in UNTOLD and len(said) <= 1), said
    if said:
        assert "they are kept as `{fairlead}:damaged:...`" in said[0]
        assert b"damaged:" in redis.command("KEYS", "*damaged:*")


def test_a_field_whose_name_is_no_text_holds_up_nobody(redis: RedisServer, tmp_path: Path) -> None:
    del tmp_path
    said: list[str] = []

    async def read() -> None:
        store = RedisStore(redis.url, timeout_s=10, warn=said.append)
        await store.read_usage_counters(NOW)
        await store.close()

    redis.command("FLUSHALL")
    redis.command("EVAL", f"return redis.call('HSET', '{P}meters', '\\255', '1')", "0")
    asyncio.run(read())
    asyncio.run(read())
    assert len(said) == 1
