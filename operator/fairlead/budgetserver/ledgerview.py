"""All budgets at a glance: for `fairlead budgets`, for status, and for the gauges.

One read of all counters that run, never more often than somebody asks or the gauges are refreshed.
"""

from typing import Any

from fairlead.budget import baseline, cached, spend
from fairlead.budget.admission import Standing
from fairlead.budget.baseline import SavingsAccount
from fairlead.budget.cached import CacheAccount
from fairlead.budget.configuration import BudgetConfiguration
from fairlead.budget.ledger import Counter
from fairlead.budget.policy import SHARED, Policy, Scope, counter, unbudgeted
from fairlead.budget.shadow import ShadowAccount, shown
from fairlead.budget.unpriced import unpriced, used
from fairlead.budget.usage import amounts, dollars, moment
from fairlead.budget.window import span
from fairlead.budgetserver.answer import exact
from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.ratelimit import RateLimitService
from fairlead.budgetserver.store import StoreError
from fairlead.ir import word


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
    """Return the consumers that no policy matches, with what they spent this month; others, where none counted some."""
    now_ms = service.now_ms()
    named = sorted(service.configuration.consumers.items())
    counters = await service.counters([unbudgeted(consumer, now_ms)[0] for consumer, _ in named])
    return [
        (consumer, found) for (consumer, names), found in zip(named, counters, strict=True) if found.spent or not names
    ]


async def shadowed(service: RateLimitService) -> list[ShadowAccount]:
    """Return what the copies of each route that has a shadow cost this month, by target."""
    now_ms = service.now_ms()
    pairs = [
        (route, target, shown(route, target, now_ms))
        for route, terms in sorted(service.configuration.routes.items())
        if terms.shadow is not None
        for target in terms.shadow.targets
    ]
    found = await service.counters([counter.name for _, _, counter in pairs])
    return [
        ShadowAccount(route=route, target=target, spent=counted.spent, since_ms=counter.window.start_ms)
        for (route, target, counter), counted in zip(pairs, found, strict=True)
    ]


async def saved(service: RateLimitService) -> list[SavingsAccount]:
    """Return what each route that has a baseline cost this month, and what it would have cost there."""
    now_ms = service.now_ms()
    found = [
        (route, terms.baseline, baseline.counters(route, terms.baseline, now_ms))
        for route, terms in sorted(service.configuration.routes.items())
        if terms.baseline is not None
    ]
    spent = await service.counters([one.spent for _, _, one in found])
    there = await service.counters([one.baseline for _, _, one in found])
    return [
        SavingsAccount(
            route=route,
            baseline=target,
            spent=of_route.spent,
            cost_there=of_baseline.spent,
            estimated=of_route.estimated,
            since_ms=one.window.start_ms,
        )
        for (route, target, one), of_route, of_baseline in zip(found, spent, there, strict=True)
    ]


async def kept(service: RateLimitService) -> list[CacheAccount]:
    """Return what the kept answers of each route that keeps some did this month."""
    now_ms = service.now_ms()
    found = [
        (route, cached.counters(route, now_ms))
        for route, terms in sorted(service.configuration.routes.items())
        if terms.cached
    ]
    names = [name for _, one in found for name in (one.requests, one.hits, one.saved)]
    counted = iter(await service.counters(names))
    return [
        CacheAccount(
            route=route,
            requests=requests.spent,
            hits=hits.spent,
            saved=saved.spent,
            estimated=saved.estimated,
            since_ms=one.window.start_ms,
        )
        for (route, one), requests, hits, saved in zip(found, counted, counted, counted, strict=True)
    ]


async def in_flight(service: RateLimitService) -> list[tuple[str, int, int]]:
    """Return (consumer, requests under way, the most that it may have) of each that has such a limit."""
    limits = sorted(service.configuration.in_flight.items())
    found = await service.in_flight([consumer for consumer, _ in limits])
    return [(consumer, under_way, most) for (consumer, most), under_way in zip(limits, found, strict=True)]


