"""Reconciliation: gateways are read, what reports lost is booked, and nothing twice."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from budget_world import BIG, policy
from fairlead.budget.configuration import BudgetConfiguration, RouteTerms
from fairlead.budget.policy import Action, Stage
from fairlead.budget.price import LongPrompts, Price
from fairlead.budgetserver import descriptor, reconciliation
from fairlead.budgetserver.charge import charge
from fairlead.budgetserver.descriptor import Check, Report
from fairlead.budgetserver.memory import MemoryStore
from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.ratelimit import RateLimitService
from fairlead.budgetserver.reconciliation import UsageReconciliation
from fairlead.budgetserver.store import StoreError, UsageCounterUpdate

COST, RESERVED = 70, 150
NOTIFIED = Stage(at=150, action=Action.NOTIFY)
"""Reached by the third of three requests: at 150 of 10,000."""
START = 1_800_000_000_000
BOOK = BudgetConfiguration(
    fail_closed=False,
    request_bytes=1000,
    policies=(policy("t/p", 10_000, stages=(NOTIFIED,)),),
    consumers={"t/a": ("t/p",)},
    killed=frozenset(),
    routes={"t/chat": RouteTerms(max_output_tokens=None, downgrade_to=None, plans={"": ("p/e/m",)})},
    targets={"p/e/m": replace(BIG, max_output_tokens=None)},
)


def check(request: str) -> Check:
    return descriptor.check(f"t/a {request} chat 100 t/chat 50 1")


def report(request: str) -> Report:
    words = f"t/a {request} chat 100 t/chat {request} p/e/m false 200 - 1 500 eu-1 ; 50 1 ; 1 30 40 0 0 0 0 0"
    return descriptor.report(words)


class Gateway:
    """Shows its counters."""

    def __init__(self) -> None:
        self.requests = 0
        self.cached = 0
        """Input tokens of each request that its provider found in its cache."""
        self.moved: dict[str, int] = {}
        """Asked routes -> of `requests`, those that were moved; empty at a gateway of the version before."""
        self.uptime_s = 1
        self.status = 200

    async def show(self, _request: web.BaseRequest) -> web.StreamResponse:
        labels = 'gateway="eu-1",consumer="t/a",route="t/chat",target="p/e/m"'
        counted = {"requests": 1, "input_tokens": 30, "output_tokens": 40, "cached_tokens": self.cached}
        lines = [f"envoy_fairlead_metered_{name}{{{labels}}} {each * self.requests}" for name, each in counted.items()]
        lines += [
            f'envoy_fairlead_moved_{name}{{{labels},asked="{asked}"}} {each * requests}'
            for asked, requests in self.moved.items()
            for name, each in counted.items()
        ]
        return web.Response(text="\n".join([f"envoy_server_uptime{{}} {self.uptime_s}", *lines]), status=self.status)


class Cut(MemoryStore):
    """A store that two servers share, and that one of them may not reach."""

    def __init__(self, shared: MemoryStore) -> None:
        self.shared = shared
        self.away = False

    def __getattribute__(self, name: str) -> Any:
        if name in {"shared", "away"}:
            return super().__getattribute__(name)
        if self.away and not name.startswith("_"):
            raise StoreError("away")
        return getattr(self.shared, name)


class Server:
    def __init__(self, world: "World", store: MemoryStore, book: BudgetConfiguration = BOOK) -> None:
        self.metrics = Metrics()
        self.service = RateLimitService(
            store=store, configuration=book, clock=lambda: world.now_ms, metrics=self.metrics
        )
        self.world = world
        world.servers.append(self)
        self.reconciliation = UsageReconciliation(
            sources=(world.url,), store=store, service=self.service, metrics=self.metrics
        )

    async def read(self) -> None:
        """Take one reading, eight seconds after the last."""
        self.world.now_ms += 8_000
        await self.reconciliation.once()

    def sample(self, name: str, **labels: str) -> float | None:
        self.metrics.flush()
        return self.metrics.registry.get_sample_value(name, labels)


class World:
    def __init__(self, url: str, gateway: Gateway) -> None:
        self.now_ms = START
        self.url, self.gateway = url, gateway
        self.servers: list[Server] = []
        self.store = MemoryStore()
        self.server = Server(self, self.store)

    async def spent(self, policy: str = "t/p") -> tuple[int, int]:
        (counter,) = await self.store.counters([f"{policy}|t/a|0"])
        return counter.spent, counter.reserved

    async def ask(self, *requests: str) -> None:
        """Let requests run whose reports are lost."""
        for request in requests:
            await self.server.service.check(check(request))
            self.gateway.requests += 1


Story = Callable[[World], Awaitable[None]]


@pytest.fixture(autouse=True)
def no_grace(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(reconciliation, "_GRACE_S", 0)
    return


def play(story: Story) -> None:
    async def run() -> None:
        gateway = Gateway()
        server = web.Server(gateway.show)
        runner = web.ServerRunner(server)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        world = World(f"http://127.0.0.1:{port}/stats", gateway)
        await story(world)
        for each in world.servers:
            await each.reconciliation.close()
        await runner.cleanup()

    asyncio.run(run())


def test_what_two_readings_miss_is_booked_and_told() -> None:
    async def story(world: World) -> None:
        await world.ask("r1", "r2", "r3")
        await world.server.service.report(report("r1"))
        await world.server.read()
        assert await world.spent() == (COST, 2 * RESERVED)
        reached = {"policy": "t/p", "action": "Notify"}
        assert not world.server.sample("fairlead_budget_stage_reached_total", **reached)
        await world.server.read()
        assert await world.spent() == (3 * COST, 2 * RESERVED)
        assert world.server.sample("fairlead_budget_stage_reached_total", **reached) == 1
        await world.server.read()
        assert await world.spent() == (3 * COST, 2 * RESERVED)
        assert world.server.sample("fairlead_budget_reconciled_tokens_total") == 140
        assert world.server.sample("fairlead_budget_reconciled_usd_total") == pytest.approx(1.4e-7)
        assert world.server.sample("fairlead_budget_share_captured") == pytest.approx(1 / 3)
        # The reservations of what was found are given up without a second booking.
        world.now_ms += 16 * 60_000
        await world.store.expire(world.now_ms, 10)
        assert await world.spent() == (3 * COST, 0)

    play(story)


def test_a_report_that_waits_at_a_server_without_a_store_is_not_booked_twice() -> None:
    async def story(world: World) -> None:
        cut = Cut(world.store)
        other = Server(world, cut)
        await world.ask("r1", "r2")
        cut.away = True
        await other.service.report(report("r1"))
        await other.service.report(report("r2"))
        await world.server.read()
        world.now_ms += 1
        await world.ask("r3")
        await other.service.report(report("r3"))
        await world.server.read()
        assert await world.spent() == (2 * COST, 3 * RESERVED), "two are missing for the second time"
        assert len(other.service.backlog) == 3
        cut.away = False
        assert await other.service.backlog.drain()
        for _ in range(3):
            await world.server.read()
        assert await world.spent() == (3 * COST, 0)
        assert world.server.sample("fairlead_budget_share_captured") == pytest.approx(1 / 3)

    play(story)


def test_a_gateway_that_starts_again_counts_from_zero() -> None:
    async def story(world: World) -> None:
        for name in ("r1", "r2"):
            await world.ask(name)
            await world.server.service.report(report(name))
        await world.server.read()
        world.gateway.requests, world.gateway.uptime_s = 0, 1
        await world.ask("r3")
        for _ in range(3):
            await world.server.read()
        assert await world.spent() == (3 * COST, RESERVED)

    play(story)


def test_what_an_older_gateway_counted_before_the_store_was_there_is_not_spend_of_today() -> None:
    async def story(world: World) -> None:
        world.gateway.requests, world.gateway.uptime_s = 1_000, 30 * 24 * 3600
        for _ in range(3):
            await world.server.read()
        assert await world.spent() == (0, 0)
        await world.ask("r1")
        for _ in range(2):
            await world.server.read()
        assert await world.spent() == (COST, RESERVED)

    play(story)


def test_of_two_servers_that_read_at_once_one_books() -> None:
    async def story(world: World) -> None:
        other = Server(world, world.store)
        await world.ask("r1")
        for _ in range(3):
            await asyncio.gather(world.server.read(), other.read())
        assert await world.spent() == (COST, RESERVED)
        for server in (world.server, other):
            assert server.sample("fairlead_budget_share_captured") == 0

    play(story)


def test_a_reading_during_which_another_was_stored_books_nothing() -> None:
    """Next to younger counters the gateway would seem to have started again."""

    async def story(world: World) -> None:
        await world.ask("r1")
        await world.server.service.report(report("r1"))
        other, drain = Server(world, world.store), world.server.service.backlog.drain

        async def overtaken() -> bool:
            for name in (f"a{world.now_ms}", f"b{world.now_ms}"):
                await world.ask(name)
                await world.server.service.report(report(name))
            await other.read()
            return await drain()

        world.server.service.backlog.drain = overtaken  # type: ignore[method-assign]
        for _ in range(3):
            await world.server.read()
        assert await world.spent() == (7 * COST, 0)

    play(story)


def test_a_gateway_that_cannot_be_read_is_counted_and_keeps_what_is_known() -> None:
    async def story(world: World) -> None:
        await world.ask("r1")
        await world.server.read()
        world.gateway.status = 500
        await world.server.read()
        assert world.server.sample("fairlead_budget_gateway_readings_total", outcome="failed") == 1
        assert await world.spent() == (0, RESERVED)
        world.gateway.status = 200
        await world.server.read()
        assert await world.spent() == (COST, RESERVED)

    play(story)


def test_a_reading_that_was_overtaken_books_nothing() -> None:
    async def story(world: World) -> None:
        known = await world.store.read_usage_counters(world.now_ms)
        update = UsageCounterUpdate(
            version=known.version + 1, usage_counters={}, gateways=(), bookings=(), now_ms=world.now_ms
        )
        assert await world.store.write_usage_counters(update) is False

    play(story)


ASKED = replace(
    BOOK,
    policies=(*BOOK.policies, replace(BOOK.policies[0], name="t/asked", routes=frozenset({"t/asked"}))),
    consumers={"t/a": ("t/p", "t/asked")},
)


@pytest.mark.parametrize("counts_asked", [True, False], ids=["this version", "gateways of the version before"])
def test_what_was_moved_is_paid_by_policies_of_the_route_that_was_asked_too(*, counts_asked: bool) -> None:
    """A gateway of the version before counts by the route that answered alone, whose policies pay."""

    async def story(world: World) -> None:
        server = Server(world, world.store, ASKED)
        for request in ("r1", "r2"):
            await server.service.check(descriptor.check(f"t/a {request} chat 100 t/chat 50 1 t/asked"))
        await server.service.check(check("r3"))
        await server.service.report(report("r1")._replace(asked_routes=("t/asked",), counts_asked=counts_asked))
        assert await world.spent("t/asked") == (COST, RESERVED)
        world.gateway.requests = 3
        world.gateway.moved = {"t/asked": 2} if counts_asked else {}
        for _ in range(3):
            await server.read()
        world.now_ms += 16 * 60_000
        await world.store.expire(world.now_ms, 10)
        assert await world.spent() == (3 * COST, 0)
        assert await world.spent("t/asked") == ((2 if counts_asked else 1) * COST, 0)
        assert server.sample("fairlead_budget_share_captured") == pytest.approx(1 / 3)

    play(story)


def test_a_gateway_that_becomes_one_of_this_version_owes_nothing_for_what_was_before() -> None:
    async def story(world: World) -> None:
        server = Server(world, world.store, ASKED)
        moved = report("-")._replace(asked_routes=("t/asked",), reserved=False)
        for request in ("b1", "b2", "b3"):
            await server.service.report(moved._replace(id=request))
        world.gateway.requests = 3
        for _ in range(2):
            await server.read()
        world.gateway.moved = {"t/asked": 2}
        world.gateway.requests += 2
        await server.service.report(moved._replace(id="r1", counts_asked=True))
        for _ in range(3):
            await server.read()
        assert await world.spent() == (5 * COST, 0)
        assert await world.spent("t/asked") == (5 * COST, 0), "one of five reports was lost, and found"

    play(story)


@pytest.mark.parametrize(("above", "found"), [(30, 30 + 40), (29, 2 * 30 + 3 * 40)])
def test_what_may_have_been_a_long_prompt_is_booked_as_one(above: int, found: int) -> None:
    """A gateway counts 30 tokens in and 40 out for a request; counters are sums, and do not say whose they were."""
    longer = LongPrompts(above=above, price=Price(input=2 * 10**6, output=3 * 10**6, cached_input=2 * 10**6))
    price = replace(BOOK.targets["p/e/m"].price, long_prompts=longer)
    book = replace(BOOK, targets={"p/e/m": replace(BOOK.targets["p/e/m"], price=price)})

    async def story(world: World) -> None:
        server = Server(world, world.store, book)
        world.gateway.requests = 1
        for _ in range(2):
            await server.read()
        assert await world.spent() == (found, 0)

    play(story)


def test_tokens_that_only_reconciliation_finds_cost_as_text_but_for_those_from_the_cache() -> None:
    dear = Price(
        input=10**6, output=10**6, cached_input=0, cache_write=9 * 10**6, audio_input=9 * 10**6, audio_output=9 * 10**6
    )
    book = replace(BOOK, targets={"p/e/m": replace(BOOK.targets["p/e/m"], price=dear)})
    usage = "1 30 40 10 5 0 5 20"
    """Of 30 tokens in, 10 were in the cache, 5 were written into it, 5 were audio; of 40 tokens out, 20 were audio."""

    async def story(world: World) -> None:
        server = Server(world, world.store, book)
        world.gateway.cached = 10
        await server.service.check(check("r1"))
        world.gateway.requests = 1
        for _ in range(2):
            await server.read()
        found, _ = await world.spent()
        assert found == (30 - 10) + 40, "as if all of it were text: 10 from the cache for nothing"
        told = _priced(book, usage)
        assert told == (10 + 9 * 5 + 9 * 5) + (20 + 9 * 20), "what its report would have booked"
        world.now_ms += 16 * 60_000
        await world.store.expire(world.now_ms, 10)
        assert await world.spent() == (found, 0), "and its reservation is given up"

    def _priced(book: BudgetConfiguration, usage: str) -> int:
        words = f"t/a r1 chat 100 t/chat r1 p/e/m false 200 - 1 500 eu-1 ; 50 1 ; {usage}"
        return charge(descriptor.report(words), book.targets["p/e/m"]).cost

    play(story)
