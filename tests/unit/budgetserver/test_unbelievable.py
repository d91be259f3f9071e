"""What cannot be true is not booked, and what a store will never take holds nobody up."""

import asyncio
from dataclasses import replace

import pytest

from fairlead.budget.configuration import BudgetConfiguration, RouteTerms
from fairlead.budget.estimate import Rung
from fairlead.budget.ledger import Settlement
from fairlead.budget.price import Price
from fairlead.budget.reconciliation import Count, UsageCounterKey
from fairlead.budgetserver import descriptor
from fairlead.budgetserver.backlog import Backlog
from fairlead.budgetserver.charge import charge
from fairlead.budgetserver.memory import MemoryStore
from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.ratelimit import RateLimitService
from fairlead.budgetserver.reconciliation import UsageReconciliation, counts
from fairlead.budgetserver.store import RefusedError, Settled

PRICE = Price(input=10**6, output=10**6, cached_input=10**6)
RUNG = Rung(price=PRICE, max_output_tokens=None, context_window=1000, generates=True)
UNDECLARED = replace(RUNG, context_window=None)
KEY = UsageCounterKey(gateway="g", consumer="t/a", route="t/chat", target="p/e/m")
BOOK = BudgetConfiguration(
    fail_closed=False,
    request_bytes=1000,
    policies=(),
    consumers={},
    killed=frozenset(),
    routes={"t/chat": RouteTerms(max_output_tokens=None, downgrade_to=None, plans={"": ("p/e/m",)})},
    targets={"p/e/m": RUNG},
)


def report(inputs: int, outputs: int, reservation: str = "r") -> descriptor.Report:
    words = f"t/a r chat 100 t/chat {reservation} p/e/m false 200 - 1 500 g ; - - ; 1 {inputs} {outputs} 0 0 0 0 0"
    return descriptor.report(words)


@pytest.mark.parametrize(
    ("rung", "inputs", "outputs", "estimated"),
    [
        (RUNG, 1000, 1000, False),
        (RUNG, 1001, 1, True),
        (RUNG, 1, 1001, True),
        (RUNG, 10**12, 1, True),
        (UNDECLARED, 10**7, 10**7, False),
        (UNDECLARED, 1, 10**7 + 1, True),
        (UNDECLARED, 10**15, 10**15, True),
    ],
)
def test_a_count_above_the_context_window_is_estimated(
    rung: Rung, inputs: int, outputs: int, *, estimated: bool
) -> None:
    charged = charge(report(inputs, outputs), rung)
    assert charged.estimated is estimated
    assert charged.cost == (300 if estimated else inputs + outputs)


def test_an_output_counted_beside_no_input_is_not_missing_at_reconciliation() -> None:
    charged = charge(report(0, 7), RUNG)
    assert charged.estimated
    assert not charged.dropped  # the ledger notes the seven as reported, so they are not booked again
    assert charged.cost == 50 + 7


@pytest.mark.parametrize(("tokens", "cost"), [(2000, 2000), (2001, 0), (10**12, 0), (10**15, 0), (2**63, 0)])
def test_reconciliation_books_only_what_its_requests_can_have_used(tokens: int, cost: int) -> None:
    store, metrics = MemoryStore(), Metrics()
    service = RateLimitService(store=store, configuration=BOOK, clock=lambda: 1, metrics=metrics)
    reconciler = UsageReconciliation(sources=(), store=store, service=service, metrics=metrics)
    booking = reconciler._booking(KEY, Count(requests=2, input=tokens), 1)
    assert (booking.cost, booking.requests) == (cost, 2 if cost else 0)


@pytest.mark.parametrize("value", ["1e999", "..", "e", "1e30", "+"])
def test_a_counter_that_is_no_number_is_skipped(value: str) -> None:
    assert counts(f'envoy_fairlead_metered_requests{{gateway="g"}} {value}', gateway="g") == {}


@pytest.mark.parametrize("word", ["", "-"])
def test_an_absent_reservation_is_unchecked_in_either_spelling(word: str) -> None:
    assert not report(1, 1, word).checked


@pytest.mark.parametrize("reason", [RefusedError("too large"), OverflowError("too large")])
def test_what_no_store_will_ever_take_does_not_block_those_behind_it(reason: Exception) -> None:
    settled: list[int] = []
    metrics = Metrics()

    async def settle(item: int) -> None:
        if item == 0:
            raise reason
        settled.append(item)

    async def run() -> None:
        backlog = Backlog(settle, metrics)
        for item in range(3):
            backlog.put(item)
        assert await backlog.drain()

    asyncio.run(run())
    assert settled == [1, 2]
    assert metrics.lost._value.get() == 1


class Hanging(MemoryStore):
    """Answers nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.go = asyncio.Event(), asyncio.Event()

    async def settle(self, settlement: Settlement, metered: tuple[UsageCounterKey, Count] | None) -> Settled:
        self.asked.set()
        await self.go.wait()
        return await super().settle(settlement, metered)


def test_a_report_whose_gateway_gave_up_is_booked_when_the_store_answers() -> None:
    async def run() -> None:
        store = Hanging()
        service = RateLimitService(store=store, configuration=BOOK, clock=lambda: 1, metrics=Metrics())
        call = asyncio.create_task(service.report(report(30, 40, reservation="-")))
        await store.asked.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        store.go.set()
        await service.settled()
        assert (await store.read_usage_counters(1)).booked[KEY] == Count(requests=1, input=30, output=40)
        names = [posting.counter for posting in service.payers("t/a", ("t/chat",))]
        assert [counter.spent for counter in await store.counters(names)] == [70]

    asyncio.run(run())
