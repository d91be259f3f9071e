"""Reports that come while gateways are read hide as many that are missing, until nobody asks for a moment."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace

import pytest

from budget_world import BIG, policy
from fairlead.budget.configuration import BudgetConfiguration, RouteTerms
from fairlead.budget.reconciliation import Count, UsageCounterKey
from fairlead.budgetserver import descriptor, reconciliation
from fairlead.budgetserver.memory import MemoryStore
from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.ratelimit import RateLimitService
from fairlead.budgetserver.reconciliation import UsageReconciliation, counts
from fairlead.budgetserver.store import UsageCounters
from fairlead.runtime import scrape

INPUT, OUTPUT = 30, 40
COST, RESERVED = INPUT + OUTPUT, 150
BOOK = BudgetConfiguration(
    fail_closed=False,
    request_bytes=1000,
    policies=(policy("t/p", 10**6),),
    consumers={"t/a": ("t/p",)},
    killed=frozenset(),
    routes={"t/chat": RouteTerms(max_output_tokens=None, downgrade_to=None, plans={"": ("p/e/m",)})},
    targets={"p/e/m": replace(BIG, max_output_tokens=None)},
)


class Store(MemoryStore):
    """Tells when bookings are read."""

    def __init__(self, steps: list[str]) -> None:
        super().__init__()
        self._steps = steps

    async def read_usage_counters(self, now_ms: int) -> UsageCounters:
        self._steps.append("bookings read")
        return await super().read_usage_counters(now_ms)


class Busy:
    """A budget server and a gateway that is asked on and on, `during` times between its counters and the bookings."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, during: int) -> None:
        self.now_ms = 1_800_000_000_000
        self.during = during
        self.steps: list[str] = []
        self.gateway, self.counted, self.asked = "eu-1", 0, 0
        self.store = Store(self.steps)
        self.service = RateLimitService(
            store=self.store, configuration=BOOK, clock=lambda: self.now_ms, metrics=Metrics()
        )
        self._reconciliation = UsageReconciliation(
            sources=(), store=self.store, service=self.service, metrics=Metrics()
        )
        self._drain = self.service.backlog.drain
        monkeypatch.setattr(reconciliation, "_GRACE_S", 0)
        monkeypatch.setattr(scrape.Scraper, "read", self._page)
        monkeypatch.setattr(self.service.backlog, "drain", self._meanwhile)
        monkeypatch.setattr(reconciliation, "counts", self._parsed)

    async def request(self, *, reported: bool) -> None:
        """Let a request run; the gateway counts it."""
        self.asked += 1
        name = f"r{self.asked}"
        await self.service.check(descriptor.check(f"t/a {name} chat 100 t/chat 50 1"))
        self.counted += 1
        if reported:
            words = f"t/a {name} chat 100 t/chat {name} p/e/m false 200 - 1 500 {self.gateway}"
            await self.service.report(descriptor.report(f"{words} ; 50 1 ; 1 {INPUT} {OUTPUT} 0 0 0 0 0"))

    async def missing(self) -> int:
        """Return how many requests are not booked."""
        (counter,) = await self.store.counters(["t/p|t/a|0"])
        return self.asked - counter.spent // COST

    async def read(self, readings: int) -> None:
        for _ in range(readings):
            self.now_ms += 7_000
            await self._reconciliation.once()

    async def _page(self) -> tuple[scrape.Metrics, ...]:
        self.steps.append("counters read")
        labels = f'gateway="{self.gateway}",consumer="t/a",route="t/chat",target="p/e/m"'
        numbers = {"requests": 1, "input_tokens": INPUT, "output_tokens": OUTPUT, "cached_tokens": 0}
        lines = [f"envoy_fairlead_metered_{name}{{{labels}}} {each * self.counted}" for name, each in numbers.items()]
        text = "\n".join(["envoy_server_uptime{} 1", *lines])
        return (scrape.Metrics(gateway=self.gateway, text=text),)

    def _parsed(self, text: str, *, gateway: str) -> dict[UsageCounterKey, Count]:
        self.steps.append("parsed")
        return counts(text, gateway=gateway)

    async def _meanwhile(self) -> bool:
        for _ in range(self.during):
            await self.request(reported=True)
        return await self._drain()


def play(story: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(story())


@pytest.mark.parametrize(("lost", "during", "hidden"), [(9, 0, 0), (9, 4, 4), (3, 4, 3)])
def test_as_many_stay_hidden_as_reports_come_during_a_reading_until_a_lull(
    monkeypatch: pytest.MonkeyPatch, lost: int, during: int, hidden: int
) -> None:
    async def story() -> None:
        busy = Busy(monkeypatch, during=during)
        for _ in range(lost):
            await busy.request(reported=False)
        await busy.read(2)
        assert await busy.missing() == hidden
        await busy.read(20)
        assert await busy.missing() == hidden, "neither more nor less while it goes on so"
        busy.during = 0
        await busy.read(2)
        assert await busy.missing() == 0
        busy.during = during
        await busy.read(5)
        assert await busy.missing() == 0, "and nothing twice"

    play(story)


def test_what_is_hidden_of_a_gateway_that_is_replaced_stays_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        busy = Busy(monkeypatch, during=4)
        for _ in range(9):
            await busy.request(reported=False)
        await busy.read(2)
        busy.gateway, busy.counted, busy.during = "eu-2", 0, 0
        await busy.read(5)
        assert await busy.missing() == 4

    play(story)


def test_a_reservation_that_expires_while_its_request_is_hidden_is_booked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        busy = Busy(monkeypatch, during=1)
        await busy.request(reported=False)
        await busy.read(2)
        busy.now_ms += 16 * 60_000
        await busy.store.expire(busy.now_ms, 10)
        busy.during = 0
        await busy.read(2)
        (counter,) = await busy.store.counters(["t/p|t/a|0"])
        assert (counter.spent, counter.reserved) == (busy.asked * COST + RESERVED, 0)

    play(story)


def test_pages_are_read_after_the_bookings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large one takes a tenth of a second, in which reports would come."""

    async def story() -> None:
        busy = Busy(monkeypatch, during=0)
        await busy.request(reported=True)
        await busy.read(1)
        assert busy.steps == ["bookings read", "counters read", "bookings read", "parsed"]

    play(story)
