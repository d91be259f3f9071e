"""An object's whole `status` as the API server stores it, and what of it is news.

Written by server-side apply, so conditions of others stay theirs and need not be repeated here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairlead.api.conditions import ABNORMAL, Condition, ConditionStatus, ConditionType
from fairlead.status.answers import answers, any_model
from fairlead.status.conditions import merge
from fairlead.status.serving import ServedRoute

_LONGEST_LADDER = 64
_OURS = frozenset(str(kind) for kind in ConditionType)


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """One region's gateway and what it serves of an object."""

    region: str
    digest: str
    """Of the configuration with which the gateway began to serve this generation; it does not follow later ones."""
    generation: int | None
    """Of the object: an older one than the present where the last good version serves. None = it has none."""
    ladder: tuple[str, ...] = ()
    """For a route: where attempts can go."""
    route: ServedRoute | None = None
    """For a route: who answers what."""
    geo: str = ""
    """Of the region."""


def ladder(route: ServedRoute) -> tuple[str, ...]:
    """List where attempts of a route can go, in order, each once; models of a wildcard route as one `*`."""
    targets = []
    for answer in route.answers:
        rungs = [target for share in answer.ladders for target in share.targets] + [answer.last_resort]
        targets += rungs if len(route.answers) == 1 else [any_model(target) for target in rungs]
    return tuple(dict.fromkeys(targets))[:_LONGEST_LADDER]


def status(
    stated: Sequence[Condition],
    serving: Iterable[Serving],
    *,
    generation: int | None,
    before: Mapping[str, Any],
    now: str,
    further: Mapping[str, Any] | None = None,
) -> Mapping[str, Any]:
    """Write the status. `before` is what is stored, `now` the time in RFC 3339, `further` what only its kind has."""
    gone = ABNORMAL - {one.type for one in stated}
    ours = [found for found in before.get("conditions", ()) if found.get("type") in _OURS - gone]
    gateways = [_gateway(one) for one in sorted(serving, key=lambda one: one.region)]
    written = {
        "conditions": merge(ours, stated, now=now),
        "gateways": gateways,
        "servedIn": ", ".join(gateway["region"] for gateway in gateways),
        **(further or {}),
    }
    return written if generation is None else written | {"observedGeneration": generation}


def _gateway(one: Serving) -> dict[str, Any]:
    gateway: dict[str, Any] = {"region": one.region, "digest": one.digest}
    if one.generation is not None:
        gateway["observedGeneration"] = one.generation
    if one.geo:
        gateway["geo"] = one.geo
    if one.ladder:
        gateway |= {"target": one.ladder[0], "ladder": list(one.ladder)}
    if one.route is not None:
        gateway |= answers(one.route.answers)
        if one.route.shadow is not None:
            gateway["shadow"] = one.route.shadow
    return gateway


def differs(written: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Tell whether a status says anything that the stored one does not; conditions of others do not count."""
    stored = [found for found in before.get("conditions", ()) if found.get("type") in _OURS]
    return {**written, "conditions": _by_type(written["conditions"])} != {
        **{field: before.get(field) for field in written},
        "conditions": _by_type(stored),
    }


def _by_type(conditions: Iterable[Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
    return {str(condition.get("type")): condition for condition in conditions}


def news(stated: Sequence[Condition], before: Mapping[str, Any]) -> tuple[Condition, ...]:
    """Choose what deserves an Event: the first condition that went wrong or anew, or Ready that came right.

    Conditions build upon each other in the order that they are stated in, so the others that went wrong with the first
    one are its consequences and say nothing new; and Ready comes right when all have.
    """
    known = _by_type(before.get("conditions", ()))
    moved = [one for one in stated if _judgement(known.get(str(one.type), {})) != (str(one.status), str(one.reason))]
    wrong = [one for one in moved if one.status is ConditionStatus.FALSE]
    right = [one for one in moved if one.status is ConditionStatus.TRUE and one.type is ConditionType.READY]
    return (*wrong[:1], *right)


def _judgement(stored: Mapping[str, Any]) -> tuple[Any, Any]:
    return stored.get("status"), stored.get("reason")
