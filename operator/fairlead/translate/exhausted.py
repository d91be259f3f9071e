"""Which consumers are at the end of a budget, written into the gateway that its files are made from.

As with the health of endpoints, the declared gateway does not change: reports, budgets and status know nothing of it.
"""

from collections.abc import Mapping
from dataclasses import replace

from fairlead.budget.configuration import BudgetConfiguration
from fairlead.budget.exhaustion import Exhaustions
from fairlead.budget.policy import SHARED
from fairlead.ir import Ending, Gateway

_SECOND_MS = 1000


def endings(exhaustions: Exhaustions, configuration: BudgetConfiguration) -> Mapping[str, tuple[Ending, ...]]:
    """Return where each consumer is at its end, by the policies of now; one that has another limit says nothing."""
    ends: dict[str, frozenset[Ending]] = {}
    for name, exhaustion in exhaustions.items():
        policy = configuration.policy(name)
        if policy is not None and policy.limit == exhaustion.limit:
            until_s = 0 if exhaustion.end_ms is None else -(-exhaustion.end_ms // _SECOND_MS)
            routes = ("",) if policy.routes is None else policy.routes
            ends[name] = frozenset(Ending(route=route, until_s=until_s) for route in routes)
    found = {
        consumer: {
            ending
            for name in policies
            if name in ends and not exhaustions[name].consumers.isdisjoint((consumer, SHARED))
            for ending in ends[name]
        }
        for consumer, policies in (configuration.consumers.items() if ends else ())
    }
    return {consumer: tuple(sorted(own)) for consumer, own in found.items() if own}


def with_endings(gateway: Gateway, ended: Mapping[str, tuple[Ending, ...]]) -> Gateway:
    """Note at each consumer where it is at its end."""
    if not ended:
        return gateway
    consumers = tuple(
        replace(consumer, endings=ended[consumer.name]) if consumer.name in ended else consumer
        for consumer in gateway.consumers
    )
    return replace(gateway, consumers=consumers)
