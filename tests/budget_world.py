"""A rate limit service on the memory store, with a clock of its own, and shorthand to ask it."""

import asyncio
from typing import Any

from fairlead.budget.configuration import BudgetConfiguration, RouteTerms
from fairlead.budget.estimate import Rung
from fairlead.budget.policy import Policy, Scope, Stage
from fairlead.budget.price import Price
from fairlead.budget.window import Forever, Window
from fairlead.budgetserver import descriptor
from fairlead.budgetserver.descriptor import Check, Report
from fairlead.budgetserver.memory import MemoryStore
from fairlead.budgetserver.messages import Response
from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.ratelimit import RateLimitService

HOUR = 3_600_000
BIG = Rung(
    price=Price(input=10**6, output=10**6, cached_input=10**6),
    max_output_tokens=100,
    context_window=None,
    generates=True,
)
SMALL = Rung(
    price=Price(input=10**5, output=10**5, cached_input=10**5),
    max_output_tokens=100,
    context_window=None,
    generates=True,
)


def policy(
    name: str,
    limit: int,
    *,
    scope: Scope = Scope.PER_CONSUMER,
    window: Window | None = None,
    stages: tuple[Stage, ...] = (),
    routes: frozenset[str] | None = None,
) -> Policy:
    return Policy(name=name, scope=scope, limit=limit, window=window or Forever(), stages=stages, routes=routes)


def configuration(
    *policies: Policy, consumers: dict[str, tuple[str, ...]] | None = None, killed: frozenset[str] = frozenset()
) -> BudgetConfiguration:
    names = tuple(found.name for found in policies)
    return BudgetConfiguration(
        fail_closed=False,
        request_bytes=5_000,
        policies=policies,
        consumers=consumers or {"t/a": names, "t/b": names},
        killed=killed,
        routes={
            "t/chat": RouteTerms(max_output_tokens=None, downgrade_to="t/small", plans={"": ("p/e/big", "p/e/small")}),
            "t/small": RouteTerms(max_output_tokens=None, downgrade_to=None, plans={"": ("p/e/small",)}),
        },
        targets={"p/e/big": BIG, "p/e/small": SMALL},
    )


class World:
    """A service, a clock, and shorthand."""

    def __init__(self, rules: BudgetConfiguration, store: MemoryStore | None = None) -> None:
        self.now_ms = 1_800_000_000_000
        self.metrics = Metrics()
        self.store = store or MemoryStore()
        self.service = RateLimitService(
            store=self.store, configuration=rules, clock=lambda: self.now_ms, metrics=self.metrics
        )

    def check(
        self, request: str, *, consumer: str = "t/a", body: int = 100, limit: int = 50, route: str = "t/chat"
    ) -> Any:
        answer = asyncio.run(self.service.check(asked(request, consumer=consumer, body=body, limit=limit, route=route)))
        return Response.FromString(answer)

    def report(self, request: str, **changes: str) -> None:
        asyncio.run(self.service.report(ended(request, **changes)))

    def spent(self, name: str, *, consumer: str = "t/a") -> tuple[int, int]:
        for standing in asyncio.run(self.service.standings(consumer)):
            if standing.policy.name == name:
                return standing.counter.spent, standing.counter.reserved
        raise AssertionError(name)

    def sample(self, name: str, **labels: str) -> float | None:
        self.metrics.flush()
        return self.metrics.registry.get_sample_value(name, labels)


def asked(
    request: str, *, consumer: str = "t/a", body: int | str = 100, limit: int = 50, route: str = "t/chat"
) -> Check:
    return descriptor.check(f"{consumer} {request} chat {body} {route} {limit} 1")


def ended(request: str, **changes: str) -> Report:
    words = {
        "consumer": "t/a",
        "id": request,
        "model": "chat",
        "bytes": "100",
        "route": "t/chat",
        "reservation": request,
        "target": "p/e/big",
        "input": "30",
        "output": "40",
        "usage": "1",
        "stream": "false",
        "status": "200",
        "flags": "-",
        "attempts": "1",
        "sent": "500",
        "gateway": "eu-1",
    } | changes
    usage = "-" if words["usage"] == "-" else f"{words['usage']} {words['input']} {words['output']} 0 0 0 0 0"
    return descriptor.report(" ".join(words[name] for name in descriptor.REPORT) + f" ; 50 1 ; {usage}")
