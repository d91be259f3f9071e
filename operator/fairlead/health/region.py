"""Regions as a whole, and orders to send the traffic of an endpoint or a region away. Times as in `endpoint`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from fairlead.health.endpoint import Endpoint


class DrainKind(StrEnum):
    """What is drained."""

    ENDPOINT = "Endpoint"
    REGION = "Region"


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainOrder:
    """Somebody wants the traffic of an endpoint or a region to be elsewhere for a time."""

    kind: DrainKind
    name: str
    """`provider/endpoint`, or the region's name."""
    began_ms: int
    until_ms: int
    """It ends by itself then."""
    over_ms: int = 0
    """How long the way to 0 % takes: 50 % in its first half, 10 % in its second. 0: at once."""

    def concerns(self, endpoint: str, region: str, now_ms: int) -> bool:
        """Tell whether it holds now, for an endpoint of a region."""
        wanted = endpoint if self.kind is DrainKind.ENDPOINT else region
        return self.name == wanted and self.began_ms <= now_ms < self.until_ms

    def share(self, now_ms: int) -> int:
        """Return the share that it leaves, in percent."""
        passed_ms = now_ms - self.began_ms
        if passed_ms >= self.over_ms:
            return 0
        return 10 if 2 * passed_ms >= self.over_ms else 50

    def edges_ms(self) -> tuple[int, ...]:
        """Return the moments at which it changes something."""
        half_ms = -(-self.over_ms // 2)
        return self.began_ms, self.began_ms + half_ms, self.began_ms + self.over_ms, self.until_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionHealth:
    """How a region that has endpoints stands."""

    down: bool = False
    since_ms: int = 0
    """When it became so."""
    reason: str = ""
    """One line: whose endpoints are down; empty for a region that is up."""
    held_ms: int = 0
    """When most of it was last seen down."""


def is_down(endpoints: Iterable[tuple[Endpoint, bool]]) -> tuple[str, ...]:
    """Return the providers most of whose endpoints in a region are down, if they are most of its providers; else none.

    `endpoints` are those of the region that routes use, each with whether it is down.
    """
    by_provider: dict[str, list[bool]] = {}
    for endpoint, down in endpoints:
        by_provider.setdefault(endpoint.provider, []).append(down)
    failing = sorted(provider for provider, down in by_provider.items() if 2 * sum(down) > len(down))
    return tuple(failing) if 2 * len(failing) > len(by_provider) else ()


def next_health(before: RegionHealth | None, failing: tuple[str, ...], step_ms: int, now_ms: int) -> RegionHealth:
    """Return how a region stands now: it is up again when most of it has not been down for one step."""
    if before is None:
        before = RegionHealth(since_ms=now_ms)
    if failing:
        since_ms = before.since_ms if before.down else now_ms
        reason = f"most endpoints of {', '.join(failing)} there are down"
        return RegionHealth(down=True, since_ms=since_ms, reason=reason, held_ms=now_ms)
    if before.down and now_ms - before.held_ms < step_ms:
        return before
    return RegionHealth(since_ms=now_ms if before.down else before.since_ms)


def by_region(endpoints: Iterable[Endpoint]) -> Mapping[str, list[Endpoint]]:
    """Sort endpoints that routes use by their regions; anycast endpoints belong to none."""
    found: dict[str, list[Endpoint]] = {}
    for endpoint in endpoints:
        if endpoint.region and endpoint.used:
            found.setdefault(endpoint.region, []).append(endpoint)
    return found
