"""How a target stands by what real traffic told: pure.

A target fails from the first attempt that failed until the first that went well, or until its address or credential is
another. While others of its attempts go well within `RECENT_MS`, single failures say nothing. What gateways say by
themselves counts without any request: that they have ejected it, or that its name leads to no address.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from fairlead.health import attempts
from fairlead.health.attempts import Counts, Failure, Outcome

RECENT_MS = 4_000
"""A failure weighs nothing that soon after an attempt that went well; with a reading every two seconds a target that
fails is known within ten."""
NAMELESS_MS = 3_000
"""A name that leads nowhere for that long is no longer one that is being resolved."""

Target = tuple[str, str]
"""Region of the gateways, and `provider/endpoint/model`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one gateway process showed at one moment."""

    gateway: str
    """Names the process or pod; its totals only grow."""
    region: str
    totals: Mapping[str, Counts]
    """By target."""
    ejected: frozenset[str]
    """Targets that it leaves out at the moment."""
    nameless: frozenset[str]
    """Targets whose name it could not resolve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One target, seen from one region."""

    outcome: Outcome | None = None
    """What attempts came to since the last that went well; None where none failed since."""
    failed: int = 0
    """How many."""
    since_ms: int | None = None
    """When it began to fail."""
    well_ms: int | None = None
    """When an attempt went well for the last time."""
    ejected: bool = False
    nameless_ms: int | None = None
    """Since when its name leads nowhere."""

    def failure(self, now_ms: int) -> Failure | None:
        """Tell why it fails; None where nothing says that it does."""
        if self.nameless_ms is not None and now_ms - self.nameless_ms >= NAMELESS_MS:
            return Failure.UNRESOLVABLE
        if self.outcome is not None and (self.well_ms is None or now_ms - self.well_ms >= RECENT_MS or self.ejected):
            return attempts.failure(self.outcome)
        return Failure.EJECTED if self.ejected else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that is remembered from one reading to the next."""

    standings: Mapping[Target, Standing] = field(default_factory=dict)
    identities: Mapping[Target, str] = field(default_factory=dict)
    totals: Mapping[str, Mapping[str, Counts]] = field(default_factory=dict)
    """By gateway and target."""


def observe(
    before: Evidence,
    readings: Sequence[Reading],
    identities: Mapping[Target, str],
    *,
    gateways: Collection[str],
    now_ms: int,
) -> Evidence:
    """Take readings of one moment in.

    `identities` names every target that is served now with what its address and credential are: evidence of others is
    forgotten. `gateways` are all processes that run; of one that could not be read what it showed last is remembered,
    and a region without any reading keeps its standings.
    """
    changed = {target for target, identity in identities.items() if before.identities.get(target, identity) != identity}
    standings = {
        target: Standing() if target in changed else before.standings.get(target, Standing()) for target in identities
    }
    by_region: dict[str, list[Reading]] = {}
    for reading in readings:
        by_region.setdefault(reading.region, []).append(reading)
    for target, standing in standings.items():
        region, name = target
        seen = by_region.get(region, [])
        if seen:
            told = {} if target in changed else _told(before, seen, name)
            standings[target] = _step(
                standing,
                told,
                ejected=any(name in reading.ejected for reading in seen),
                nameless=any(name in reading.nameless for reading in seen),
                now_ms=now_ms,
            )
    totals = {**before.totals, **{reading.gateway: reading.totals for reading in readings}}
    kept = {gateway: totals[gateway] for gateway in gateways if gateway in totals}
    return Evidence(standings=standings, identities=dict(identities), totals=kept)


def _told(before: Evidence, readings: Sequence[Reading], target: str) -> dict[Outcome, int]:
    """Sum up what a region's gateways counted since their readings before."""
    told: dict[Outcome, int] = {}
    for reading in readings:
        known = before.totals.get(reading.gateway)
        earlier = None if known is None else known.get(target, {})
        for outcome, count in attempts.since(earlier, reading.totals.get(target, {})).items():
            told[outcome] = told.get(outcome, 0) + count
    return told


def _step(standing: Standing, told: Counts, *, ejected: bool, nameless: bool, now_ms: int) -> Standing:
    well = sum(count for outcome, count in told.items() if attempts.went_well(outcome))
    failed = sum(count for outcome, count in told.items() if attempts.failure(outcome) is not None)
    if well:
        standing = Standing(well_ms=now_ms)
    if failed and failed >= well:  # in which order they came is not known; most of them decide
        standing = replace(
            standing,
            outcome=attempts.foremost(told.items()),
            failed=standing.failed + failed,
            since_ms=now_ms if standing.since_ms is None else standing.since_ms,
        )
    since_ms = standing.since_ms
    if (ejected or nameless) and since_ms is None:
        since_ms = now_ms
    elif not (ejected or nameless) and standing.outcome is None:
        since_ms = None
    nameless_ms = None if not nameless else now_ms if standing.nameless_ms is None else standing.nameless_ms
    return replace(standing, ejected=ejected, nameless_ms=nameless_ms, since_ms=since_ms)
