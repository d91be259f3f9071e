"""Which targets have no price, so that what they take books no dollars, and which have one that is not by tokens."""

from collections.abc import Collection

from fairlead.budget.configuration import BudgetConfiguration


def unpriced(configuration: BudgetConfiguration) -> frozenset[str]:
    """Return all targets without a price."""
    return frozenset(name for name, rung in configuration.targets.items() if not rung.price.known)


def by_units(configuration: BudgetConfiguration) -> frozenset[str]:
    """Return all targets that are billed by other units than tokens."""
    return frozenset(name for name, rung in configuration.targets.items() if rung.price.by_units)


def used(
    lacking: Collection[str], configuration: BudgetConfiguration, routes: Collection[str] | None = None
) -> tuple[str, ...]:
    """Return those of `lacking` that routes (None: all) may use, sorted."""
    if not lacking:
        return ()
    terms = (one for name, one in configuration.routes.items() if routes is None or name in routes)
    return tuple(sorted({target for one in terms for targets in one.plans.values() for target in targets} & {*lacking}))
