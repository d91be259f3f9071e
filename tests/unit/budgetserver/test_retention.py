"""Once for each configuration, and again where the store failed."""

import asyncio
from collections.abc import Sequence

import pytest

from fairlead.budget.configuration import BudgetConfiguration
from fairlead.budget.ledger import Posting
from fairlead.budget.policy import Policy, Scope
from fairlead.budget.window import Every, Forever, Window
from fairlead.budgetserver.memory import MemoryStore
from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.ratelimit import RateLimitService
from fairlead.budgetserver.retention import Retention
from fairlead.budgetserver.store import KEEP_MS, StoreError

HOUR = 3_600_000
NOW = 1_800_000_000_000


class Recording(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.kept: list[dict[str, int | None]] = []
        self.away = False

    async def keep(self, postings: Sequence[Posting], now_ms: int) -> None:
        if self.away:
            raise StoreError("away")
        assert now_ms == NOW
        self.kept.append({posting.counter: posting.keep_ms for posting in postings})


def policy(name: str, window: Window, scope: Scope = Scope.PER_CONSUMER) -> Policy:
    return Policy(name=name, scope=scope, limit=1, window=window, stages=(), routes=None)


def configuration(*policies: Policy, consumers: tuple[str, ...] = ("t/a", "t/b")) -> BudgetConfiguration:
    names = tuple(sorted(found.name for found in policies))
    return BudgetConfiguration(
        fail_closed=False,
        request_bytes=1,
        policies=policies,
        consumers=dict.fromkeys(consumers, names),
        killed=frozenset(),
        routes={},
        targets={},
    )


def made(store: Recording, rules: BudgetConfiguration) -> tuple[RateLimitService, Retention]:
    service = RateLimitService(store=store, configuration=rules, clock=lambda: NOW, metrics=Metrics())
    return service, Retention(service, store)


def test_counters_of_all_windows_that_run_are_kept_once_for_each_configuration() -> None:
    store = Recording()
    hourly = policy("t/hour", Every(length_ms=HOUR))
    service, retention = made(store, configuration(hourly, policy("t/all", Forever(), Scope.SHARED)))
    asyncio.run(retention.once())
    asyncio.run(retention.once())
    left = HOUR - NOW % HOUR + KEEP_MS
    start = NOW - NOW % HOUR
    assert store.kept == [{f"t/hour|t/a|{start}": left, f"t/hour|t/b|{start}": left, "t/all|*|0": None}]
    service.use(configuration(policy("t/hour", Every(length_ms=100 * HOUR, anchor_ms=start))))
    asyncio.run(retention.once())
    assert store.kept[1] == dict.fromkeys(
        [f"t/hour|t/a|{start}", f"t/hour|t/b|{start}"], 100 * HOUR - NOW % HOUR + KEEP_MS
    )


def test_a_store_that_was_away_is_asked_again() -> None:
    store = Recording()
    _, retention = made(store, configuration(policy("t/hour", Every(length_ms=HOUR))))
    store.away = True
    with pytest.raises(StoreError):
        asyncio.run(retention.once())
    store.away = False
    asyncio.run(retention.once())
    assert len(store.kept) == 1


def test_many_counters_are_kept_in_many_steps() -> None:
    store = Recording()
    everybody = tuple(f"t/c{number}" for number in range(1_200))
    _, retention = made(store, configuration(policy("t/hour", Every(length_ms=HOUR)), consumers=everybody))
    asyncio.run(retention.once())
    assert [len(kept) for kept in store.kept] == [500, 500, 200]
