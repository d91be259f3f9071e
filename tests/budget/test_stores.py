"""Every store does what the memory store does, step by step, whatever the steps are."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count, product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from budget.redis_server import RedisServer
from fairlead.budget.lease import SHARE, unit_name
from fairlead.budget.ledger import EXPIRES_AFTER_MS, Counter, Hold, Plan, Posting, Settlement, Verdict, Wish
from fairlead.budget.reconciliation import Count, UsageCounter, UsageCounterKey
from fairlead.budgetserver.damaged_keys import PREFIX
from fairlead.budgetserver.memory import MemoryStore
from fairlead.budgetserver.redisstore import RedisStore
from fairlead.budgetserver.sqlite import SqliteStore
from fairlead.budgetserver.store import Booking, Settled, Store, UsageCounterUpdate

NOW = 1_800_000_000_000
PAYER = "t/a"
PAYERS = (PAYER, "t/b")
EXAMPLES = count()
BIG = 3_000_000_000 * 10**9  # three billion dollars: far above 2 ** 53 nano-dollars
CAPS = {"a": 100, "b": 60, "c": None, "big": BIG + 7, "rich": 20_000}
TIMEOUT_S = 10.0
AT_ONCE = 7

COUNTERS = st.sampled_from(sorted(CAPS))
REQUESTS = st.integers(0, 7)
AMOUNTS = st.one_of(st.integers(0, 40), st.sampled_from([BIG, BIG + 1, BIG + 7, BIG + 8, 2**53 + 1]))
POSTINGS = st.lists(COUNTERS, min_size=1, max_size=3, unique=True)
UNITS = st.tuples(REQUESTS, st.sampled_from([1, 4, 5, 32]))
"""Of the lease that this request got, if it did."""
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
        st.tuples(st.just("reconcile"), st.integers(0, 3), POSTINGS, st.booleans()),
    ),
    max_size=25,
)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module", params=["sqlite", "redis"])
def store(
    request: pytest.FixtureRequest, runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    made: Store
    if request.param == "sqlite":
        made = SqliteStore(tmp_path_factory.mktemp("sqlite") / "budget.db", timeout_s=TIMEOUT_S, warn=pytest.fail)
    else:
        server: RedisServer = request.getfixturevalue("redis_server")
        made = RedisStore(server.url, timeout_s=TIMEOUT_S)
    yield made
    runner.run(made.close())


class Player:
    """Plays steps on a store, under names of its own."""

    def __init__(self, store: Store, example: int) -> None:
        self._store = store
        self._example = example
        self._leases: set[int] = set()

    def posting(self, name: str) -> Posting:
        downgrade_at = {"a": 50, "big": BIG}.get(name)
        return Posting(
            counter=self.name(name), cap=CAPS[name], downgrade_at=downgrade_at, keep_ms=None if name == "c" else 10**9
        )

    def name(self, name: str) -> str:
        return f"{self._example}/{name}"

    def key(self, route: str) -> UsageCounterKey:
        return UsageCounterKey(gateway=f"g{self._example}", consumer="t/a", route=route, target="p/e/m")

    def postings(self, names: Sequence[str]) -> tuple[Posting, ...]:
        return tuple(self.posting(name) for name in names)

    def payer(self, request: int) -> str:
        """Two of them: what one has open is not the other's."""
        return self.name(PAYERS[request % len(PAYERS)])

    def lease(self, request: int) -> str:
        return f"{self._example}-{request}"

    async def opened(self) -> list[int]:
        return list(await self._store.opened([self.name(payer) for payer in (*PAYERS, "nobody")]))

    async def play(self, step: tuple[Any, ...]) -> Any:
        match step:
            case ("reserve", request, amount, names, smaller, most_open, wished):
                new = wished and request not in self._leases  # the name of a lease is never used again
                wish = Wish(lease=self.lease(request), units=wished[0], amount=wished[1]) if new else None
                hold = Hold(
                    request=self.name(f"r{request}"),
                    payer=self.payer(request),
                    plan=Plan(amount=amount, postings=self.postings(names)),
                    downgrade=Plan(amount=smaller[0], postings=self.postings(smaller[1])) if smaller else None,
                    now_ms=NOW,
                    most_open=most_open,
                    wish=wish,
                )
                admission = await self._store.reserve(hold)
                if admission.units:
                    self._leases.add(request)
                return admission
            case ("settle unit", (request, number), cost, names, estimated, after):
                settlement = Settlement(
                    request=unit_name(self.lease(request), number),
                    payer=self.payer(request),
                    cost=cost,
                    estimated=estimated,
                    postings=self.postings(names),
                    now_ms=NOW + after,
                    reserved=True,
                )
                (settled,) = await self._store.settle_all([(settlement, None)])
                assert isinstance(settled, Settled)
                return settled.cost, {name for name, spent in settled.counters.items() if spent < 2**53}
            case ("give back", units):
                return await self._store.give_back(
                    [unit_name(self.lease(request), number) for request, number in units], NOW
                )
            case ("settle", request, cost, names, estimated, tokens, after, reserved):
                settlement = Settlement(
                    request=self.name(f"r{request}"),
                    payer=self.payer(request),
                    cost=cost,
                    estimated=estimated,
                    postings=self.postings(names),
                    now_ms=NOW + after,
                    reserved=reserved,
                )
                key = self.key("t/asked,t/led,t/chat" if tokens % 2 else "t/chat")
                metered = (key, Count(requests=1, input=tokens, output=2 * tokens, cached=0)) if tokens else None
                settled = await self._store.settle(settlement, metered)
                return settled.cost, {
                    name: int(float(spent)) for name, spent in settled.counters.items() if spent < 2**53
                }
            case ("expire", ripe):
                return list(await self._store.expire(NOW + (EXPIRES_AFTER_MS if ripe else 0), 3))
            case ("reconcile", requests, names, stale):
                return await self.reconcile(requests, names, stale=stale)
        raise AssertionError(step)

    async def reconcile(self, requests: int, names: Sequence[str], *, stale: bool) -> Any:
        known = await self._store.read_usage_counters(NOW)
        key = self.key("t/chat")
        update = UsageCounterUpdate(
            version=known.version - 1 if stale else known.version,
            usage_counters={key: UsageCounter(seen=Count(requests=requests), due=Count(input=3))},
            gateways=(f"g{self._example}",),
            bookings=(
                Booking(
                    payer=self.name(PAYER),
                    requests=requests,
                    cost=requests * 3,
                    postings=self.postings(names),
                    at_ms=NOW,
                ),
            ),
            now_ms=NOW + 1,
        )
        written = await self._store.write_usage_counters(update)
        after = await self._store.read_usage_counters(NOW)
        return (
            written,
            after.usage_counters.get(key),
            [after.booked.get(one) for one in (key, self.key("t/asked,t/led,t/chat"))],
            f"g{self._example}" in after.known_gateways,
        )

    async def counters(self) -> list[Counter]:
        return list(await self._store.counters([self.name(name) for name in sorted(CAPS)]))


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


