"""How a target stands by what real traffic told: pure.

A target fails from the first attempt that failed until the first that went well, or until its address or credential is
another. What it answered itself is over when gateways of any region were answered well; a region's way there is its
own. While others of its attempts go well within `RECENT_MS`, single failures say nothing. What gateways say by
themselves counts without any request: that they have ejected it, or that its name leads to no address.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from fairlead.health import attempts
from fairlead.health.attempts import Counts, Outcome
from fairlead.health.counted import RouteCounts
from fairlead.statuses import Failure

RECENT_MS = 4_000
"""A failure weighs nothing that soon after an attempt that went well; with a reading every two seconds a target that
fails is known within ten."""
NAMELESS_MS = 3_000
"""A name that leads nowhere for that long is no longer one that is being resolved."""

MOST_KEPT = 1_000
"""Targets that are kept over a restart, about 200 bytes each; of more only as many."""

K = TypeVar("K")
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
    first_bytes: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    """By target, of all its streams: how many began within how many milliseconds and not sooner, by the bounds that a
    gateway counts by; those above the last bound count there."""
    ejected: frozenset[str]
    """Targets that it leaves out at the moment."""
    nameless: frozenset[str]
    """Targets whose name it could not resolve."""
    refused: int = 0
    """Requests and connections that it had no room for."""
    counts: RouteCounts = field(default_factory=RouteCounts)
    """Of classifiers and kept answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One target, seen from one region."""

    outcome: Outcome | None = None
    """What attempts came to since the last that went well; None where none failed since."""
    failed: int = 0
    """How many."""
    since_ms: int | None = None
    """When it began to fail."""
    failed_ms: int | None = None
    """When an attempt failed for the last time since the last that went well."""
    well_ms: int | None = None
    """When an attempt went well for the last time."""
    ejected: bool = False
    nameless_ms: int | None = None
    """Since when its name leads nowhere."""
    last: Outcome | None = None
    """What attempts failed with last, though others went well at the same time: what it was ejected for, if it is."""

    @property
    def cause(self) -> Outcome | None:
        """What it fails with; of one that is ejected what it failed with before."""
        return self.outcome or (self.last if self.ejected else None)

    def failure(self, now_ms: int) -> Failure | None:
        """Tell why it fails; None where nothing says that it does."""
        if self.nameless_ms is not None and now_ms - self.nameless_ms >= NAMELESS_MS:
            return Failure.UNRESOLVABLE
        if self.outcome is not None and (self.well_ms is None or now_ms - self.well_ms >= RECENT_MS or self.ejected):
            return attempts.failure(self.outcome)
        if not self.ejected:
            return None
        return Failure.EJECTED if self.last is None else attempts.failure(self.last)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How one target stands, as it is kept over a restart."""

    region: str
    target: str
    identity: str
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that is remembered from one reading to the next."""

    standings: Mapping[Target, Standing] = field(default_factory=dict)
    identities: Mapping[Target, str] = field(default_factory=dict)
    totals: Mapping[str, Mapping[str, Counts]] = field(default_factory=dict)
    """By gateway and target."""
    unread: frozenset[Target] = frozenset()
    """Targets that an earlier process told of and that nobody has looked at since: gateways that run on had counted
    before, too, so what they show first is no news of these."""


def kept(evidence: Evidence, now_ms: int) -> tuple[Kept, ...]:
    """Return what must outlive the process, sorted: how all targets of endpoints stand that something fails at."""
    ill = {_endpoint_of(name) for (_, name), one in evidence.standings.items() if one.failure(now_ms) is not None}
    return tuple(
        Kept(
            region=region,
            target=name,
            identity=evidence.identities.get((region, name), ""),
            standing=replace(one, ejected=False, nameless_ms=None),
        )
        for (region, name), one in sorted(evidence.standings.items(), key=lambda item: item[0])
        if _endpoint_of(name) in ill and (one.outcome is not None or one.well_ms is not None)
    )[:MOST_KEPT]


def gone_on(remembered: Sequence[Kept], *, gateways_run_on: bool) -> Evidence:
    """Return the evidence that a new process begins with. `gateways_run_on`: they counted for the one before, too."""
    standings = {(one.region, one.target): one.standing for one in remembered}
    return Evidence(
        standings=standings,
        identities={(one.region, one.target): one.identity for one in remembered},
        unread=frozenset(standings) if gateways_run_on else frozenset(),
    )


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
    forgotten, but in regions where nothing is served yet. `gateways` are all processes that run; of one that could not
    be read what it showed last is remembered, and a region without any reading keeps its standings.
    """
    regions = {region for region, _ in identities}
    aside = {target: one for target, one in before.standings.items() if target[0] not in regions}
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
            told = {} if target in changed else _told(before, seen, target)
            standings[target] = _step(
                standing,
                told,
                ejected=any(name in reading.ejected for reading in seen),
                nameless=any(name in reading.nameless for reading in seen),
                now_ms=now_ms,
            )
    standings |= _ended_elsewhere(before.standings, standings, identities, now_ms)
    shown = {one.gateway: shown_last(before.totals.get(one.gateway, {}), one.totals) for one in readings}
    totals = {**before.totals, **shown}
    return Evidence(
        standings=aside | standings,
        identities={target: before.identities.get(target, "") for target in aside} | dict(identities),
        totals={gateway: totals[gateway] for gateway in gateways if gateway in totals},
        unread=frozenset(target for target in before.unread if target[0] not in by_region),
    )


