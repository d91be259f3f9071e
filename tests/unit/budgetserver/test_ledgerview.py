"""What gauges show of budgets."""

import asyncio

import pytest

from fairlead.budget.configuration import BudgetConfiguration
from fairlead.budget.ledger import Posting, Settlement
from fairlead.budget.policy import Action, Policy, Scope, Stage
from fairlead.budget.price import USD
from fairlead.budget.window import Forever
from fairlead.budgetserver.ledgerview import refresh
from fairlead.budgetserver.memory import MemoryStore
from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.ratelimit import RateLimitService

NAME = "team/agents"


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
