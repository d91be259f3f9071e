"""The budget server's configuration: who falls under which policy, what each target costs, what may answer a route."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from fairlead import ir
from fairlead.api.installation import FailurePolicy, Installation
from fairlead.budget.configuration import BudgetConfiguration, RouteTerms
from fairlead.budget.estimate import Rung
from fairlead.budget.shadow import ShadowLimit, ShadowTerms
from fairlead.ir import word
from fairlead.translate.budgets import Bounds, is_bounded
from fairlead.translate.consumers import Consumer
from fairlead.translate.providers import Provider


def configuration(
    *,
    installation: Installation,
    gateways: Iterable[ir.Gateway],
    providers: Mapping[str, Provider],
    bounds: Bounds,
    shadows: Mapping[str, ShadowLimit | None],
    baselines: Mapping[str, str],
    consumers: Iterable[Consumer],
) -> BudgetConfiguration:
    """Make the configuration. It knows all targets of all providers: one that goes is still priced as it was."""
    gateways, consumers = tuple(gateways), tuple(consumers)
    shares = any(route.cache is not None and route.cache.stored for gateway in gateways for route in gateway.routes)
    return BudgetConfiguration(
        fail_closed=installation.budgets.failure_policy is FailurePolicy.CLOSED and is_bounded(bounds, consumers),
        request_bytes=installation.limits.request_bytes,
        policies=bounds.policies,
        consumers=bounds.consumers,
        killed=bounds.stopped,
        routes=_routes(gateways, shadows, baselines),
        targets=_targets(providers),
        in_flight={str(one.caller): one.max_in_flight for one in consumers if one.max_in_flight is not None},
        shared_answers_bytes=installation.cache.shared_bytes if shares else 0,
    )


def _targets(providers: Mapping[str, Provider]) -> dict[str, Rung]:
    return {
        f"{provider.name}/{endpoint.name}/{word.encode(model)}": rung
        for _, provider in sorted(providers.items())
        for endpoint in provider.endpoints
        for model, rung in sorted(endpoint.terms.items())
    }


def _routes(
    gateways: Sequence[ir.Gateway], limits: Mapping[str, ShadowLimit | None], baselines: Mapping[str, str]
) -> dict[str, RouteTerms]:
    """Merge what the gateways say: a route may have other targets in each region, and the dearest of all counts."""
    plans: dict[str, dict[str, dict[str, None]]] = {}
    routes: dict[str, ir.Route] = {}
    served: dict[str, list[ir.Route]] = {}
    shadows: dict[str, dict[str, None]] = {}
    told = any(gateway.budget is not None and gateway.budget.asked for gateway in gateways)
    for gateway in gateways:
        rungs = {ladder.name: ladder.rungs for ladder in gateway.ladders}
        for route in gateway.routes:
            served.setdefault(route.name, []).append(route)
            known = routes.setdefault(route.name, route)
            if known.downgrade_to is None:
                routes[route.name] = route
            if route.shadow is not None:
                shadows.setdefault(route.name, {})[route.shadow.target] = None
            for plan in route.plans:
                targets = plans.setdefault(route.name, {}).setdefault(plan.key, {})
                targets |= dict.fromkeys((target for arm in plan.arms for target in rungs[arm.ladder]), None)
                targets[plan.last_target] = None
    return {
        name: RouteTerms(
            max_output_tokens=route.max_output_tokens,
            downgrade_to=route.downgrade_to,
            plans={model: tuple(sorted(targets)) for model, targets in sorted(plans[name].items())},
            cascade=any(one.cascade is not None for one in served[name]),
            shadow=_shadow(shadows.get(name, ()), limits.get(name)),
            baseline=baselines.get(name),
            feedback=route.feedback,
            cached=route.cache is not None and told,
        )
        for name, route in sorted(routes.items())
    }


def _shadow(targets: Collection[str], limit: ShadowLimit | None) -> ShadowTerms | None:
    return ShadowTerms(targets=tuple(sorted(targets)), limit=limit) if targets else None
