"""`cache`: what a gateway is told of the answers that a route keeps, and what stands against it."""

import hashlib
from collections.abc import Mapping, Sequence

from fairlead import ir
from fairlead.api import quantity
from fairlead.api.conditions import Reason
from fairlead.api.route_cache import CacheScope, CacheStore
from fairlead.ir import ModelKind
from fairlead.translate.diagnostics import Diagnostics
from fairlead.translate.routes import Route


def cache(
    route: Route, made: ir.Route, ladders: Sequence[ir.Ladder], targets: Mapping[str, ir.Target], *, budget_server: bool
) -> ir.Cache | None:
    """Return what a route keeps at a gateway. `ladders` are its own as they are declared, which health never moves."""
    written = route.cache
    if written is None or ModelKind.CHAT not in route.kinds:
        return None
    return ir.Cache(
        ttl_ms=quantity.milliseconds(written.ttl),
        shared=written.scope is CacheScope.NAMESPACE,
        stored=budget_server and is_stored(route),
        digest=_digest(made, ladders, targets),
    )


def _digest(made: ir.Route, ladders: Sequence[ir.Ladder], targets: Mapping[str, ir.Target]) -> str:
    """Name what makes the answers; weights do not, since each side of a rollout keeps its own."""
    arms = [(plan.key, arm.side, arm.ladder) for plan in made.plans for arm in plan.arms]
    rungs = [(one.name, [targets[rung].makes for rung in one.rungs]) for one in ladders]
    judged = () if made.cascade is None else (made.cascade,)
    return hashlib.sha256(repr((arms, rungs, made.max_output_tokens, *judged)).encode()).hexdigest()[:16]


def is_stored(route: Route) -> bool:
    """Tell whether a route wants its answers kept where all gateways look."""
    return route.cache is not None and route.cache.store is CacheStore.SHARED and ModelKind.CHAT in route.kinds


def judge_cache(route: Route, diagnostics: Diagnostics) -> None:
    """Say where nothing would ever be kept."""
    if route.cache is not None and ModelKind.CHAT not in route.kinds:
        diagnostics.note(
            Reason.MODEL_TYPE_MISMATCH,
            "spec.cache",
            "got a cache, want none: only answers that say why they ended are kept, and these do not, remove it",
        )
