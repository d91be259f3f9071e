"""translate(): decoded objects in; one `ir.Gateway` per region and one report per object out."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from fairlead import ir
from fairlead.api.budget import BudgetPolicy
from fairlead.api.consumer import ModelConsumer
from fairlead.api.installation import AnonymousPolicy, Installation
from fairlead.api.meta import ObjectKey
from fairlead.api.problem import Problem
from fairlead.api.provider import ModelProvider
from fairlead.api.resource import Resource
from fairlead.api.route import FeedbackPolicy, ModelRoute
from fairlead.api.route_cache import CacheStore
from fairlead.budget.configuration import BudgetConfiguration
from fairlead.memo import Itself, Memo
from fairlead.rollout.plan import Plan
from fairlead.translate.audience import Caller
from fairlead.translate.budget_configuration import configuration
from fairlead.translate.budgets import Budget, bounds, budget
from fairlead.translate.consumers import ANONYMOUS, Consumer, KeyBinding, bindings, consumer
from fairlead.translate.diagnostics import Diagnostics, Resolved, Served, Versions, resolve
from fairlead.translate.endpoints import DeclaredEndpoint, declared_endpoints
from fairlead.translate.gateways import Fleet, fleet
from fairlead.translate.known_names import KnownNames
from fairlead.translate.providers import Provider, provider
from fairlead.translate.references import References
from fairlead.translate.report import Report, report
from fairlead.translate.route_diagnostics import judge
from fairlead.translate.routes import Route, route
from fairlead.translate.unpriced import judge_prices

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
    configuration: BudgetConfiguration
    """What the budget server decides by."""
    endpoints: tuple[DeclaredEndpoint, ...]
    """Of all providers that count, sorted by name."""
    rollouts: Mapping[str, Plan]
    """By route, `namespace/name`, what is asked of the rollout machine; none of wildcard routes."""


def anonymous_of(installation: Installation) -> str | None:
    """Return the name of the consumer that callers without a key are; without a candidate they are refused."""
    return ANONYMOUS if installation.anonymous is AnonymousPolicy.ALLOW else None


def translate(objects: Objects, installation: Installation, references: References, memo: Memo) -> Translation:
    """Follow all references. Pure and total: whatever is wrong with an object is said in its report."""
    around = memo.of("around", (installation, *references.around), object)
    providers = {
        versions.key: resolve(versions, _providing_as(versions, references, around, memo))
        for versions in _sorted(objects.providers)
    }
    found = {p.name: p for p in (_value(r) for r in providers.values()) if p is not None}
    by_name = memo.of("providers", tuple(map(Itself, found.values())), lambda: found)
    routes = {
        versions.key: resolve(versions, _routing_as(versions, references, by_name, around, memo))
        for versions in _sorted(objects.routes)
    }
    consumers = {
        versions.key: resolve(versions, lambda written, diagnostics: consumer(written, references, diagnostics))
        for versions in _sorted(objects.consumers)
    }
    standing = [r for r in (_standing(resolved) for resolved in routes.values()) if r is not None]
    calling = [c for c in (_value(resolved) for resolved in consumers.values()) if c is not None]
    callers = _with_anonymous(calling, references)
    written = KnownNames(
        routes=frozenset(f"{key.namespace}/{key.name}" for key in routes),
        # Callers without a key are somebody whom policies and routes may name, whether or not an object says more.
        consumers=frozenset(f"{key.namespace}/{key.name}" for key in (*consumers, *(one.key for one in callers))),
    )
    policies = {
        versions.key: resolve(versions, _counting_on(versions, references, written))
        for versions in _sorted(objects.budgets)
    }
    budgets: list[Budget] = [b for b in (_value(resolved) for resolved in policies.values()) if b is not None]
    bound = bounds(budgets, [consumer.caller for consumer in callers], references)
    made = fleet(
        installation=installation,
        references=references,
        providers=by_name,
        routes=standing,
        consumers=callers,
        bounds=bound,
        memo=memo,
    )
    serving = {route.name: route for route in standing}
    for resolved in routes.values():
        _judge(resolved, made, serving, written)
    counted = configuration(
        installation=installation,
        gateways=made.gateways,
        providers=by_name,
        bounds=bound,
        shadows={one.name: one.shadow.limit for one in standing if one.shadow is not None},
        baselines={one.name: one.baseline for one in standing if one.baseline is not None},
        consumers=callers,
    )
    judge_prices(_with_diagnostics(policies.values()), tuple(_with_diagnostics(routes.values())), references, counted)
    key_bindings = bindings(consumers.values(), references)
    current = {v.key: v.current for v in _all(objects)}
    idle = _idle(standing, made)
    every: dict[ObjectKey, Resolved[Any]] = {**providers, **routes, **consumers, **policies}
    return Translation(
        gateways=tuple(_with_terms(gateway, counted) for gateway in made.gateways),
        reports=tuple(
            report(
                every[key] if key not in idle else replace(every[key], served=Served.NOTHING),
                _pending(current[key], references),
            )
            for key in sorted(every)
        ),
        key_bindings=key_bindings,
        chosen={key: resolved.served for key, resolved in every.items()},
        configuration=counted,
        endpoints=declared_endpoints(by_name.values(), made.gateways, references),
        rollouts={one.name: one.rollout for one in standing if one.rollout is not None},
    )


def _with_terms(gateway: ir.Gateway, counted: BudgetConfiguration) -> ir.Gateway:
    """Name what the budget server reserves by, where somebody asks it."""
    budget = gateway.budget
    if budget is None or not budget.asked or budget.only_told:
        return gateway
    return replace(gateway, budget=replace(budget, terms=counted.terms))


def _providing_as(
    versions: Versions[ModelProvider], references: References, around: object, memo: Memo
) -> Callable[[ModelProvider, Diagnostics], Provider | None]:
    """Return the meaning of a provider's versions; a value that is equal to the one before is that one."""

    def meaning(written: ModelProvider, diagnostics: Diagnostics) -> Provider | None:
        made = provider(written, references, diagnostics)
        name = "provider", versions.key, written is versions.current
        return memo.of(name, (Itself(written), made, around), lambda: made)

    return meaning


