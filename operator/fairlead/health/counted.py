"""What gateways counted of classifiers and of kept answers, by route: pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

K = TypeVar("K")

OPEN = "open"
"""Why a request has no category: the classifier failed so often that it is not asked for a while."""
OPEN_LASTS_MS = 60_000
"""No request was turned away for so long, twice a breaker's pause: it is asked again, or nobody needs it."""
HIT = "hit"


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteCounts:
    """What one gateway process counted since it started."""

    classified: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Requests for which a category was needed, by route and how it was found, or why there is none."""
    cached: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Requests of routes that keep answers, by route and what became of them."""
    saved: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    """Tokens that answers of hits took when they were made, by route, target and `prompt`, `completion`, `cached`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What was counted up to the last look."""

    by_gateway: Mapping[str, RouteCounts] = field(default_factory=dict)
    """What each that runs showed last."""
    open_since_ms: Mapping[str, int] = field(default_factory=dict)
    """By route whose classifier is not asked: since when that was seen."""
    open_last_ms: Mapping[str, int] = field(default_factory=dict)
    """By the same routes: when requests were last seen to be turned away."""

    def classified(self) -> dict[str, dict[str, int]]:
        """Return how many requests needed a category, over all gateways, by route and how it was found."""
        shown = (one.classified.items() for one in self.by_gateway.values())
        return _summed((route, how, count) for items in shown for (route, how), count in items)

    def cached(self) -> dict[str, dict[str, int]]:
        """Return the same of routes that keep answers, by what became of them."""
        shown = (one.cached.items() for one in self.by_gateway.values())
        return _summed((route, what, count) for items in shown for (route, what), count in items)

    def saved(self) -> dict[str, dict[tuple[str, str], int]]:
        """Return the tokens that hits saved, by route, and by target and kind."""
        shown = (one.saved.items() for one in self.by_gateway.values())
        return _summed((route, (target, kind), count) for items in shown for (route, target, kind), count in items)


def _summed(counts: Iterable[tuple[str, K, int]]) -> dict[str, dict[K, int]]:
    found: dict[str, dict[K, int]] = {}
    for route, key, count in counts:
        of = found.setdefault(route, {})
        of[key] = of.get(key, 0) + count
    return found


def counted(before: Counted, shown: Mapping[str, RouteCounts], gateways: Iterable[str], now_ms: int) -> Counted:
    """Go on by what gateways show now, by their names. `gateways` are all that run: of others nothing is kept.

    Of a gateway that was never read before nobody knows when it turned requests away.
    """
    running = set(gateways)
    by_gateway = {name: one for name, one in before.by_gateway.items() if name in running}
    last = {route: at for route, at in before.open_last_ms.items() if now_ms - at < OPEN_LASTS_MS}
    for name, now in shown.items():
        then = by_gateway.get(name, now).classified
        for (route, how), count in now.classified.items():
            known = then.get((route, how), 0)
            if how == OPEN and count > (known if count >= known else 0):
                last[route] = now_ms
        by_gateway[name] = now
    since = {route: before.open_since_ms.get(route, now_ms) for route in last}
    return Counted(by_gateway=by_gateway, open_since_ms=since, open_last_ms=last)
