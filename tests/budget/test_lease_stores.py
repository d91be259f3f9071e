"""Every store grants, settles and releases units of leases as the memory store does."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from budget.store_player import EXAMPLES, NOW, Player
from fairlead.budget.lease import SHARE, unit_name
from fairlead.budget.ledger import EXPIRES_AFTER_MS, Counter, Hold, Plan, Posting, Settlement, Verdict, Wish
from fairlead.budget.reconciliation import Count, UsageCounterKey
from fairlead.budgetserver.memory import MemoryStore
from fairlead.budgetserver.store import Booking, Settled, Store, UsageCounterUpdate

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


def test_units_are_no_requests_in_flight(runner: asyncio.Runner, store: Store) -> None:
    async def run(where: Store, name: str) -> list[Any]:
        posting = Posting(counter=name, cap=None, downgrade_at=None, keep_ms=None)
        one = Hold(
            request=f"{name}/1", payer=name, plan=Plan(amount=1, postings=(posting,)), downgrade=None, now_ms=NOW
        )
        await where.reserve(replace(one, wish=Wish(lease=name, units=8, amount=1)))
        limited = [replace(one, request=f"{name}/{number}", most_open=2, in_flight=True) for number in (2, 3)]
        found = [(await where.reserve(hold)).verdict for hold in limited]
        other = replace(one, request=f"{name}/4", most_open=10)
        found += [(await where.reserve(other)).verdict, *await where.opened([name, "nobody"])]
        await where.give_back([unit_name(name, number) for number in range(1, 9)], NOW)
        return [*found, (await where.reserve(other)).verdict, *await where.opened([name])]

    wanted = [Verdict.GRANTED, Verdict.CROWDED, Verdict.CROWDED, 2, 0, Verdict.GRANTED, 3]
    assert runner.run(run(store, f"{next(EXAMPLES)}-f")) == wanted
    assert runner.run(run(MemoryStore(), "f")) == wanted


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
