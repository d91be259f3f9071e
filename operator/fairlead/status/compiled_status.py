"""What an object's status says as soon as it is compiled: without a clock, and without asking any gateway."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fairlead.api.meta import ObjectKey
from fairlead.memo import Memo
from fairlead.status.budget import consumer_state, reach
from fairlead.status.object_status import ladder
from fairlead.status.serving import ServedRoute
from fairlead.translate import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledStatus:
    """The part of one object's status that follows from what was compiled alone."""

    report: Report
    ladders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Of a route, by each region that serves it: where attempts can go."""
    routes: Mapping[str, ServedRoute] = field(default_factory=dict)
    """Of a route, by the same regions: who answers what."""
    shares: Hashable = ()
    """Of a route: how its requests are shared out between ladders, and where copies go, by region."""
    expires_at: int | None = None
    """Of a consumer in the version that serves: when gateways begin to refuse its keys, Unix seconds."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """What only a status of its kind has: a consumer's budgets, whom a policy's limit holds for."""

    @property
    def essence(self) -> Hashable:
        """What gateways are to do for the object: while it is equal, nobody need wait for them again."""
        ladders = tuple(sorted(self.ladders.items()))
        return self.report.generation, self.report.served, self.report.conditions, ladders, self.shares


def compiled_statuses(
    reports: Iterable[Report],
    *,
    routes: Mapping[str, Iterable[ServedRoute]],
    budgets: Mapping[str, tuple[str, ...]],
    expiry: Mapping[str, int | None],
    is_fleet_wide: bool | None,
    memo: Memo | None = None,
) -> Mapping[ObjectKey, CompiledStatus]:
    """Make one for each report.

    `routes` by region; `budgets` (names of policies) and `expiry` (Unix seconds) of each consumer that may call, by
    `namespace/name`; `is_fleet_wide`: whether limits hold for all clusters, None = nobody enforces any here.
    With the `memo` of the compilation before, one that is equal to what was made then is the same object.
    """
    memo = Memo() if memo is None else memo
    ladders: dict[str, dict[str, tuple[str, ...]]] = {}
    shares: dict[str, list[Hashable]] = {}
    served_in: dict[str, dict[str, ServedRoute]] = {}
    for region, served in routes.items():
        for route in served:
            ladders.setdefault(route.name, {})[region] = ladder(route)
            served_in.setdefault(route.name, {})[region] = route
            weights = tuple(share.weight for answer in route.answers for share in answer.ladders)
            shares.setdefault(route.name, []).append((region, weights, route.shadow))
    limits = {} if is_fleet_wide is None else {"reach": reach(is_fleet_wide=is_fleet_wide)}

    def of(report: Report) -> CompiledStatus:
        name = f"{report.key.namespace}/{report.key.name}"
        match report.key.kind:
            case "ModelRoute":
                mine = frozenset(shares.get(name, ()))
                return CompiledStatus(
                    report=report, ladders=ladders.get(name, {}), routes=served_in.get(name, {}), shares=mine
                )
            case "ModelConsumer":
                return CompiledStatus(
                    report=report, expires_at=expiry.get(name), fields=consumer_state(budgets.get(name))
                )
            case "BudgetPolicy":
                return CompiledStatus(report=report, fields=limits)
            case _:
                return CompiledStatus(report=report)

    return {report.key: memo.same(("status", report.key), of(report)) for report in reports}
