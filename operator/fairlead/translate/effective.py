"""Effective ladders: the declared ones in the order that the health of endpoints asks for, and nothing else changed.

Whoever wants to know what a route means (reports, budgets, what status calls the primary) reads the declared gateway;
only Envoy's files are made from the effective one. So a shift of traffic is a change of order and of nothing else.

A demoted endpoint stands at the end of every ladder, before the last resort. A share between is a plan with *layers*:
k endpoints on their way back are k + 1 of them, nested, each demoting one endpoint more than the one before.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from fairlead.ir import Arm, Gateway, Ladder, Plan, Side, ladder_name

WHOLE = 100
"""The share of an endpoint that stands where it was declared, in percent."""

_HALF = 50


def effective(gateway: Gateway, health: Mapping[str, int], *, keyed_in_place: bool = False) -> Gateway:
    """Order the ladders by health: the percentage of its traffic that an endpoint, `provider/endpoint`, may have.

    What is not named, or is above 100, has all of it; below 0 is 0. Each ladder keeps its targets and its last resort,
    each side of a plan its weight. `keyed_in_place`: ladders of plans with a key keep their names in any order, for
    files that have no room for the former ones beside them.
    """
    shares = {
        target.name: share
        for target in gateway.targets
        if (share := max(0, health.get(f"{target.provider}/{target.endpoint}", WHOLE))) < WHOLE
    }
    if not shares:
        return gateway
    declared = {ladder.name: ladder for ladder in gateway.ladders}
    ladders: list[Ladder] = []
    routes = []
    for route in gateway.routes:
        plans = []
        for plan in route.plans:
            changed, found = _plan(plan, declared, shares, keyed=route.keyed, in_place=keyed_in_place)
            plans.append(changed)
            ladders.extend(found)
        routes.append(replace(route, plans=tuple(plans)))
    return replace(gateway, routes=tuple(routes), ladders=tuple(sorted(ladders, key=lambda ladder: ladder.name)))


def has_layers(gateway: Gateway, health: Mapping[str, int]) -> bool:
    """Tell whether a target of a gateway has a share between nothing and all."""
    return any(0 < health.get(f"{one.provider}/{one.endpoint}", WHOLE) < WHOLE for one in gateway.targets)


def without_layers(health: Mapping[str, int]) -> Mapping[str, int]:
    """Round every share to all or nothing: not more ladders than declared, for files that have no room for more."""
    return {endpoint: WHOLE if share >= _HALF else 0 for endpoint, share in health.items()}


def _plan(
    plan: Plan, declared: Mapping[str, Ladder], shares: Mapping[str, int], *, keyed: bool, in_place: bool
) -> tuple[Plan, tuple[Ladder, ...]]:
    """Return a plan and its ladders, whose names count the arms anew; as declared where no rung is concerned.

    Another order has another name: Envoy asks for a ladder by its name again at each attempt, and a request that had
    begun on the order before would go on with the second rung of the new one, which is the first of the old.
    """
    own = [declared[arm.ladder] for arm in plan.arms]
    if plan.pins is not None:
        plan = replace(plan, pins=tuple(replace(pin, stopped=shares.get(pin.target) == 0) for pin in plan.pins))
    mine = {rung: shares[rung] for ladder in own for rung in ladder.rungs if rung in shares}
    if not mine:
        return plan, tuple(own)
    drawn: list[tuple[Side, tuple[str, ...], int]] = []
    for side in dict.fromkeys(arm.side for arm in plan.arms):
        arms = [arm for arm in plan.arms if arm.side is side]
        drawn += [(side, rungs, weight) for rungs, weight in _side(arms, declared, mine).items()]
    stem = plan.arms[0].ladder.rpartition("/")[0]
    if keyed:
        orders = [rungs for _, rungs, _ in drawn]
        is_moved = not in_place and orders != [ladder.rungs for ladder in own]
        stem += f"!{_digest(orders)}" if is_moved else ""
        found = [f"{stem}/{number}" for number in range(len(orders))]
    else:
        found = _names(stem, [(side, rungs) for side, rungs, _ in drawn], declared)
    ladders = tuple(
        Ladder(name=name, rungs=rungs, last_resort=own[0].last_resort)
        for name, (_, rungs, _) in zip(found, drawn, strict=True)
    )
    arms_now = tuple(
        Arm(ladder=ladder.name, weight=weight, side=side)
        for ladder, (side, _, weight) in zip(ladders, drawn, strict=True)
    )
    return replace(plan, arms=arms_now), ladders


def _names(stem: str, orders: Sequence[tuple[Side, tuple[str, ...]]], declared: Mapping[str, Ladder]) -> list[str]:
    """Name each ladder by its number; one that is not the declared one of this number by its order, too."""
    names = [ladder_name(stem, number, side) for number, (side, _) in enumerate(orders)]
    return [
        name if name in declared and declared[name].rungs == rungs else f"{name}-{_digest([rungs])}"
        for name, (_, rungs) in zip(names, orders, strict=True)
    ]


def _digest(orders: Sequence[Sequence[str]]) -> str:
    """Tell orders apart, in a word that can end the stem of a plan: no key has a `!`, so none meets another's."""
    return hashlib.sha256("\n".join(map(chr(0).join, orders)).encode()).hexdigest()[:8]


def _side(
    arms: Sequence[Arm], declared: Mapping[str, Ladder], shares: Mapping[str, int]
) -> Mapping[tuple[str, ...], int]:
    """Return the weight of each order of rungs; together they weigh what the arms do."""
    total = sum(arm.weight for arm in arms)
    weights: dict[tuple[str, ...], int] = {}
    upto = Fraction(0)
    given = 0
    for part, demoted in _layers(shares):
        kept = _kept(arms, declared, demoted)
        whole = sum(arm.weight for arm in kept)
        for arm in kept:
            upto += Fraction(part, WHOLE) * (Fraction(arm.weight, whole) if whole else Fraction(1, len(kept)))
            rungs = _demoted(declared[arm.ladder].rungs, demoted)
            weights[rungs] = weights.get(rungs, 0) + int(total * upto) - given
            given = int(total * upto)
    some = {rungs: weight for rungs, weight in weights.items() if weight}
    return some or dict.fromkeys([next(iter(weights))], 0)


def _layers(shares: Mapping[str, int]) -> Iterable[tuple[int, Mapping[str, int]]]:
    """Return each layer's percentage, and which targets are demoted in it, by their shares."""
    below = 0
    for bound in sorted({*shares.values(), WHOLE}):
        if bound > below:
            yield bound - below, {target: share for target, share in shares.items() if share < bound}
            below = bound


def _kept(arms: Sequence[Arm], declared: Mapping[str, Ladder], demoted: Mapping[str, int]) -> Sequence[Arm]:
    """Leave out arms that begin with a demoted target, or the next in turn would carry the load of two.

    Where all of them do, all stay.
    """
    return [arm for arm in arms if declared[arm.ladder].rungs[0] not in demoted] or arms


def _demoted(rungs: tuple[str, ...], demoted: Mapping[str, int]) -> tuple[str, ...]:
    """Put the demoted targets behind the others, those with the least share last, else in their order."""
    return tuple(sorted(rungs, key=lambda rung: WHOLE - demoted.get(rung, WHOLE)))
