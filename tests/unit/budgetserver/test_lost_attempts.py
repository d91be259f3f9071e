"""What a report tells of attempts without a count is booked beside its answer, whatever becomes of the call."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest

from fairlead.budget.attempt import Attempt
from fairlead.budget.belief import NOTHING_SAID, Claim
from fairlead.budget.configuration import BudgetConfiguration, RouteTerms
from fairlead.budget.estimate import Rung
from fairlead.budget.ledger import Settlement
from fairlead.budget.policy import Action, Policy, Scope, Stage
from fairlead.budget.price import Price
from fairlead.budget.reconciliation import Count, UsageCounterKey
from fairlead.budget.window import Forever
from fairlead.budgetserver import descriptor
from fairlead.budgetserver.descriptor import Report
from fairlead.budgetserver.memory import MemoryStore
from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.ratelimit import RateLimitService
from fairlead.budgetserver.store import Settled

NOW_MS = 1_800_000_000_000
DEAR, CHEAP = "p/e/dear", "p/e/cheap"


def rung(price: int) -> Rung:
    prices = Price(input=price, output=price, cached_input=price)
    return Rung(price=prices, max_output_tokens=100, context_window=None, generates=True)


def configuration() -> BudgetConfiguration:
    policy = Policy(name="t/p", scope=Scope.PER_CONSUMER, limit=10_000, window=Forever(), stages=(), routes=None)
    return BudgetConfiguration(
        fail_closed=False,
        request_bytes=5_000,
        policies=(policy,),
        consumers={"t/a": ("t/p",)},
        killed=frozenset(),
        routes={"t/chat": RouteTerms(max_output_tokens=None, downgrade_to=None, plans={"": (DEAR, CHEAP)})},
        targets={DEAR: rung(10**6), CHEAP: rung(10**5)},
    )


def ended(last: Attempt | None = None, lost: tuple[Attempt, ...] = (), **changes: object) -> Report:
    values: Mapping[str, object] = {
        "consumer": "t/a",
        "id": "r1",
        "route": "t/chat",
        "model": "chat",
        "target": CHEAP,
        "checked": True,
        "reserved": True,
        "metered": True,
        "claim": Claim(input=30, output=40),
        "stream": False,
        "body_bytes": 100,
        "sent_bytes": 500,
        "status": 200,
        "attempts": 1 + len(lost),
        "rejected": False,
        "gateway": "eu-1",
        "output_limit": 50,
    }
    return Report(last=last, lost=lost, **{**values, **changes})  # type: ignore[arg-type]


def timeout(target: str) -> Attempt:
    return Attempt(target=target, status=0, elapsed_ms=60_000)


class Desk:
    """A service that has reserved for a request."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        self.service = RateLimitService(
            store=store or MemoryStore(), configuration=configuration(), clock=lambda: NOW_MS, metrics=Metrics()
        )

    async def money(self) -> tuple[int, int, int]:
        """Spent, reserved, estimated."""
        (standing,) = await self.service.standings("t/a")
        return standing.counter.spent, standing.counter.reserved, standing.counter.estimated

    async def after(self, *reports: Report) -> tuple[int, int, int]:
        await self.service.check(descriptor.check("t/a r1 chat 100 t/chat 50 1"))
        for report in reports:
            await self.service.report(report)
        return await self.money()


UNANSWERED: dict[str, object] = {"status": 504, "metered": False, "claim": NOTHING_SAID}


