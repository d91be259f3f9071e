"""A store is away when it fails, not when it refuses: one consumer's row never takes everybody's budgets away."""

import asyncio

import pytest

from fairlead.budget.configuration import BudgetConfiguration
from fairlead.budget.ledger import Admission, Hold
from fairlead.budget.policy import Policy, Scope
from fairlead.budget.window import Forever
from fairlead.budgetserver.descriptor import Check
from fairlead.budgetserver.memory import MemoryStore
from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.ratelimit import RateLimitService
from fairlead.budgetserver.store import RefusedError, StoreError

TIMES = 5


class _Failing(MemoryStore):
    """Fails each reservation in one way."""

    def __init__(self, error: StoreError) -> None:
        super().__init__()
        self._error = error

    async def reserve(self, hold: Hold) -> Admission:  # noqa: ARG002 - as any
        raise self._error


@pytest.mark.parametrize(
    ("error", "up", "problem"),
    [(RefusedError("this row is not for you"), True, ""), (StoreError("the disk is full"), False, "the disk is full")],
)
def test_what_a_store_refuses_is_no_outage(error: StoreError, up: bool, problem: str) -> None:
    policy = Policy(name="t/p", scope=Scope.PER_CONSUMER, limit=10**9, window=Forever(), stages=(), routes=None)
    configuration = BudgetConfiguration(
        fail_closed=False,
        request_bytes=100,
        targets={},
        policies=(policy,),
        consumers={"t/a": ("t/p",)},
        routes={},
        killed=frozenset(),
    )
    service = RateLimitService(
        store=_Failing(error), configuration=configuration, clock=lambda: 1_800_000_000_000, metrics=Metrics()
    )

    async def ask() -> None:
        check = Check(consumer="t/a", id="r", model="m", body_bytes=9, route="t/r", output_limit=1, choices=1)
        for _ in range(TIMES):
            with pytest.raises(StoreError):
                await service.check(check)

    asyncio.run(ask())
    assert service.store_up is up
    assert service.outage.problem == problem