def _routing_as(
    versions: Versions[ModelRoute],
    references: References,
    providers: Mapping[str, Provider],
    around: object,
    memo: Memo,
) -> Callable[[ModelRoute, Diagnostics], Route | None]:
    """Return the meaning of a route's versions: none may count its shadow otherwise than the one that served last.

    `around` stands for what of the references routes depend on, rollouts aside.
    """
    before = None if versions.last_good is None else versions.last_good()
    shares = references.rollouts.get(f"{versions.key.namespace}/{versions.key.name}")

    def meaning(written: ModelRoute, diagnostics: Diagnostics) -> Route | None:
        def make() -> tuple[Route | None, Diagnostics]:
            said = Diagnostics()
            return route(written, references, providers, said, before), said

        name = "route", versions.key, written is versions.current
        value, said = memo.of(name, (Itself(written), Itself(before), Itself(providers), around, shares), make)
        diagnostics.take(said)
        return value

    return meaning


def _counting_on(
    versions: Versions[BudgetPolicy], references: References, written: KnownNames
) -> Callable[[BudgetPolicy, Diagnostics], Budget | None]:
    """Return the meaning of a policy's versions: none may count otherwise than the one that served last."""
    before = None if versions.last_good is None else versions.last_good()
    return lambda policy, diagnostics: budget(policy, references, written, diagnostics, before)