def shown_last(
    before: Mapping[str, Mapping[K, int]], now: Mapping[str, Mapping[K, int]]
) -> Mapping[str, Mapping[K, int]]:
    """Return what a process showed last of each target, one that it does not serve at the moment included.

    Its totals go on where they were when such a target comes back. A total that shrank is another process's.
    """
    if any(now[target].get(key, 0) < count for target in now for key, count in before.get(target, {}).items()):
        return now
    return {**before, **now}


def _endpoint_of(target: str) -> str:
    return "/".join(target.split("/", 2)[:2])


def _told(before: Evidence, readings: Sequence[Reading], target: Target) -> dict[Outcome, int]:
    """Sum up what a region's gateways counted since their readings before."""
    told: dict[Outcome, int] = {}
    for reading in readings:
        known = before.totals.get(reading.gateway)
        if known is None and target in before.unread:
            continue
        earlier = None if known is None else known.get(target[1], {})
        for outcome, count in attempts.since(earlier, reading.totals.get(target[1], {})).items():
            told[outcome] = told.get(outcome, 0) + count
    return told


def _step(standing: Standing, told: Counts, *, ejected: bool, nameless: bool, now_ms: int) -> Standing:
    well = sum(count for outcome, count in told.items() if attempts.went_well(outcome))
    failed = sum(count for outcome, count in told.items() if attempts.failure(outcome) is not None)
    last = attempts.foremost(told.items()) or (standing.last if ejected or not well else None)
    if well:
        standing = Standing(well_ms=now_ms)
    if failed and failed >= well:  # in which order they came is not known; most of them decide
        standing = replace(
            standing,
            outcome=attempts.foremost(told.items()),
            failed=standing.failed + failed,
            since_ms=now_ms if standing.since_ms is None else standing.since_ms,
            failed_ms=now_ms,
        )
    since_ms = standing.since_ms
    if (ejected or nameless) and since_ms is None:
        since_ms = now_ms
    elif not (ejected or nameless) and standing.outcome is None:
        since_ms = None
    nameless_ms = None if not nameless else now_ms if standing.nameless_ms is None else standing.nameless_ms
    return replace(standing, ejected=ejected, nameless_ms=nameless_ms, since_ms=since_ms, last=last)


def _ended_elsewhere(
    before: Mapping[Target, Standing],
    standings: Mapping[Target, Standing],
    identities: Mapping[Target, str],
    now_ms: int,
) -> dict[Target, Standing]:
    """Return how those stand whose failure was the target's own, and that answered another region's gateways since."""
    answers = {(target[1], identities[target]) for target, one in standings.items() if _answers(one, now_ms)}
    return {
        target: replace(
            one,
            outcome=None,
            failed=0,
            failed_ms=None,
            well_ms=now_ms,
            since_ms=one.since_ms if one.ejected or one.nameless_ms is not None else None,
        )
        for target, one in standings.items()
        if one.outcome is not None
        and attempts.is_answer(one.outcome)
        and one.failed_ms == before.get(target, Standing()).failed_ms
        and (target[1], identities[target]) in answers
    }


def _answers(one: Standing, now_ms: int) -> bool:
    return one.well_ms == now_ms and one.outcome is None and not one.ejected
