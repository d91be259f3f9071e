"""translate(): decoded objects in; one `ir.Gateway` per region and one report per object out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from fairlead import ir
from fairlead.api.budget import BudgetPolicy
from fairlead.api.consumer import ModelConsumer
from fairlead.api.installation import AnonymousPolicy, Installation
from fairlead.api.meta import ObjectKey
from fairlead.api.pending import pending
from fairlead.api.problem import Problem
from fairlead.api.provider import ModelProvider
from fairlead.api.resource import Resource
from fairlead.api.route import ModelRoute
from fairlead.budget.book import Book
from fairlead.translate.audience import Caller
from fairlead.translate.book import book
from fairlead.translate.budgets import Budget, budget
from fairlead.translate.consumers import ANONYMOUS, Consumer, KeyBinding, bindings, consumer
from fairlead.translate.finding import Findings, Resolved, Served, Versions, resolve
from fairlead.translate.gateways import Fleet, fleet
from fairlead.translate.providers import provider
from fairlead.translate.report import Report, report
from fairlead.translate.routes import Route, route
from fairlead.translate.verdicts import judge
from fairlead.translate.world import World
from fairlead.translate.written import Written

V = TypeVar("V")
R = TypeVar("R", bound=Resource)


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """Everything that users wrote, by kind, in any order, each object once."""

    providers: tuple[Versions[ModelProvider], ...] = ()
    routes: tuple[Versions[ModelRoute], ...] = ()
    consumers: tuple[Versions[ModelConsumer], ...] = ()
    budgets: tuple[Versions[BudgetPolicy], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """What the objects mean."""

    gateways: tuple[ir.Gateway, ...]
    """Those that run here, in the installation's order."""
    reports: tuple[Report, ...]
    """Sorted by key."""
    key_bindings: tuple[KeyBinding, ...]
    chosen: Mapping[ObjectKey, Served]
    """The version that each object stands by. A report says NOTHING where a good version lost all that it wanted."""
    book: Book
    """What the budget server decides by."""


def anonymous_of(installation: Installation) -> str | None:
    """Return the name of the consumer that callers without a key are; without a choice they are refused."""
    return ANONYMOUS if installation.anonymous is AnonymousPolicy.ALLOW else None


def translate(
    objects: Objects, installation: Installation, world: World, *, killed: frozenset[str] = frozenset()
) -> Translation:
    """Follow all references. Pure and total: whatever is wrong with an object is said in its report.

    `killed` are consumers, `namespace/name`, that a person has stopped.
    """
    providers = {
        versions.key: resolve(versions, lambda written, findings: provider(written, world, findings))
        for versions in _sorted(objects.providers)
    }
    by_name = {p.name: p for p in (_value(r) for r in providers.values()) if p is not None}
    routes = {
        versions.key: resolve(versions, lambda written, findings: route(written, world, by_name, findings))
        for versions in _sorted(objects.routes)
    }
    consumers = {
        versions.key: resolve(versions, lambda written, findings: consumer(written, world, findings))
        for versions in _sorted(objects.consumers)
    }
    standing = [r for r in (_standing(resolved) for resolved in routes.values()) if r is not None]
    calling = [c for c in (_value(resolved) for resolved in consumers.values()) if c is not None]
    callers = _with_anonymous(calling, world)
    written = Written(
        routes=frozenset(f"{key.namespace}/{key.name}" for key in routes),
        consumers=frozenset(f"{key.namespace}/{key.name}" for key in consumers),
    )
    policies = {
        versions.key: resolve(versions, lambda policy, findings: budget(policy, world, written, findings))
        for versions in _sorted(objects.budgets)
    }
    budgets: list[Budget] = [b for b in (_value(resolved) for resolved in policies.values()) if b is not None]
    made = fleet(
        installation=installation,
        world=world,
        providers=by_name,
        routes=standing,
        consumers=callers,
        budgeted=bool(budgets or killed),
    )
    serving = {route.name: route for route in standing}
    for resolved in routes.values():
        _judge(resolved, made, serving, written)
    key_bindings = bindings(consumers.values(), world)
    current = {v.key: v.current for v in _all(objects)}
    idle = _idle(standing, made)
    every: dict[ObjectKey, Resolved[Any]] = {**providers, **routes, **consumers, **policies}
    return Translation(
        gateways=made.gateways,
        reports=tuple(
            report(
                every[key] if key not in idle else replace(every[key], served=Served.NOTHING),
                _pending(current[key], world),
            )
            for key in sorted(every)
        ),
        key_bindings=key_bindings,
        chosen={key: resolved.served for key, resolved in every.items()},
        book=book(
            installation=installation,
            world=world,
            gateways=made.gateways,
            providers=by_name,
            consumers=callers,
            budgets=budgets,
            killed=killed,
        ),
    )


def _judge(resolved: Resolved[Route], made: Fleet, serving: Mapping[str, Route], written: Written) -> None:
    """Say what a route loses to others; of a last good version as warnings, since the fields are not today's."""
    route = _value(resolved)
    if route is None:
        return
    current = resolved.served is Served.CURRENT
    findings = resolved.findings if current else Findings()
    judge(
        route,
        outcome=made.outcome,
        presences=made.presences[route.name],
        routes=serving,
        written=written,
        findings=findings,
    )
    if not current:
        said = [*(str(finding.problem) for finding in findings.findings), *findings.warnings]
        resolved.findings.warnings.extend(f"last good version: {text}" for text in said)


def _sorted(versions: Iterable[Versions[R]]) -> list[Versions[R]]:
    return sorted(versions, key=lambda one: one.key)


def _all(objects: Objects) -> Iterable[Versions[Any]]:
    return (*objects.providers, *objects.routes, *objects.consumers, *objects.budgets)


def _value(resolved: Resolved[V]) -> V | None:
    return None if resolved.served is Served.NOTHING else resolved.value


def _standing(resolved: Resolved[Route]) -> Route | None:
    """Return a route that serves, or one that has served and still owns its names."""
    return resolved.value if resolved.served is not Served.NOTHING or resolved.known else None


def _idle(routes: Iterable[Route], made: Fleet) -> frozenset[ObjectKey]:
    """Return routes that might enter a gateway that runs here, and answer nothing at any."""
    answering = {route.name for gateway in made.gateways for route in gateway.routes}
    return frozenset(r.key for r in routes if made.presences[r.name] and r.name not in answering)


def _with_anonymous(consumers: list[Consumer], world: World) -> list[Consumer]:
    """Add the consumer that callers without a key are, unless an object says more about it."""
    if world.anonymous is None or any(
        (c.caller.namespace, c.caller.name) == (world.home, world.anonymous) for c in consumers
    ):
        return consumers
    caller = Caller(namespace=world.home, name=world.anonymous, labels={})
    key = ObjectKey("ModelConsumer", world.home, world.anonymous)
    return [*consumers, Consumer(key=key, caller=caller, keys=(), allowed_model_names=None, expires_at=None)]


def _pending(written: Resource | None, world: World) -> tuple[Problem, ...]:
    """Return what the current version says without effect; nothing where it cannot be decoded."""
    if isinstance(written, BudgetPolicy) and not world.budget_server:
        return (Problem("spec", "not enforced: gateways have no budget server to ask"),)
    return () if written is None else pending(written)