def _judge(resolved: Resolved[Route], made: Fleet, serving: Mapping[str, Route], written: KnownNames) -> None:
    """Say what a route loses to others; of a last good version as warnings, since the fields are not today's."""
    route = _value(resolved)
    if route is None:
        return
    current = resolved.served is Served.CURRENT
    diagnostics = resolved.diagnostics if current else Diagnostics()
    judge(
        route,
        outcome=made.outcome,
        presences=made.presences[route.name],
        routes=serving,
        written=written,
        diagnostics=diagnostics,
    )
    if not current:
        said = [*(str(diagnostic.problem) for diagnostic in diagnostics.diagnostics), *diagnostics.warnings]
        resolved.diagnostics.warnings.extend(f"last good version: {text}" for text in said)


def _sorted(versions: Iterable[Versions[R]]) -> list[Versions[R]]:
    return sorted(versions, key=lambda one: one.key)


def _all(objects: Objects) -> Iterable[Versions[Any]]:
    return (*objects.providers, *objects.routes, *objects.consumers, *objects.budgets)


def _value(resolved: Resolved[V]) -> V | None:
    return None if resolved.served is Served.NOTHING else resolved.value


def _with_diagnostics(every: Iterable[Resolved[V]]) -> Iterable[tuple[V, Diagnostics]]:
    """Return what serves, with what is said of it."""
    for resolved in every:
        value = _value(resolved)
        if value is not None:
            yield value, resolved.diagnostics


def _standing(resolved: Resolved[Route]) -> Route | None:
    """Return a route that serves, or one that has served and still owns its names."""
    return resolved.value if resolved.served is not Served.NOTHING or resolved.known else None


def _idle(routes: Iterable[Route], made: Fleet) -> frozenset[ObjectKey]:
    """Return routes that might enter a gateway that runs here, and answer nothing at any."""
    answering = {route.name for gateway in made.gateways for route in gateway.routes}
    return frozenset(r.key for r in routes if made.presences[r.name] and r.name not in answering)


def _with_anonymous(consumers: list[Consumer], references: References) -> list[Consumer]:
    """Add the consumer that callers without a key are, unless an object says more about it."""
    if references.anonymous is None or any(
        (c.caller.namespace, c.caller.name) == (references.home, references.anonymous) for c in consumers
    ):
        return consumers
    caller = Caller(namespace=references.home, name=references.anonymous, labels={})
    key = ObjectKey("ModelConsumer", references.home, references.anonymous)
    return [*consumers, Consumer(key=key, caller=caller, keys=(), allowed_model_names=None, expires_at=None)]


def _pending(written: Resource | None, references: References) -> tuple[Problem, ...]:
    """Return what the current version says without effect; nothing where it cannot be decoded."""
    if isinstance(written, BudgetPolicy) and not references.budget_server:
        return (Problem("spec", "not enforced: gateways have no budget server to ask"),)
    if written is None:
        return ()
    return _unkept(written, references)


def _unkept(written: Resource, references: References) -> tuple[Problem, ...]:
    """Say what of a route or a consumer nobody does without a budget server."""
    if references.budget_server:
        return ()
    if isinstance(written, ModelConsumer) and written.spec.max_in_flight is not None:
        return (Problem("spec.maxInFlight", "not enforced: gateways have no budget server to ask"),)
    if not isinstance(written, ModelRoute):
        return ()
    found = []
    if written.spec.shadow is not None and written.spec.shadow.limit is not None:
        found.append(Problem("spec.shadow.limit", "not enforced: gateways have no budget server to ask"))
    if written.spec.baseline is not None:
        found.append(Problem("spec.baseline", "not counted: gateways have no budget server to ask"))
    if written.spec.feedback is FeedbackPolicy.ACCEPT:
        found.append(Problem("spec.feedback", "not taken: gateways have no budget server to ask"))
    if written.spec.cache is not None and written.spec.cache.store is CacheStore.SHARED:
        found.append(
            Problem(
                "spec.cache.store",
                "got `Shared`, want `Worker`: gateways have no budget server, which keeps what they share, so each"
                " worker keeps its own; turn the budget server on or remove `store`",
            )
        )
    return tuple(found)
