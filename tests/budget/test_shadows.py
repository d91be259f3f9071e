"""Copies of requests are booked apart: the route pays, by the shadow's prices, no caller's budget; on all stores."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from fairlead.budget.configuration import BudgetConfiguration, RouteTerms, decode, encode
from fairlead.budget.estimate import Rung
from fairlead.budget.ledger import EXPIRES_AFTER_MS
from fairlead.budget.policy import Policy, Scope
from fairlead.budget.price import Price
from fairlead.budget.shadow import ShadowLimit, ShadowTerms
from fairlead.budget.window import Every, Forever
from fairlead.budgetserver import descriptor
from fairlead.budgetserver.answer import exact
from fairlead.budgetserver.ledgerview import overview
from fairlead.budgetserver.messages import OK, OVER_LIMIT, Response
from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.ratelimit import RateLimitService
from fairlead.budgetserver.store import Store

NOW = 1_800_000_000_000
MONTH = "2027-01-01T00:00:00Z"
HOUR = 3_600_000
OWN, COPY = 70, 140
"""What a request costs, and its copy at twice the price, in nano-dollars: 30 tokens in, 40 out."""
RESERVED = (100 + 50) * 2
"""What a copy can cost at most: a body of 100 bytes, 50 tokens out."""


def rung(nanodollars: int) -> Rung:
    price = Price(input=nanodollars * 10**6, output=nanodollars * 10**6, cached_input=nanodollars * 10**6)
    return Rung(price=price, max_output_tokens=None, context_window=None, generates=True)


def configuration(limit: ShadowLimit | None = None) -> BudgetConfiguration:
    terms = ShadowTerms(targets=("p/e/copy",), limit=limit)
    return BudgetConfiguration(
        fail_closed=False,
        request_bytes=1_000,
        policies=(Policy(name="t/p", scope=Scope.PER_CONSUMER, limit=1_000, window=Forever(), stages=(), routes=None),),
        consumers={"t/a": ("t/p",), "t/free": ()},
        killed=frozenset(),
        routes={
            "t/chat": RouteTerms(max_output_tokens=None, downgrade_to=None, plans={"": ("p/e/m",)}, shadow=terms),
            "t/plain": RouteTerms(max_output_tokens=None, downgrade_to=None, plans={"": ("p/e/m",)}),
        },
        targets={"p/e/m": rung(1), "p/e/copy": rung(2)},
    )


class World:
    """A service on a store that may be opened again."""

    def __init__(self, store: Store, rules: BudgetConfiguration) -> None:
        self.now_ms, self.metrics = NOW, Metrics()
        self.service = RateLimitService(
            store=store, configuration=rules, clock=lambda: self.now_ms, metrics=self.metrics
        )

    async def send(self, key: str, words: str) -> Any:
        found = descriptor.read(message(key, words))
        if isinstance(found, descriptor.Report):
            return await self.service.report(found)
        return Response.FromString(await self.service.check(found)).overall_code

    async def request(self, request: str, *, consumer: str = "t/a", copied: bool = True) -> None:
        """Send a request that is copied: both are checked, then both end."""
        await self.send("check", f"{consumer} {request} chat 100 t/chat 50 1")
        if copied:
            assert await self.check(request, consumer=consumer) == OK
        await self.send("report", self.words(request, consumer, "p/e/m", reserved=consumer == "t/a"))
        if copied:
            await self.report(request, consumer=consumer)

    async def check(self, request: str, *, consumer: str = "t/a") -> Any:
        return await self.send("shadow_check", f"{consumer} {request} chat 100 t/chat p/e/copy 50 1")

    async def report(self, request: str, *, consumer: str = "t/a", **changes: str) -> None:
        await self.send("shadow_report", self.words(request, consumer, "p/e/copy", **changes))

    @staticmethod
    def words(request: str, consumer: str, target: str, *, reserved: bool = True, **changes: str) -> str:
        said = {"usage": "1 30 40 0 0 0 0 0", "status": "200", "flags": "-", "attempts": "1", "tries": ""} | changes
        known = f"{consumer} {request} chat 100 t/chat {request if reserved else 'none'} {target} false"
        ended = f"{said['status']} {said['flags']} {said['attempts']} 0 eu-1{said['tries']}"
        return f"{known} {ended} ; 50 1 ; {said['usage']}"

    async def spent(self) -> int:
        """What the route's shadow is said to have cost, in nano-dollars."""
        (one,) = (await overview(self.service))["shadow"]
        assert (one["route"], one["target"], one["since"]) == ("t/chat", "p/e/copy", MONTH)
        return round(float(one["spentUSD"]) * 10**9)

    async def own(self, consumer: str = "t/a") -> tuple[int, int]:
        """What a consumer's budget says: spent, reserved."""
        (standing,) = await self.service.standings(consumer)
        return standing.counter.spent, standing.counter.reserved

    def sample(self, name: str, **labels: str) -> float | None:
        self.metrics.flush()
        return self.metrics.registry.get_sample_value(name, labels)