async def overview(service: RateLimitService) -> dict[str, Any]:
    """Return the document of `/v1/budgets`."""
    policies: dict[str, dict[str, Any]] = {}
    found = await standings(service)
    for who, standing in sorted(found, key=lambda one: (-one[1].counter.spent, one[0])):
        policy, window = standing.policy, standing.span
        stage = policy.reached(standing.counter.spent)
        entry = policies.setdefault(
            policy.name,
            {
                "name": policy.name,
                "scope": policy.scope.value,
                **amounts(limit=policy.limit),
                "window_started_at": None if window.end_ms is None else moment(window.start_ms),
                "resets_at": None if window.end_ms is None else moment(window.end_ms),
                "consumers": [],
            },
        )
        entry["consumers"].append(
            {
                "consumer": who,
                **amounts(
                    spent=standing.counter.spent,
                    estimated=standing.counter.estimated,
                    reserved=standing.counter.reserved,
                    remaining=standing.remaining,
                ),
                "stage": None if stage is None else stage.action.value,
            }
        )
    configuration = service.configuration
    return {
        "object": "budgets",
        "policies": [policies[name] for name in sorted(policies)],
        "unbudgeted": [
            {"consumer": consumer, **amounts(spent=counter.spent)} for consumer, counter in await unmatched(service)
        ],
        "in_flight": [
            {"consumer": consumer, "in_flight": under_way, "most": most}
            for consumer, under_way, most in await in_flight(service)
        ],
        "unpriced": [word.decode(target) for target in used(unpriced(configuration), configuration)],
        "killed": sorted(service.configuration.killed),
        "shadow": [
            {
                "route": one.route,
                "target": word.decode(one.target),
                "spentUSD": exact(one.spent),
                "since": moment(one.since_ms),
            }
            for one in await shadowed(service)
        ],
        "savings": [
            {
                "route": one.route,
                "baseline": word.decode(one.baseline),
                **baseline.told(spent=one.spent, cost_there=one.cost_there, estimated=one.estimated),
                "since": moment(one.since_ms),
            }
            for one in await saved(service)
        ],
        "caches": [
            {
                "route": one.route,
                **cached.told(requests=one.requests, hits=one.hits, saved=one.saved, estimated=one.estimated),
                "since": moment(one.since_ms),
            }
            for one in await kept(service)
        ],
    }


async def told(service: RateLimitService, configuration: str) -> dict[str, Any]:
    """Return the document of `/v1/spend`: for the operator, also while the store is away."""
    try:
        found = await standings(service) if service.store_up else None
        shadows = () if found is None else tuple(await shadowed(service))
        savings = () if found is None else tuple(await saved(service))
        caches = () if found is None else tuple(await kept(service))
    except StoreError:
        found, shadows, savings, caches = None, (), (), ()
    policies, named = service.configuration.policies, (service.refusals.of, service.refusals.at_end)
    accounts = () if found is None else spend.accounts(policies, found, service.now_ms(), *named)
    return spend.document(
        spend.SpendSnapshot(
            configuration=configuration,
            store_up=found is not None,
            accounts=accounts,
            shadows=shadows,
            savings=savings,
            caches=caches,
        )
    )


async def refresh(service: RateLimitService, metrics: Metrics) -> None:
    """Set the gauges of what is spent, what may be, and which stage that is."""
    found = await standings(service)
    metrics.spent_now.clear()
    metrics.limit.clear()
    metrics.stage.clear()
    metrics.saved.clear()
    metrics.in_flight.clear()
    metrics.most_in_flight.clear()
    for consumer, under_way, most in await in_flight(service):
        metrics.in_flight.labels(consumer).set(under_way)
        metrics.most_in_flight.labels(consumer).set(most)
    for one in await saved(service):
        metrics.saved.labels(one.route, word.decode(one.baseline)).set(dollars(one.cost_there - one.spent))
    for policy in service.configuration.policies:
        metrics.limit.labels(policy.name).set(dollars(policy.limit))
    for who, standing in found:
        metrics.spent_now.labels(standing.policy.name, who).set(dollars(standing.counter.spent))
        stage = standing.policy.reached(standing.counter.spent)
        if stage is not None:
            metrics.stage.labels(standing.policy.name, who, stage.action.value).set(1)
