"""What one gateway serves, route by route: for `fairlead status` and for `status.gateways[]` of a ModelRoute."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fairlead import ir

_LISTED = 16
"""Answers that a status shows; a catalogue has hundreds, and a status is read by people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One ladder with its share of the requests."""

    weight: int
    """Basis points."""
    targets: tuple[str, ...]
    """In the order of attempts: `provider/endpoint/model`. The last resort follows; it is one of these."""


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
    """One for a route whose names share a model; one per name in a wildcard route."""
    max_attempts: int
    shadow: str | None
    """Target that receives copies."""


def served_routes(gateway: ir.Gateway) -> tuple[ServedRoute, ...]:
    """Describe every route of a gateway, sorted by name."""
    names: dict[tuple[str, str], set[str]] = {}
    for scope in gateway.scopes:
        for entry in scope.entries:
            if entry.route:
                names.setdefault((entry.route, entry.plan), set()).add(entry.model_name)
    rungs = {ladder.name: ladder.rungs for ladder in gateway.ladders}
    return tuple(
        ServedRoute(
            name=route.name,
            region=gateway.region,
            answers=tuple(_answer(plan, names.get((route.name, plan.model), ()), rungs) for plan in route.plans),
            max_attempts=route.max_attempts,
            shadow=None if route.shadow is None else route.shadow.target,
        )
        for route in gateway.routes
    )


def document(served: Iterable[ServedRoute]) -> list[dict[str, Any]]:
    """Write `status.gateways[]` of one route: an entry for each gateway that serves it, in the order given."""
    return [
        {
            "region": one.region,
            "names": sum(len(answer.names) for answer in one.answers),
            "answers": [_document(answer) for answer in one.answers[:_LISTED]],
        }
        for one in served
    ]


def _answer(plan: ir.Plan, names: Iterable[str], rungs: Mapping[str, tuple[str, ...]]) -> Answer:
    return Answer(
        names=tuple(sorted(names)),
        kind=plan.kind,
        ladders=tuple(Share(weight=arm.weight, targets=rungs[arm.ladder]) for arm in plan.arms),
        last_resort=plan.last_target,
    )


def _document(answer: Answer) -> dict[str, Any]:
    return {
        "names": list(answer.names),
        "ladders": [{"weight": percent(share.weight), "targets": list(share.targets)} for share in answer.ladders],
        "lastResort": answer.last_resort,
    }


def percent(basis_points: int) -> str:
    """Write basis points as the API writes a percentage: `5%`, `33.34%`."""
    whole, rest = divmod(basis_points, 100)
    return f"{whole}.{rest:02}".rstrip("0") + "%" if rest else f"{whole}%"
