"""All budgets at a glance: for `fairlead budgets`, for status, and for the gauges.

One read of all counters that run, never more often than somebody asks or the gauges are refreshed.
"""

from typing import Any

from fairlead.budget import spend
from fairlead.budget.admission import Standing
from fairlead.budget.configuration import BudgetConfiguration
from fairlead.budget.ledger import Counter
from fairlead.budget.policy import SHARED, Policy, Scope, counter, unbudgeted
from fairlead.budget.usage import dollars, moment
from fairlead.budget.window import span
from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.ratelimit import RateLimitService
from fairlead.budgetserver.store import StoreError


async def standings(service: RateLimitService) -> list[tuple[str, Standing]]:
    """Return (consumer, standing) of every counter that a policy runs now; the consumer of a shared one is `*`."""
    now_ms = service.now_ms()
    pairs = [
        (who, policy, span(policy.window, now_ms))
        for policy in service.configuration.policies
        for who in spenders(service.configuration, policy)
    ]
    counters = await service.counters([counter(policy, who, window) for who, policy, window in pairs])
    return [
        (who, Standing(policy=policy, span=window, counter=found))
        for (who, policy, window), found in zip(pairs, counters, strict=True)
    ]


def spenders(configuration: BudgetConfiguration, policy: Policy) -> list[str]:
    """Return who has a counter of a policy."""
    if policy.scope is Scope.SHARED:
        return [SHARED]
    return sorted(consumer for consumer, names in configuration.consumers.items() if policy.name in names)


async def unmatched(service: RateLimitService) -> list[tuple[str, Counter]]:
    """Return the consumers that no policy matches, with what they spent this month."""
    now_ms = service.now_ms()
    consumers = sorted(consumer for consumer, names in service.configuration.consumers.items() if not names)
    counters = await service.counters([unbudgeted(consumer, now_ms)[0] for consumer in consumers])
    return list(zip(consumers, counters, strict=True))


async def overview(service: RateLimitService) -> dict[str, Any]:
    """Return the document of `/v1/budgets`."""
    policies: dict[str, dict[str, Any]] = {}
    for who, standing in await standings(service):
        policy, window = standing.policy, standing.span
        stage = policy.reached(standing.counter.spent)
        entry = policies.setdefault(
            policy.name,
            {
                "name": policy.name,
                "scope": policy.scope.value,
                "limit": dollars(policy.limit),
                "window_started_at": None if window.end_ms is None else moment(window.start_ms),
                "resets_at": None if window.end_ms is None else moment(window.end_ms),
                "consumers": [],
            },
        )
        entry["consumers"].append(
            {
                "consumer": who,
                "spent": dollars(standing.counter.spent),
                "estimated": dollars(standing.counter.estimated),
                "reserved": dollars(standing.counter.reserved),
                "remaining": dollars(standing.remaining),
                "stage": None if stage is None else stage.action.value,
            }
        )
    for entry in policies.values():
        entry["consumers"].sort(key=lambda consumer: (-consumer["spent"], consumer["consumer"]))
    return {
        "object": "budgets",
        "policies": [policies[name] for name in sorted(policies)],
        "unbudgeted": [
            {"consumer": consumer, "spent": dollars(found.spent)} for consumer, found in await unmatched(service)
        ],
        "killed": sorted(service.configuration.killed),
    }


async def told(service: RateLimitService, configuration: str) -> dict[str, Any]:
    """Return the document of `/v1/spend`: for the operator, also while the store is away."""
    try:
        found = await standings(service) if service.store_up else None
    except StoreError:
        found = None
    refused = service.refusals.of
    accounts = () if found is None else spend.accounts(service.configuration.policies, found, service.now_ms(), refused)
    return spend.document(
        spend.SpendSnapshot(configuration=configuration, store_up=found is not None, accounts=accounts)
    )


async def refresh(service: RateLimitService, metrics: Metrics) -> None:
    """Set the gauges of what is spent, what may be, and which stage that is."""
    found = await standings(service)
    metrics.spent_now.clear()
    metrics.limit.clear()
    metrics.stage.clear()
    for policy in service.configuration.policies:
        metrics.limit.labels(policy.name).set(dollars(policy.limit))
    for who, standing in found:
        metrics.spent_now.labels(standing.policy.name, who).set(dollars(standing.counter.spent))
        stage = standing.policy.reached(standing.counter.spent)
        if stage is not None:
            metrics.stage.labels(standing.policy.name, who, stage.action.value).set(1)
