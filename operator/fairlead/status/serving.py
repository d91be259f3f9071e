"""What one gateway serves, route by route: for `fairlead status` and for `status.gateways[]` of a ModelRoute.

People read it, so names of models are what they are, and no words.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from fairlead import ir
from fairlead.ir import word
from fairlead.memo import Memo

NEARLY_FULL_PERCENT = 80
"""Of what a gateway's file may take: time to do something about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One ladder with its share of the requests."""

    weight: int
    """Basis points."""
    targets: tuple[str, ...]
    """In the order of attempts: `provider/endpoint/model`. The last resort follows; it is one of these."""
    judged: tuple[str, ...] = ()
    """Those of them whose answers a cascade judges, where they are no streams."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What answers some names of a route."""

    names: tuple[str, ...]
    """Sorted. Empty when no consumer sees the route by any name."""
    kind: ir.ModelKind
    ladders: tuple[Share, ...]
    last_resort: str
    """`provider/endpoint/model`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedRoute:
    """One route at one gateway."""

    name: str
    """`namespace/name`."""
    region: str
    answers: tuple[Answer, ...]
    """One for each plan: for a route whose names share a model, or per name in a wildcard route."""
    max_attempts: int
    shadow: str | None
    """Target that receives copies."""


def served_routes(gateway: ir.Gateway, memo: Memo | None = None) -> tuple[ServedRoute, ...]:
    """Describe every route of a gateway, sorted by name. `memo` makes it faster, and changes nothing."""
    memo = Memo() if memo is None else memo
    names: dict[tuple[str, str], set[str]] = {}
    for scope in gateway.scopes:
        for entry in scope.entries:
            if entry.route:
                names.setdefault((entry.route, entry.plan), set()).add(entry.model_name)
    rungs = {ladder.name: ladder.rungs for ladder in gateway.ladders}

    def served(route: ir.Route) -> ServedRoute:
        by_plan = [names.get((route.name, plan.key), set()) for plan in route.plans]
        given = route, *by_plan, *(rungs[arm.ladder] for plan in route.plans for arm in plan.arms)
        return memo.of(
            ("served", gateway.region, route.name), given, lambda: _served(route, gateway.region, by_plan, rungs)
        )

    return tuple(map(served, gateway.routes))


def _served(
    route: ir.Route, region: str, names: Iterable[Collection[str]], rungs: Mapping[str, tuple[str, ...]]
) -> ServedRoute:
    return ServedRoute(
        name=route.name,
        region=region,
        answers=tuple(_answer(plan, its, rungs, route.cascade) for plan, its in zip(route.plans, names, strict=True)),
        max_attempts=route.max_attempts,
        shadow=None if route.shadow is None else word.decode(route.shadow.target),
    )


def _answer(
    plan: ir.Plan, names: Iterable[str], rungs: Mapping[str, tuple[str, ...]], cascade: ir.Cascade | None
) -> Answer:
    return Answer(
        names=tuple(sorted(map(word.decode, names))),
        kind=plan.kind,
        ladders=tuple(_share(arm.weight, rungs[arm.ladder], cascade) for arm in plan.arms),
        last_resort=word.decode(plan.last_target),
    )


def _share(weight: int, rungs: tuple[str, ...], cascade: ir.Cascade | None) -> Share:
    judged = frozenset[str]() if cascade is None else cascade.judged(rungs)
    return Share(
        weight=weight,
        targets=tuple(map(word.decode, rungs)),
        judged=tuple(word.decode(rung) for rung in rungs if rung.split("/", 2)[2] in judged),
    )


def percent(basis_points: int) -> str:
    """Write basis points as the API writes a percentage: `5%`, `33.34%`."""
    whole, rest = divmod(basis_points, 100)
    return f"{whole}.{rest:02}".rstrip("0") + "%" if rest else f"{whole}%"


def nearly_full(fullness: Mapping[str, tuple[int, str]], *, plain: Collection[str] = ()) -> Mapping[str, str]:
    """Say of regions whose files have little room left that it is so; `fullness`: percent and path of the fullest.

    `plain`: the regions whose ConfigMaps carry text, and could carry gzip.
    """
    pack = " set `gateway.configMaps: Gzip` of the chart,"
    return {
        region: f"region `{region}`: `{path}` takes {percent} % of what it may; above 100 % changes are refused:"
        f"{pack if region in plain else ''} serve fewer models or endpoints there (`regions`, `residency`, `models` of"
        " an endpoint), or split the catalogue on two installations"
        for region, (percent, path) in fullness.items()
        if percent >= NEARLY_FULL_PERCENT
    }
