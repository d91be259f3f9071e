"""Every store does what the memory store does, step by step, whatever the steps are."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from budget.redis_server import RedisServer
from budget.store_player import BIG, CAPS, EXAMPLES, NOW, PAYER, TIMEOUT_S, Player
from fairlead.budget.ledger import EXPIRES_AFTER_MS, Counter, Hold, Plan, Posting, Settlement, Verdict
from fairlead.budgetserver.damaged_keys import PREFIX
from fairlead.budgetserver.memory import MemoryStore
from fairlead.budgetserver.redisstore import RedisStore
from fairlead.budgetserver.sqlite import SqliteStore
from fairlead.budgetserver.store import Store

AT_ONCE = 7

COUNTERS = st.sampled_from(sorted(CAPS))
REQUESTS = st.integers(0, 7)
AMOUNTS = st.one_of(st.integers(0, 40), st.sampled_from([BIG, BIG + 1, BIG + 7, BIG + 8, 2**53 + 1]))
POSTINGS = st.lists(COUNTERS, min_size=1, max_size=3, unique=True)
UNITS = st.tuples(REQUESTS, st.sampled_from([1, 4, 5, 32]))
"""Of the lease that this request got, if it did."""
ENDS = st.one_of(
    st.tuples(
        st.just("settle"),
        REQUESTS,
        AMOUNTS,
        POSTINGS,
        st.booleans(),
        st.integers(0, 9),
        st.sampled_from([-1, 1]),
        st.booleans(),
    ),
    st.tuples(st.just("settle unit"), UNITS, AMOUNTS, POSTINGS, st.booleans(), st.sampled_from([-1, 1])),
    st.tuples(st.just("give back"), st.lists(UNITS, max_size=3)),
    st.tuples(st.just("expire"), st.booleans()),
)
"""Steps by which reservations end."""
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("reserve"),
            REQUESTS,
            AMOUNTS,
            POSTINGS,
            st.none() | st.tuples(st.integers(0, 5), POSTINGS),
            st.sampled_from([2, 100]),
            st.none() | st.tuples(st.integers(1, 40), st.sampled_from([0, 1, 3, 20, 10**9, 2**53 + 1])),
        ),
        ENDS,
        st.tuples(st.just("reconcile"), st.integers(0, 3), POSTINGS, st.booleans()),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_a_store_does_what_the_model_does(runner: asyncio.Runner, store: Store, steps: list[tuple[Any, ...]]) -> None:
    async def run() -> None:
        example = next(EXAMPLES)
        # Open entries of earlier examples must not be found by this one's expiry.
        while await store.expire(NOW + 10 * EXPIRES_AFTER_MS, 100):
            pass
        real, model = Player(store, example), Player(MemoryStore(), example)
        for step in steps:
            assert await real.play(step) == await model.play(step), step
            assert await real.counters() == await model.counters(), step
            assert await real.opened() == await model.opened(), step

    runner.run(run())


def test_many_at_once_never_pass_the_cap(runner: asyncio.Runner, store: Store) -> None:
    async def run() -> None:
        name = f"{next(EXAMPLES)}/burst"
        posting = Posting(counter=name, cap=1_000, downgrade_at=None, keep_ms=None)
        other = Posting(counter=f"{name}/other", cap=500_000, downgrade_at=None, keep_ms=None)

        async def ask(number: int) -> Verdict:
            plan = Plan(amount=7, postings=(posting, other))
            hold = Hold(request=f"{name}/{number}", payer=PAYER, plan=plan, downgrade=None, now_ms=NOW)
            return (await store.reserve(hold)).verdict

        verdicts = await asyncio.gather(*(ask(number) for number in range(2_000)))
        assert verdicts.count(Verdict.GRANTED) == 1_000 // 7
        assert list(await store.counters([name, f"{name}/other"])) == [Counter(reserved=994), Counter(reserved=994)]

    runner.run(run())


def test_many_at_once_never_pass_the_limit_in_flight(runner: asyncio.Runner, store: Store) -> None:
    async def run() -> None:
        payer = f"{next(EXAMPLES)}/a"
        plan = Plan(amount=1, postings=(Posting(counter=payer, cap=None, downgrade_at=None, keep_ms=None),))

        async def ask(number: int) -> Verdict:
            hold = Hold(
                request=f"{payer}|{number}", payer=payer, plan=plan, downgrade=None, now_ms=NOW, most_open=AT_ONCE
            )
            return (await store.reserve(hold)).verdict

        async def end(number: int) -> None:
            one = Settlement(
                request=f"{payer}|{number}", payer=payer, cost=1, estimated=False, postings=plan.postings, now_ms=NOW
            )
            await store.settle(replace(one, reserved=True), None)

        verdicts = await asyncio.gather(*(ask(number) for number in range(500)))
        granted = [number for number, verdict in enumerate(verdicts) if verdict is Verdict.GRANTED]
        assert (len(granted), verdicts.count(Verdict.CROWDED)) == (AT_ONCE, 500 - AT_ONCE)
        assert list(await store.opened([payer])) == [AT_ONCE]
        await asyncio.gather(*(end(number) for number in granted * 2))
        assert list(await store.opened([payer])) == [0], "each end makes room once, however often it is reported"

    runner.run(run())


def test_a_hold_that_redis_lost_takes_no_room_for_longer_than_any_other(
    runner: asyncio.Runner, redis_server: RedisServer
) -> None:
    async def run() -> None:
        store, payer = RedisStore(redis_server.url, timeout_s=TIMEOUT_S), f"{next(EXAMPLES)}/a"
        while await store.expire(NOW + 10 * EXPIRES_AFTER_MS, 100):
            pass
        plan = Plan(amount=1, postings=(Posting(counter=payer, cap=None, downgrade_at=None, keep_ms=None),))
        for number in range(2):
            hold = Hold(request=f"{payer}|{number}", payer=payer, plan=plan, downgrade=None, now_ms=NOW, most_open=2)
            assert (await store.reserve(hold)).verdict is Verdict.GRANTED
        redis_server.command("DEL", f"{PREFIX}e:{payer}|0")
        assert list(await store.opened([payer])) == [2]
        assert len(await store.expire(NOW + EXPIRES_AFTER_MS, 100)) == 1, "of the other there is nothing to book"
        assert list(await store.opened([payer])) == [0]
        await store.close()

    runner.run(run())


def test_what_was_written_is_there_after_a_restart(runner: asyncio.Runner, tmp_path: Path) -> None:
    async def run() -> None:
        path = tmp_path / "budget.db"
        posting = Posting(counter="x", cap=100, downgrade_at=None, keep_ms=None)
        hold = Hold(request="r", payer=PAYER, plan=Plan(amount=7, postings=(posting,)), downgrade=None, now_ms=NOW)
        first = SqliteStore(path, timeout_s=TIMEOUT_S, warn=pytest.fail)
        await first.reserve(hold)
        await first.close()
        second = SqliteStore(path, timeout_s=TIMEOUT_S, warn=pytest.fail)
        assert (await second.reserve(hold)).verdict is Verdict.REPLAYED
        assert list(await second.counters(["x"])) == [Counter(reserved=7)]
        await second.close()

    runner.run(run())