Room = tuple[int, int, int, int | None, bool, int]


def _rooms() -> list[Room]:
    """Cap, what is spent and reserved before, a stage that downgrades, whether it does, a unit: around each bar."""
    found: list[Room] = []
    for unit, units in product([1, 10**9 + 7, 10**14 + 999_999_937], [4, 7, 32]):
        room = unit * (units * SHARE + 1)  # a request of the same size beside them
        for off in (-1, 0, 1):
            found.append((room + 11 + off, 11, 0, None, False, unit))
            found.append((10 * room, 11, 0, room + 11 + off, off < 1, unit))
            # Half of what is not spent is reserved with the last unit, or would be.
            found.append((11 + 2 * (room + unit * (units + 1)) + off, 11, room, None, False, unit))
    return found


def test_a_store_grants_the_units_that_the_model_does(runner: asyncio.Runner, store: Store) -> None:
    async def granted(where: Store, name: str, room: Room) -> tuple[Any, ...]:
        cap, spent, reserved, downgrade_at, smaller, unit = room
        posting = Posting(counter=name, cap=cap, downgrade_at=downgrade_at, keep_ms=None)
        other = Posting(counter=f"{name}/c", cap=None, downgrade_at=None, keep_ms=None)
        before = Settlement(
            request=f"{name}/s", payer=name, cost=spent, estimated=False, postings=(posting,), now_ms=NOW
        )
        held = Hold(
            request=f"{name}/h", payer=name, plan=Plan(amount=reserved, postings=(posting,)), downgrade=None, now_ms=NOW
        )
        plan = Plan(amount=unit, postings=(other, posting))
        ask = replace(
            held,
            request=f"{name}/r",
            plan=plan,
            downgrade=replace(plan, amount=0) if smaller else None,
            wish=Wish(lease=name, units=32, amount=unit),
        )
        await asyncio.gather(where.settle(before, None), where.reserve(held))
        answer = await where.reserve(ask)
        return answer, list(await where.counters([name, f"{name}/c"])), list(await where.opened([name]))

    async def run() -> None:
        example, model, units = next(EXAMPLES), MemoryStore(), set()
        for number, room in enumerate(_rooms()):
            name = f"{example}-{number}"
            found = await granted(store, name, room)
            assert found == await granted(model, name, room), room
            units.add(found[0].units)
        assert units >= {0, 4, 6, 7, 31, 32}, "on both sides of each bar"

    runner.run(run())


