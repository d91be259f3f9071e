"""What gateways counted at one endpoint in recent time.

Evidence is kept in slots as long as the endpoint's probe interval I, and forgotten when it is older than 5 I. Keys are
words, so that all of it is JSON as it stands.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fairlead.health import attempts
from fairlead.health.attempts import Outcome
from fairlead.health.endpoint import Traffic
from fairlead.health.latency import Histogram, together

INTERVALS = 5
"""How long evidence counts, in probe intervals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """What attempts at one target by the gateways of one region came to."""

    well: int = 0
    failed: Mapping[str, int] = field(default_factory=dict)
    """Failures that count against the endpoint, by outcome, `<status> <flags>`."""

    @property
    def failures(self) -> int:
        """How many failed."""
        return sum(self.failed.values())

    @property
    def all(self) -> int:
        """How many there were."""
        return self.well + self.failures


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """What was counted in one interval."""

    begin_ms: int
    attempts: Mapping[str, Attempts] = field(default_factory=dict)
    """By place, `<region> <target>`."""
    streams: Mapping[str, Histogram] = field(default_factory=dict)
    """First bytes, by target."""


Window = tuple[Slot, ...]
"""Oldest first."""


def place(region: str, target: str) -> str:
    """Name where attempts are counted: gateways of a region, and a target."""
    return f"{region} {target}"


def region_of(place: str) -> str:
    """Return the region of the gateways."""
    return place.partition(" ")[0]


def target_of(place: str) -> str:
    """Return the target."""
    return place.partition(" ")[2]


def outcome(word: str) -> Outcome:
    """Read a key of `Attempts.failed`."""
    status, _, flags = word.partition(" ")
    return int(status), flags


def counted(seen: Traffic) -> Attempts:
    """Pick what counts: requests that were wrong themselves say nothing of the endpoint."""
    return Attempts(
        well=sum(count for one, count in seen.outcomes.items() if attempts.went_well(one)),
        failed={
            f"{status} {flags}": count
            for (status, flags), count in sorted(seen.outcomes.items())
            if count > 0 and attempts.moves_traffic((status, flags))
        },
    )


def added(window: Window, traffic: Sequence[Traffic], interval_ms: int, now_ms: int) -> Window:
    """Take in what was counted up to now."""
    new = Slot(
        begin_ms=now_ms - now_ms % interval_ms,
        attempts=_attempts(traffic),
        streams=_streams(traffic),
    )
    if not new.attempts and not new.streams:
        return window
    if window and window[-1].begin_ms >= new.begin_ms:
        return (*window[:-1], _merged(window[-1], new))
    return (*window, new)


def divided(window: Window, interval_ms: int, now_ms: int) -> tuple[Window, Window]:
    """Return what is too old to count, and what counts."""
    oldest_ms = now_ms - INTERVALS * interval_ms
    fresh = tuple(slot for slot in window if slot.begin_ms >= oldest_ms)
    return window[: len(window) - len(fresh)], fresh


def latest(window: Window, interval_ms: int, now_ms: int, least: int) -> Window:
    """Return this interval's slot and the one before, where they have that many attempts; else everything."""
    from_ms = now_ms - now_ms % interval_ms - interval_ms
    recent = tuple(slot for slot in window if slot.begin_ms >= from_ms)
    return recent if sum(one.all for slot in recent for one in slot.attempts.values()) >= least else window


def total(window: Window) -> Mapping[str, Attempts]:
    """Sum up all slots, by place."""
    found: dict[str, Attempts] = {}
    for slot in window:
        for name, one in slot.attempts.items():
            found[name] = plus(found.get(name, Attempts()), one)
    return found


def plus(one: Attempts, other: Attempts) -> Attempts:
    """Add two counts."""
    failed = dict(one.failed)
    for word, count in other.failed.items():
        failed[word] = failed.get(word, 0) + count
    return Attempts(well=one.well + other.well, failed=failed)


def streams(window: Sequence[Slot]) -> Mapping[str, Histogram]:
    """Return the first bytes of all slots, by target."""
    names = {name for slot in window for name in slot.streams}
    return {name: together(slot.streams.get(name, {}) for slot in window) for name in sorted(names)}


def _attempts(traffic: Sequence[Traffic]) -> Mapping[str, Attempts]:
    found: dict[str, Attempts] = {}
    for one in traffic:
        if (seen := counted(one)).all:
            name = place(one.region, one.target)
            found[name] = plus(found.get(name, Attempts()), seen)
    return found


def _streams(traffic: Sequence[Traffic]) -> Mapping[str, Histogram]:
    by_target: dict[str, list[Histogram]] = {}
    for one in traffic:
        if one.first_byte_ms:
            by_target.setdefault(one.target, []).append(one.first_byte_ms)
    return {target: together(histograms) for target, histograms in by_target.items()}


def _merged(one: Slot, other: Slot) -> Slot:
    names = {**one.attempts, **other.attempts}
    return Slot(
        begin_ms=one.begin_ms,
        attempts={
            name: plus(one.attempts.get(name, Attempts()), other.attempts.get(name, Attempts())) for name in names
        },
        streams=streams((one, other)),
    )