def message(key: str, words: str) -> Any:
    from fairlead.budgetserver.messages import Request

    request = Request(domain="fairlead")
    request.descriptors.add().entries.add(key=key, value=words)
    return request


Play = Callable[..., None]


def play(stores: Callable[[], Store], steps: Callable[[World], Any], limit: ShadowLimit | None = None) -> World:
    async def run() -> World:
        store = stores()
        try:
            world = World(store, decode(encode(configuration(limit))))
            await steps(world)
        finally:
            await store.close()
        return world

    return asyncio.run(run())


def test_a_copy_touches_no_budget_and_has_its_own_price(stores: Callable[[], Store]) -> None:
    async def steps(world: World) -> None:
        await world.request("r1")
        await world.request("r2", copied=False)
        assert await world.own() == (2 * OWN, 0)
        assert await world.spent() == COPY

    world = play(stores, steps)
    assert world.sample("fairlead_shadow_spend_usd_total", route="t/chat", target="p/e/copy") == pytest.approx(
        COPY / 10**9
    )
    assert world.sample("fairlead_budget_shadow_checks_total", verdict="granted") == 1
    assert world.sample("fairlead_spend_usd_total", consumer="t/a", route="t/chat", budgeted="true") == pytest.approx(
        2 * OWN / 10**9
    )


def test_copies_of_a_caller_without_a_budget_are_booked_to_the_route_too(stores: Callable[[], Store]) -> None:
    async def steps(world: World) -> None:
        await world.request("r1", consumer="t/free")
        await world.request("r1")
        assert await world.spent() == 2 * COPY
        (free,) = (await overview(world.service))["unbudgeted"]
        assert (free["consumer"], free["spentUSD"]) == ("t/free", exact(OWN))

    play(stores, steps)


def test_a_copy_is_booked_once_whatever_comes_twice(stores: Callable[[], Store]) -> None:
    async def steps(world: World) -> None:
        for _ in range(2):
            await world.check("r1")
        for _ in range(2):
            await world.report("r1")
        await world.check("r1")
        assert await world.spent() == COPY

    play(stores, steps)


def test_what_copies_cost_survives_a_restart(stores: Callable[[], Store]) -> None:
    async def first(world: World) -> None:
        await world.request("r1")

    async def second(world: World) -> None:
        assert await world.spent() == COPY
        await world.request("r2")
        assert await world.spent() == 2 * COPY

    play(stores, first)
    play(stores, second)


def test_a_copy_whose_report_never_comes_is_booked_in_full(stores: Callable[[], Store]) -> None:
    async def steps(world: World) -> None:
        await world.check("r1")
        assert await world.spent() == 0
        await world.service._store.expire(NOW + EXPIRES_AFTER_MS, 10)
        assert await world.spent() == RESERVED
        await world.report("r1")
        assert await world.spent() == COPY, "a late report replaces it"

    play(stores, steps)


@pytest.mark.parametrize(
    ("changes", "booked"),
    [
        pytest.param({"usage": "-", "status": "503", "attempts": "1"}, 0, id="refused by the provider"),
        pytest.param({"usage": "-", "status": "503", "flags": "UF"}, 0, id="no connection"),
        pytest.param({"usage": "-", "status": "0", "flags": "DC", "attempts": "0"}, 0, id="never sent"),
        pytest.param(
            {"usage": "-", "status": "504", "flags": "UT", "tries": " 166 60000 1,0,p/e/copy - -"},
            (50 + 50) * 2,
            id="given up",
        ),
        pytest.param(
            {"usage": "-", "status": "500", "tries": " 166 5 1,0,p/e/copy 500 -"}, (50 + 20) * 2, id="500 after 5 ms"
        ),
    ],
)
def test_a_copy_that_was_abandoned_is_booked_by_estimate(
    stores: Callable[[], Store], changes: dict[str, str], booked: int
) -> None:
    async def steps(world: World) -> None:
        await world.check("r1")
        await world.report("r1", **changes)
        assert await world.spent() == booked
        assert await world.own() == (0, 0)

    play(stores, steps)


def test_a_limit_stops_copies_before_they_pass_it(stores: Callable[[], Store]) -> None:
    async def steps(world: World) -> None:
        await world.request("r1")
        assert await world.check("r2") == OK
        assert await world.check("r3") == OVER_LIMIT, "as much is reserved"
        await world.report("r2")
        assert await world.check("r4") == OVER_LIMIT
        assert await world.own() == (OWN, 0)
        assert await world.send("check", "t/a r4 chat 100 t/chat 50 1") == OK, "the request itself goes on"
        world.now_ms += HOUR
        assert await world.check("r5") == OK, "another window"
        assert await world.spent() == 2 * COPY

    world = play(stores, steps, ShadowLimit(limit=COPY + RESERVED, window=Every(length_ms=HOUR)))
    assert world.sample("fairlead_budget_shadow_checks_total", verdict="rejected") == 2
