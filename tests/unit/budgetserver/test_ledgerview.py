"""What gauges show of budgets, and what `fairlead budgets` does."""

import asyncio
from typing import Any

import pytest

from fairlead.budget.configuration import BudgetConfiguration
from fairlead.budget.ledger import Posting, Settlement
from fairlead.budget.policy import Action, Policy, Scope, Stage
from fairlead.budget.price import USD
from fairlead.budget.window import Forever
from fairlead.budgetserver.ledgerview import overview, refresh
from fairlead.budgetserver.memory import MemoryStore
from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.ratelimit import RateLimitService

NAME = "team/agents"


MUCH = 2**53 + 1
"""Nano-dollars: nine million dollars and a last one, which no float has."""


def test_dollars_are_exact_as_strings_beside_the_numbers() -> None:
    policy = Policy(name=NAME, scope=Scope.PER_CONSUMER, limit=MUCH + 2, window=Forever(), stages=(), routes=None)
    book = BudgetConfiguration(
        fail_closed=False,
        request_bytes=1,
        policies=(policy,),
        consumers={"team/a": (NAME,), "team/b": (NAME,), "team/c": ()},
        killed=frozenset(),
        routes={},
        targets={},
    )

    async def run() -> dict[str, Any]:
        store = MemoryStore()
        service = RateLimitService(store=store, configuration=book, clock=lambda: 1_000, metrics=Metrics())
        for payer, cost in (("team/a", MUCH - 1), ("team/b", MUCH), ("team/c", 1)):
            postings = service.payers(payer, ("team/chat",))
            one = Settlement(request=payer, payer=payer, cost=cost, estimated=True, postings=postings, now_ms=1_000)
            await store.settle(one, None)
        return await overview(service)

    found = asyncio.run(run())
    (told,) = found["policies"]
    assert (told["limit"], told["limitUSD"]) == (9007199.254740994, "9007199.254740995")
    assert [one["consumer"] for one in told["consumers"]] == ["team/b", "team/a"], "by the amounts, not by the numbers"
    assert [one["spentUSD"] for one in told["consumers"]] == ["9007199.254740993", "9007199.254740992"]
    assert {name: told["consumers"][0][f"{name}USD"] for name in ("estimated", "reserved", "remaining")} == {
        "estimated": "9007199.254740993",
        "reserved": "0.00",
        "remaining": "0.000000002",
    }
    assert found["unbudgeted"] == [{"consumer": "team/c", "spent": 1e-09, "spentUSD": "0.000000001"}]


def shown(spent: int) -> list[str]:
    policy = Policy(
        name=NAME,
        scope=Scope.PER_CONSUMER,
        limit=USD,
        window=Forever(),
        stages=(Stage(at=8_000, action=Action.NOTIFY), Stage(at=9_000, action=Action.DOWNGRADE)),
        routes=None,
    )
    configuration = BudgetConfiguration(
        fail_closed=False,
        request_bytes=1,
        policies=(policy,),
        consumers={"team/a": (NAME,), "team/b": (NAME,)},
        killed=frozenset(),
        routes={},
        targets={},
    )

    async def run() -> Metrics:
        store, metrics = MemoryStore(), Metrics()
        service = RateLimitService(store=store, configuration=configuration, clock=lambda: 1_000, metrics=metrics)
        await refresh(service, metrics)  # what was shown before is gone after the next
        posting = Posting(
            counter=service.payers("team/a", ("team/chat",))[0].counter, cap=None, downgrade_at=None, keep_ms=None
        )
        await store.settle(
            Settlement(request="1", payer="team/a", cost=spent, estimated=False, postings=(posting,), now_ms=1_000),
            None,
        )
        await refresh(service, metrics)
        return metrics

    lines = asyncio.run(run()).text().decode().splitlines()
    return [line for line in lines if line.startswith(("fairlead_budget_stage{", "fairlead_budget_spent_usd{"))]


@pytest.mark.parametrize(
    ("spent", "action"),
    [
        pytest.param(USD * 8 // 10 - 1, None, id="just below the first stage"),
        pytest.param(USD * 8 // 10, "Notify", id="at it"),
        pytest.param(USD * 9 // 10, "Downgrade", id="the last stage that is reached, not each"),
        pytest.param(USD, "Reject", id="the implied one"),
    ],
)
def test_the_stage_of_each_consumer(spent: int, action: str | None) -> None:
    stages = [line for line in shown(spent) if "stage" in line]
    wanted = f'fairlead_budget_stage{{action="{action}",consumer="team/a",policy="{NAME}"}} 1.0'
    assert stages == ([] if action is None else [wanted])


def test_what_is_spent() -> None:
    assert f'fairlead_budget_spent_usd{{consumer="team/b",policy="{NAME}"}} 0.0' in shown(USD)
    assert f'fairlead_budget_spent_usd{{consumer="team/a",policy="{NAME}"}} 1.0' in shown(USD)