UNITS_LIFE: Sequence[tuple[Any, ...]] = (
    ("reserve", 0, 10, ["rich", "c"], None, 100, (8, 5)),
    ("reserve", 0, 10, ["rich", "c"], None, 100, None),
    ("reserve", 2, 10, ["rich"], None, 30, (8, 5)),
    ("reserve", 4, 10, ["rich"], None, 30, (8, 5)),
    ("reserve", 6, 10, ["c"], (0, ["c"]), 100, None),
    ("settle unit", (0, 1), 7, ["rich"], False, 1),
    ("settle unit", (0, 1), 7, ["rich"], False, 1),
    ("settle unit", (0, 2), 70, ["rich"], True, 1),
    ("give back", [(0, 2), (0, 3), (0, 4), (0, 3), (0, 9), (5, 1)]),
    ("give back", [(0, 3), (0, 5)]),
    ("settle unit", (0, 3), 9, ["rich"], False, 1),
    ("settle unit", (0, 4), 9, ["rich"], True, 1),
    ("settle unit", (7, 1), 9, ["rich"], False, 1),
    ("reconcile", 5, ["rich"], False),
    ("settle unit", (0, 6), 9, ["rich"], False, -1),
    *[("expire", True)] * 8,
    ("settle", 8, 3, ["rich"], False, 5, -1, False),  # the fifth that reconciliation booked: no unit took its place
    ("settle unit", (0, 7), 9, ["rich"], False, 1),
    ("settle unit", (0, 7), 9, ["rich"], False, 1),
    ("give back", [(0, 7), (0, 8)]),
    ("reconcile", 0, ["rich"], False),
)


def test_a_unit_has_the_life_of_the_model_s(runner: asyncio.Runner, store: Store) -> None:
    async def run() -> None:
        example = next(EXAMPLES)
        while await store.expire(NOW + 10 * EXPIRES_AFTER_MS, 100):
            pass
        real, model = Player(store, example), Player(MemoryStore(), example)
        for step in UNITS_LIFE:
            assert await real.play(step) == await model.play(step), step
            assert await real.counters() == await model.counters(), step
            assert await real.opened() == await model.opened(), step

    runner.run(run())


def test_of_several_that_are_settled_at_once_each_is_settled_for_itself(runner: asyncio.Runner, store: Store) -> None:
    async def settled(where: Store, name: str, *, wrong: bool) -> tuple[Any, ...]:
        posting = Posting(counter=name, cap=None, downgrade_at=None, keep_ms=10**9)
        key = UsageCounterKey(gateway=name, consumer="t/a", route="t/asked,t/chat", target="p/e/m")
        hold = Hold(
            request=f"{name}|0",
            payer=name,
            plan=Plan(amount=40, postings=(posting,)),
            downgrade=None,
            now_ms=NOW,
            wish=Wish(lease=name, units=4, amount=30),
        )
        one = Settlement(
            request=hold.request, payer=name, cost=7, estimated=False, postings=(posting,), now_ms=NOW, reserved=True
        )
        metered = key, Count(requests=1, input=3, output=4)
        all_ = [
            (one, metered),
            (replace(one, request=f"{name}|new", reserved=False, cost=5), None),
            *[(replace(one, request=unit_name(name, number), cost=number), metered) for number in (1, 2, 1, 3)],
            (replace(one, request=f"{name}|forgotten"), metered),
            (replace(one, request=f"{name}|wrong", cost=2**64, reserved=False), None),
            (replace(one, request=unit_name(name, 4), cost=50, estimated=True), metered),
        ]
        known = await where.read_usage_counters(NOW)
        booking = Booking(payer=name, requests=2, cost=1, postings=(posting,), at_ms=NOW)
        update = UsageCounterUpdate(
            version=known.version, usage_counters={}, gateways=(name,), bookings=(booking,), now_ms=NOW
        )
        await where.reserve(hold)
        await where.write_usage_counters(update)
        after = [(replace(one, now_ms=NOW + (number > 0)), of) for number, (one, of) in enumerate(all_)]
        found = await where.settle_all([(one, of) for one, of in after if wrong or one.cost < 2**64])
        told = [repr(result) if isinstance(result, Settled) else "refused" for result in found]
        booked = (await where.read_usage_counters(NOW)).booked
        counted = [booked.get(one) for one in key.counted]
        return told, counted, list(await where.counters([name])), list(await where.opened([name]))

    async def run() -> None:
        name = f"{next(EXAMPLES)}-x"
        model = await settled(MemoryStore(), name, wrong=False)
        assert await settled(store, name, wrong=False) == model
        assert model[2:] == ([Counter(spent=1 + 5 + 1 + 2 + 3 + 30, estimated=30)], [0])
        (told, *rest), (_, *others) = await settled(store, f"{name}y", wrong=True), model
        assert told.pop(-2) == "refused"
        assert rest[1:] == others[1:], "of the wrong one nothing is booked, and of the others all"
        assert list(map(_cost, told)) == list(map(_cost, model[0]))

    def _cost(text: str) -> str:
        return text.partition(",")[0]

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
