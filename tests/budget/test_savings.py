"""What a route saves against its baseline: the same tokens at other prices, exact, once, on all stores."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fairlead.budget import spend
from fairlead.budget.attempt import Attempt
from fairlead.budget.configuration import BudgetConfiguration, RouteTerms, decode, encode
from fairlead.budget.estimate import Rung
from fairlead.budget.price import UNKNOWN, Price, Tokens
from fairlead.budgetserver import descriptor, savings
from fairlead.budgetserver.answer import exact
from fairlead.budgetserver.ledgerview import overview, refresh, told
from fairlead.budgetserver.memory import MemoryStore
from fairlead.budgetserver.messages import Request
from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.ratelimit import RateLimitService
from fairlead.budgetserver.store import Booking, Store

NOW = 1_800_000_000_000
COUNTED = "1 30 40 10 0 0 0 0"
"""30 tokens in, 10 of them cached, 40 out."""
SPENT, THERE = 20 + 10 + 40, 200 + 50 + 800
"""What that costs in nano-dollars at the target, and at the baseline."""


def rung(fresh: int, cached: int, output: int) -> Rung:
    price = Price(input=fresh * 10**6, output=output * 10**6, cached_input=cached * 10**6)
    return Rung(price=price, max_output_tokens=None, context_window=None, generates=True)


def configuration(baseline: str | None = "big/e/best") -> BudgetConfiguration:
    plans = {"": ("p/e/m",)}
    return BudgetConfiguration(
        fail_closed=False,
        request_bytes=1_000,
        policies=(),
        consumers={"t/a": ()},
        killed=frozenset(),
        routes={
            "t/chat": RouteTerms(max_output_tokens=50, downgrade_to=None, plans=plans, baseline=baseline),
            "t/plain": RouteTerms(max_output_tokens=None, downgrade_to=None, plans=plans),
        },
        targets={"p/e/m": rung(1, 1, 1), "big/e/best": rung(10, 5, 20)},
    )


class World:
    """A service on a store, and reports of gateways."""

    def __init__(self, store: Store, rules: BudgetConfiguration) -> None:
        self.metrics = Metrics()
        self.service = RateLimitService(store=store, configuration=rules, clock=lambda: NOW, metrics=self.metrics)

    async def report(
        self,
        request: str,
        *,
        usage: str = COUNTED,
        route: str = "t/chat",
        status: str = "200",
        last: Attempt | None = None,
        lost: tuple[Attempt, ...] = (),
    ) -> None:
        known = f"t/a {request} chat 100 {route} none {'p/e/m' if status == '200' else '-'} false"
        words = f"{known} {status} - 1 0 eu-1 ; 50 1 ; {usage}"
        message = Request(domain="fairlead")
        message.descriptors.add().entries.add(key="report", value=words)
        found = descriptor.read(message)
        assert isinstance(found, descriptor.Report)
        await self.service.report(found._replace(last=last, lost=lost))

    async def savings(self) -> list[dict[str, Any]]:
        document = await overview(self.service)
        return list(document["savings"])

    def sample(self, name: str, **labels: str) -> float | None:
        self.metrics.flush()
        return self.metrics.registry.get_sample_value(name, labels)


def play(stores: Callable[[], Store], steps: Callable[[World], Any], rules: BudgetConfiguration | None = None) -> World:
    async def run() -> World:
        store = stores()
        try:
            world = World(store, decode(encode(rules or configuration())))
            await steps(world)
        finally:
            await store.close()
        return world

    return asyncio.run(run())


def dollars(nano: int) -> str:
    return f"{nano / 10**9:.9f}".rstrip("0")


def test_the_same_tokens_at_both_prices_exact_and_once(stores: Callable[[], Store]) -> None:
    async def steps(world: World) -> None:
        await world.report("r1")
        await world.report("r1")
        await world.report("r2")
        await world.report("r3", route="t/plain")
        assert await world.savings() == [
            {
                "route": "t/chat",
                "baseline": "big/e/best",
                "spentUSD": dollars(2 * SPENT),
                "baselineUSD": dollars(2 * THERE),
                "savedUSD": dollars(2 * (THERE - SPENT)),
                "estimatedUSD": "0.00",
                "since": "2027-01-01T00:00:00Z",
            }
        ]
        # Nobody pays it: consumer's own spending is what all three requests cost.
        (paid,) = (await overview(world.service))["unbudgeted"]
        assert (paid["consumer"], paid["spentUSD"]) == ("t/a", exact(3 * SPENT))
        (account,) = spend.decode(await told(world.service, "d")).savings
        assert (account.spent, account.cost_there, account.estimated) == (2 * SPENT, 2 * THERE, 0)
        await refresh(world.service, world.metrics)

    world = play(stores, steps)
    assert world.sample("fairlead_baseline_usd_total", route="t/chat") == pytest.approx(2 * THERE / 10**9)
    assert world.sample("fairlead_budget_saved_usd", route="t/chat", baseline="big/e/best") == pytest.approx(
        2 * (THERE - SPENT) / 10**9
    )
    assert world.sample("fairlead_spend_usd_total", consumer="t/a", route="t/chat", budgeted="false") == pytest.approx(
        2 * SPENT / 10**9
    )


def test_what_is_estimated_is_marked_and_estimated_alike(stores: Callable[[], Store]) -> None:
    async def steps(world: World) -> None:
        await world.report("r1")
        await world.report("r2", usage="-")
        (one,) = await world.savings()
        guessed = 50  # a body of 100 bytes is taken for 50 tokens; nothing was sent
        assert one["estimatedUSD"] == dollars(guessed)
        assert one["spentUSD"] == dollars(SPENT + guessed)
        assert one["baselineUSD"] == dollars(THERE + 10 * guessed)

    play(stores, steps)


def test_another_baseline_begins_anew_and_none_counts_nothing(stores: Callable[[], Store]) -> None:
    async def first(world: World) -> None:
        await world.report("r1")

    async def other(world: World) -> None:
        assert [one["spentUSD"] for one in await world.savings()] == ["0.00"]

    async def none(world: World) -> None:
        await world.report("r2")
        assert await world.savings() == []

    async def back(world: World) -> None:
        assert [one["spentUSD"] for one in await world.savings()] == [dollars(SPENT)]

    play(stores, first)
    play(stores, other, configuration("p/e/m"))
    play(stores, none, configuration(None))
    play(stores, back)


def test_a_request_without_an_answer_saves_nothing() -> None:
    async def steps(world: World) -> None:
        # The last attempt may be billed: it is spent, and no answer that the baseline would have given.
        failed = Attempt(target="p/e/m", status=502, elapsed_ms=1000)
        await world.report("r1", usage="-", status="502", last=failed)
        (one,) = await world.savings()
        assert one["baselineUSD"] == "0.00"
        assert one["spentUSD"] == one["estimatedUSD"] != "0.00"
        assert one["savedUSD"] == f"-{one['spentUSD']}"

    memory = MemoryStore()
    play(lambda: memory, steps)


def test_an_attempt_that_was_lost_is_spent_beside_the_answer() -> None:
    async def steps(world: World) -> None:
        await world.report("r1", lost=(Attempt(target="p/e/m", status=502, elapsed_ms=1000),))
        (one,) = await world.savings()
        lost = 50 + 50  # the prompt's tokens, and as many as the request allowed
        assert (one["spentUSD"], one["baselineUSD"]) == (dollars(SPENT + lost), dollars(THERE))

    memory = MemoryStore()
    play(lambda: memory, steps)


def test_what_no_report_brought_is_booked_at_both_prices() -> None:
    found = Booking(payer="t/a", requests=1, cost=SPENT, postings=(), at_ms=NOW)
    tokens = Tokens(input=30, output=40, cached=10)
    spent, there = savings.bookings(found, "t/chat", tokens, configuration())
    assert (spent.cost, there.cost) == (SPENT, THERE)
    assert {spent.payer, there.payer} == {"savings|t/chat"}
    assert list(savings.bookings(found, "t/plain", tokens, configuration())) == []


def test_without_a_price_on_either_side_nothing_is_compared() -> None:
    rules = configuration()
    found = Booking(payer="t/a", requests=1, cost=SPENT, postings=(), at_ms=NOW)
    for target in rules.targets:
        unknown = replace(rules.targets[target], price=UNKNOWN)
        unpriced = replace(rules, targets={**rules.targets, target: unknown})

        async def steps(world: World) -> None:
            await world.report("1")
            assert [one["spentUSD"] for one in await world.savings()] in ([], ["0.00"])

        play(MemoryStore, steps, unpriced)
        if target == "big/e/best":
            assert list(savings.bookings(found, "t/chat", Tokens(input=3, output=4), unpriced)) == []


def test_of_a_request_with_a_failed_attempt_only_that_is_told_as_estimated(stores: Callable[[], Store]) -> None:
    async def steps(world: World) -> None:
        await world.report("r1", lost=(Attempt(target="p/e/m", status=500, elapsed_ms=10),))
        (told,) = await world.savings()
        assert float(told["estimatedUSD"]) > 0
        assert round((float(told["spentUSD"]) - float(told["estimatedUSD"])) * 10**9) == SPENT

    play(stores, steps)