@pytest.mark.parametrize(
    ("reports", "spent", "estimated"),
    [
        pytest.param([ended()], 7, 0, id="an answer"),
        pytest.param([ended(lost=(timeout(DEAR),))], 7 + 100, 100, id="a timeout before it"),
        pytest.param([ended(lost=(timeout(DEAR),))] * 2, 7 + 100, 100, id="reported twice"),
        pytest.param([ended(lost=(timeout(CHEAP),))], 7 + 10, 10, id="each by its own price"),
        pytest.param([ended(lost=(timeout(DEAR),) * 3)], 7 + 300, 300, id="more than was reserved"),
        pytest.param([ended(lost=(Attempt(target=DEAR, status=503, elapsed_ms=9),))], 7, 0, id="a refusal before it"),
        pytest.param([ended(lost=(timeout("p/e/gone"),))], 7 + 100, 100, id="a target that is gone: the dearest"),
        pytest.param([ended(timeout(DEAR), target=DEAR, **UNANSWERED)], 100, 100, id="the last one timed out"),
        pytest.param(
            [ended(timeout(DEAR), (timeout(DEAR),), target=DEAR, **UNANSWERED)], 200, 200, id="all of them timed out"
        ),
        pytest.param(
            [ended(timeout(DEAR), target=DEAR, **{**UNANSWERED, "status": 0, "sent_bytes": 0})],
            *(100, 100),
            id="the client left before the first byte",
        ),
        pytest.param(
            [ended(Attempt(target=DEAR, status=404, elapsed_ms=9), target=DEAR, **{**UNANSWERED, "status": 502})],
            *(0, 0),
            id="what the client sees is not what the provider said",
        ),
        pytest.param([ended(None, target="", **{**UNANSWERED, "status": 503})], 0, 0, id="nothing was sent"),
    ],
)
def test_what_is_booked(reports: list[Report], spent: int, estimated: int) -> None:
    assert asyncio.run(Desk().after(*reports)) == (spent, 0, estimated)


def test_after_a_downgrade_the_answer_and_what_was_lost_before_it_are_booked_on_both_routes() -> None:
    smaller = Stage(at=1, action=Action.DOWNGRADE)
    policies = tuple(
        Policy(name=name, scope=Scope.PER_CONSUMER, limit=10_000, window=Forever(), stages=(smaller,), routes=routes)
        for name, routes in (("t/chat", frozenset({"t/chat"})), ("t/every", None), ("t/small", frozenset({"t/small"})))
    )
    rules = replace(
        configuration(),
        policies=policies,
        consumers={"t/a": tuple(policy.name for policy in policies)},
        routes={
            "t/chat": RouteTerms(max_output_tokens=None, downgrade_to="t/small", plans={"": (DEAR,)}),
            "t/small": RouteTerms(max_output_tokens=None, downgrade_to=None, plans={"": (CHEAP,)}),
        },
    )

    async def run() -> dict[str, int]:
        desk = Desk()
        desk.service.use(rules)
        await desk.service.check(descriptor.check("t/a r1 chat 100 t/chat 50 1"))
        await desk.service.report(ended(target=DEAR))
        await desk.service.check(descriptor.check("t/a r2 chat 100 t/chat 50 1"))
        await desk.service.report(ended(id="r2", route="t/small", asked_routes=("t/chat",), lost=(timeout(CHEAP),)))
        return {one.policy.name: one.counter.spent for one in await desk.service.standings("t/a")}

    first, answer, lost = 70, 7, 10
    assert asyncio.run(run()) == {
        "t/chat": first + answer + lost,
        "t/every": first + answer + lost,
        "t/small": answer + lost,
    }


class SlowStore(MemoryStore):
    """Settles when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.let = asyncio.Event()

    async def settle(self, settlement: Settlement, metered: tuple[UsageCounterKey, Count] | None) -> Settled:
        await self.let.wait()
        return await super().settle(settlement, metered)


def test_a_call_that_is_cancelled_loses_neither_the_answer_nor_the_attempts() -> None:
    async def run() -> tuple[int, int, int]:
        store = SlowStore()
        desk = Desk(store)
        await desk.after()
        call = asyncio.create_task(desk.service.report(ended(lost=(timeout(DEAR),))))
        await asyncio.sleep(0)
        call.cancel()
        store.let.set()
        await desk.service.settled()
        return await desk.money()

    assert asyncio.run(run()) == (107, 0, 100)
