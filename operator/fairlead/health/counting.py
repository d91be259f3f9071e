"""What gateways' totals say of the time since they were read before: pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from fairlead.health import attempts
from fairlead.health.attempts import Counts, Outcome
from fairlead.health.endpoint import Traffic
from fairlead.health.standing import Reading, shown_last

Buckets = Mapping[int, int]
K = TypeVar("K")

REFUSAL_LASTS_MS = 60_000
"""Nothing was refused for so long: it is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """The totals that each gateway process showed last."""

    outcomes: Mapping[str, Mapping[str, Counts]] = field(default_factory=dict)
    """By gateway and target."""
    first_bytes: Mapping[str, Mapping[str, Buckets]] = field(default_factory=dict)
    """The same."""


def count(
    before: Counting, readings: Sequence[Reading], endpoints: Mapping[str, str], *, gateways: Collection[str]
) -> tuple[Counting, tuple[Traffic, ...]]:
    """Return what is to be remembered, and what was told since: of every target in each region that was read, sorted.

    `endpoints` has the endpoint of each target, `gateways` are all processes that run. Of a gateway that was never read
    before nobody knows when its totals came about: they count for nothing, and what it says of this moment does.
    """
    found: dict[tuple[str, str], _Told] = {}
    for reading in readings:
        outcomes = before.outcomes.get(reading.gateway)
        buckets = before.first_bytes.get(reading.gateway, {})
        for target in endpoints:
            told = found.setdefault((reading.region, target), _Told())
            told.ejected |= target in reading.ejected
            told.nameless |= target in reading.nameless
            if outcomes is not None:
                _add(told.outcomes, attempts.since(outcomes.get(target, {}), reading.totals.get(target, {})))
                _add(told.first_bytes, _since(buckets.get(target, {}), reading.first_bytes.get(target, {})))
    counting = Counting(
        outcomes=_kept(before.outcomes, {one.gateway: one.totals for one in readings}, gateways),
        first_bytes=_kept(before.first_bytes, {one.gateway: one.first_bytes for one in readings}, gateways),
    )
    return counting, tuple(
        Traffic(
            endpoint=endpoints[target],
            target=target,
            region=region,
            outcomes=told.outcomes,
            ejected=told.ejected,
            nameless=told.nameless,
            first_byte_ms=told.first_bytes,
        )
        for (region, target), told in sorted(found.items())
    )


@dataclass(slots=True)
class _Told:
    outcomes: dict[Outcome, int] = field(default_factory=dict)
    first_bytes: dict[int, int] = field(default_factory=dict)
    ejected: bool = False
    nameless: bool = False


def _since(before: Buckets, now: Buckets) -> Buckets:
    """Return what came to a histogram; one that shrank began anew with a new process."""
    if any(now.get(bound, 0) < number for bound, number in before.items()):
        return now
    return {bound: number - before.get(bound, 0) for bound, number in now.items() if number > before.get(bound, 0)}


def _add(to: dict[K, int], more: Mapping[K, int]) -> None:
    for key, number in more.items():
        to[key] = to.get(key, 0) + number


def _kept(
    before: Mapping[str, Mapping[str, Mapping[K, int]]],
    read: Mapping[str, Mapping[str, Mapping[K, int]]],
    gateways: Collection[str],
) -> dict[str, Mapping[str, Mapping[K, int]]]:
    shown = {**before, **{gateway: shown_last(before.get(gateway, {}), now) for gateway, now in read.items()}}
    return {gateway: shown[gateway] for gateway in gateways if gateway in shown}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """What was counted up to the last look."""

    totals: Mapping[str, int] = field(default_factory=dict)
    """By gateway: requests and connections, since it started."""
    since_ms: Mapping[str, int] = field(default_factory=dict)
    """By region that refuses: since when."""
    last_ms: Mapping[str, int] = field(default_factory=dict)
    """By the same regions: when some were last seen."""


def refused(before: Refused, readings: Iterable[Reading], gateways: Iterable[str], now_ms: int) -> Refused:
    """Go on by what gateways show now. `gateways` are all that run: of others nothing is kept.

    The first reading of a gateway says nothing; a total that fell is of a process that started anew.
    """
    running = set(gateways)
    totals = {name: total for name, total in before.totals.items() if name in running}
    last = {region: at for region, at in before.last_ms.items() if now_ms - at < REFUSAL_LASTS_MS}
    for one in readings:
        known = totals.get(one.gateway, one.refused)
        if one.refused > (known if one.refused >= known else 0):
            last[one.region] = now_ms
        totals[one.gateway] = one.refused
    return Refused(
        totals=totals, last_ms=last, since_ms={region: before.since_ms.get(region, now_ms) for region in last}
    )
