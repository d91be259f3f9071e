"""What is said where money is counted and a model has no price: nothing of it can be bounded, or compared."""

from collections.abc import Collection, Iterable

from fairlead.budget.configuration import BudgetConfiguration
from fairlead.budget.unpriced import by_units, unpriced, used
from fairlead.ir import word
from fairlead.translate.budgets import Budget
from fairlead.translate.diagnostics import Diagnostics
from fairlead.translate.references import References
from fairlead.translate.routes import Route
from fairlead.translate.suggestion import listed

_WANT = "want `usdPerMillionTokens` in its ModelProvider"


def judge_prices(
    budgets: Iterable[tuple[Budget, Diagnostics]],
    routes: Collection[tuple[Route, Diagnostics]],
    references: References,
    configuration: BudgetConfiguration,
) -> None:
    """Say which policies, baselines and rollouts count by models without a price."""
    lacking = unpriced(configuration)
    other = by_units(configuration)
    for route, diagnostics in routes if other else ():
        _judge_units(route, other, configuration, diagnostics)
    if not lacking:
        return
    for budget, diagnostics in budgets:
        _judge_limit(budget, lacking, references, configuration, diagnostics)
    for route, diagnostics in routes:
        _judge_comparisons(route, lacking, configuration, diagnostics)


def _judge_limit(
    budget: Budget,
    lacking: frozenset[str],
    references: References,
    configuration: BudgetConfiguration,
    diagnostics: Diagnostics,
) -> None:
    if budget.policy.stops_everything:
        return
    counted = budget.policy.routes
    if counted is None and budget.audience.own != references.home:
        reachable = {budget.audience.own, references.home}
        counted = frozenset(name for name in configuration.routes if name.partition("/")[0] in reachable)
    found = used(lacking, configuration, counted)
    if found:
        diagnostics.warn(
            "spec.limit", f"got {_named(found)} without a price, whose tokens spend nothing of this limit, {_WANT}"
        )


def _judge_comparisons(
    route: Route, lacking: frozenset[str], configuration: BudgetConfiguration, diagnostics: Diagnostics
) -> None:
    if route.baseline in lacking:
        diagnostics.warn("spec.baseline", f"got a model without a price, so that no savings are counted, {_WANT}")
    if route.rollout is not None and route.rollout.bounds.cost_increase is not None:
        found = used(lacking, configuration, {route.name})
        if found:
            diagnostics.warn(
                "spec.rollout.analysis.maxCostIncrease",
                f"got {_named(found)} without a price, by which no step is judged successful, {_WANT}",
            )


def _judge_units(
    route: Route, other: frozenset[str], configuration: BudgetConfiguration, diagnostics: Diagnostics
) -> None:
    if route.rollout is None or route.rollout.bounds.cost_increase is None:
        return
    found = used(other, configuration, {route.name})
    if found:
        diagnostics.warn(
            "spec.rollout.analysis.maxCostIncrease",
            f"got {_named(found)}, billed by other units than tokens, of which an analysis knows nothing, want no bound"
            " on costs, remove it",
        )


def _named(targets: tuple[str, ...]) -> str:
    return listed([word.decode(one) for one in targets])
