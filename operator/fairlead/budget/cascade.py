"""What a request of a cascade can cost: each of several models may be asked, one after the other."""

from collections.abc import Sequence

from fairlead.budget.configuration import BudgetConfiguration
from fairlead.budget.estimate import LARGEST, Ask, Bound, Rung, reservation


def models(configuration: BudgetConfiguration, route: str, model: str, *, stream: bool) -> tuple[tuple[Rung, ...], ...]:
    """Return what may answer a route, in groups: one of each group may be asked. A stream meets no cascade."""
    terms = configuration.routes.get(route)
    if terms is None or not terms.cascade or stream:
        return (configuration.rungs(route, model),)
    grouped: dict[str, list[Rung]] = {}
    for name in terms.targets(model):
        grouped.setdefault(name.split("/", 2)[-1], []).append(configuration.targets[name])
    return tuple(map(tuple, grouped.values()))


def whole_reservation(ask: Ask, models: Sequence[Sequence[Bound]]) -> int:
    """Return the most that a request can cost where one of each group may be asked, in nano-dollars."""
    return min(LARGEST, sum(reservation(ask, bounds) for bounds in models))
