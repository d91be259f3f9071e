"""Rungs in order, and the share of each order: how several endpoints at one distance divide the load.

A *group* is the endpoints at one distance that serve one model. The first endpoint of a group takes what reaches the
group, so a spread is as many ladders as the group has endpoints, each rotated by one. Groups further down (other
regions, fallbacks) rotate too: else the whole load of a dead region would fall onto one endpoint of the next.
"""

from collections.abc import Sequence
from math import lcm
from typing import TypeAlias

Groups: TypeAlias = tuple[tuple[str, ...], ...]
"""Names of targets by distance, nearest first."""

ALL = 10_000
"""Basis points of a plan's arms together."""

MAX_ARMS = 12
"""Bound on ladders made for the sake of groups further down; each costs place in the cluster file. The first group is
always divided evenly, however large."""


def rotations(groups: Groups) -> tuple[tuple[str, ...], ...]:
    """Return the rungs of each arm: equal shares for the first group, and for later ones as far as MAX_ARMS lets it.

    A target that stands in two groups (a fallback that names the primary) keeps its first place only.
    """
    distinct = _distinct(groups)
    if not distinct:
        return ()
    arms = 1
    for position, group in enumerate(distinct):
        wanted = lcm(arms, len(group))
        if position == 0 or wanted <= MAX_ARMS:
            arms = wanted
    return tuple(tuple(name for group in distinct for name in _rotated(group, arm)) for arm in range(arms))


def weights(arms: int, whole: int = ALL) -> tuple[int, ...]:
    """Divide ALL, or a part of it, evenly; what does not divide goes to the first arms, one basis point each."""
    share, rest = divmod(whole, arms)
    return tuple(share + (1 if arm < rest else 0) for arm in range(arms))


def _distinct(groups: Groups) -> list[list[str]]:
    seen: set[str] = set()
    kept = []
    for group in groups:
        fresh = [name for name in group if name not in seen]
        seen.update(fresh)
        if fresh:
            kept.append(fresh)
    return kept


def _rotated(group: Sequence[str], by: int) -> Sequence[str]:
    turn = by % len(group)
    return [*group[turn:], *group[:turn]]
