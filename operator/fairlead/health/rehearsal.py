"""What a drill is judged by: what clients of all gateways met before the drain, and while it lasts. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

ENOUGH = 20
"""Requests below which nothing is concluded."""
SHORTEST_S = 10
"""The shortest drill: gateways sum up first bytes every 5 s, so less shows nothing of them."""
_SEEN_S = 5.0
"""How long a region has to have been drained for anything to be concluded."""
SETTLE_S = 3.0
"""After the drain began, until no new request is to reach the region's endpoints."""
LONGEST_RETURN_S = 600.0
"""After the drain ended, until the region's endpoints are to have their traffic again; not looked at for longer."""
_BEFORE_S = (10.0, 60.0)
"""Shortest and longest look at clients before the drain; a tenth of the drill otherwise."""
_ALL_BP = 10_000
_P95 = 95
_SERVER_ERROR = 500


class Outcome(StrEnum):
    """What a drill came to."""

    HELD = "Held"
    """Clients did well without the region."""
    GAVE_UP = "GaveUp"
    """A bound was passed, or somebody ended it; traffic came back at once."""
    INCONCLUSIVE = "Inconclusive"
    """It ran, and says nothing of what a loss of the region would be."""
    REFUSED = "Refused"
    """It did not begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """When a drill gives up."""

    error_rate_bp: int
    """Clients' errors, in basis points of their requests."""
    first_byte_increase_bp: int
    """Of the 95th percentile of the time to the first byte, against before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What clients' requests came to in some time."""

    seconds: float = 0.0
    requests: int = 0
    errors: int = 0
    """Answers of 500 and more; and a provider's 429, which came because there was nobody else."""
    first_bytes: Mapping[int, int] = field(default_factory=dict)
    """How many began within how many milliseconds and not sooner."""
    nanodollars: int = 0
    uncounted: int = 0
    """Answers that cost something which nobody counted: images, audio, characters or searches."""
    served: Mapping[str, int] = field(default_factory=dict)
    """Requests by the endpoint that answered."""

    @property
    def error_rate_bp(self) -> int:
        """Errors in basis points, rounded up."""
        return -(-10_000 * self.errors // self.requests) if self.requests else 0

    @property
    def first_byte_p95_ms(self) -> int | None:
        """The 95th percentile, between a bucket's bounds in proportion; None without any."""
        total, lower, below = sum(self.first_bytes.values()), 0, 0
        if not total:
            return None
        for upper, count in sorted(self.first_bytes.items()):
            if 100 * (below + count) >= _P95 * total:
                return round(lower + (upper - lower) * (_P95 * total / 100 - below) / count)
            lower, below = upper, below + count
        return lower

    def per_minute(self, number: int) -> float:
        """Return a number of this span as a rate."""
        return 60 * number / self.seconds if self.seconds else 0.0


def before_s(length_s: float) -> float:
    """Return for how long clients are looked at before the drain."""
    shortest, longest = _BEFORE_S
    return min(longest, max(shortest, length_s / 10))


def is_error(status: int, target: str) -> bool:
    """Tell whether a client was failed: not by its own mistake, and not by its budget, whose 429 has no target."""
    return status >= _SERVER_ERROR or status == 0 or (status == 429 and "/" in target)  # noqa: PLR2004  its own number


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What was seen of one drill up to now."""

    before: Span = field(default_factory=Span)
    during: Span = field(default_factory=Span)
    """Since the drain began."""
    settled: Span = field(default_factory=Span)
    """Since `SETTLE_S` after that: from then on new requests go elsewhere, where there is an elsewhere."""
    in_flight: int = 0
    """Requests that the region's endpoints were still answering when `settled` began."""
    drained: Collection[str] = ()
    """The region's endpoints, `provider/endpoint`."""
    drained_s: float = 0.0
    after: Span | None = None
    """Since the drain ended, until its traffic was back; None where nobody looked."""
    back_s: float | None = None
    """When it was, in seconds after the end of the drain; None where it was not."""

    @property
    def stranded(self) -> int:
        """Requests that the region itself answered although it was drained: nobody else did. Its loss fails them."""
        return max(0, _by(self.settled, self.drained) - self.in_flight)


def conclusion(seen: Watched, bounds: Bounds) -> tuple[Outcome, str]:
    """Say what a drill came to whose time is over, and why it is not `Held`."""
    reason = _unseen(seen, bounds)
    if broken := breach(seen, bounds):
        return Outcome.GAVE_UP, broken
    return (Outcome.INCONCLUSIVE, reason) if reason else (Outcome.HELD, "")


def returned(seen: Watched, bounds: Bounds, outcome: Outcome, reason: str) -> tuple[Outcome, str]:
    """Say what a drill came to, and why, in view of the way back."""
    after = seen.after
    if outcome in (Outcome.GAVE_UP, Outcome.REFUSED) or after is None:
        return outcome, reason
    if after.requests >= ENOUGH and after.error_rate_bp > bounds.error_rate_bp:
        got, most = (f"{number / 100:g}%" for number in (after.error_rate_bp, bounds.error_rate_bp))
        said = f"{after.errors} of {after.requests} requests failed ({got}) while its traffic came back"
        return Outcome.GAVE_UP, f"{said}, want at most {most}"
    if seen.back_s is None and after.seconds >= LONGEST_RETURN_S:
        return Outcome.GAVE_UP, f"its traffic was not back {LONGEST_RETURN_S:g} s after the drain"
    return outcome, reason


def words(outcome: Outcome, reason: str) -> str:
    """Say an outcome to a person."""
    said = {
        Outcome.HELD: "held",
        Outcome.GAVE_UP: "gave up",
        Outcome.INCONCLUSIVE: "inconclusive",
        Outcome.REFUSED: "refused",
    }[outcome]
    return f"{said}: {reason}" if reason else said


def _unseen(seen: Watched, bounds: Bounds) -> str:
    if bounds.error_rate_bp >= _ALL_BP:
        return f"errors had no bound: got {bounds.error_rate_bp / 100:g}%, want less than 100%"
    if seen.drained_s < _SEEN_S:
        return f"it was drained for {seen.drained_s:.1f} s only, want {SHORTEST_S} s at least"
    if seen.settled.requests < ENOUGH:
        return f"{seen.settled.requests} requests came while it was drained, want {ENOUGH} at least"
    if seen.drained and not _by(seen.before, seen.drained):
        return "its endpoints served nobody before, so no traffic had to move"
    return ""


def notes(seen: Watched) -> tuple[str, ...]:
    """Say what was not looked at for want of requests or of counts, and who was served by the region all the same."""
    found = []
    if (number := min(_streams(seen.before), _streams(seen.during))) < ENOUGH:
        found.append(
            f"the first byte's p95 was not compared: {number} requests, want {ENOUGH} before and while drained"
        )
    if uncounted := seen.before.uncounted + seen.during.uncounted + (seen.after.uncounted if seen.after else 0):
        found.append(
            f"in dollars a minute {uncounted} answers are missing: nobody counted the images, audio, characters or"
            " searches by which they are billed"
        )
    if seen.stranded:
        found.append(f"{seen.stranded} requests were answered by the region itself: nobody else did")
    if seen.after is not None and seen.back_s is None:
        found.append(
            f"its traffic was not back when nobody looked any more, {seen.after.seconds:.0f} s after the drain"
        )
    return tuple(found)


def breach(seen: Watched, bounds: Bounds) -> str:
    """Say which bound is passed; empty where none is, or too few requests came to say."""
    before, during = seen.before, seen.during
    lost, settled = seen.settled.errors + seen.stranded, seen.settled.requests
    if seen.stranded and settled >= ENOUGH and _ALL_BP * lost > bounds.error_rate_bp * settled:
        return (
            f"{seen.stranded} of {settled} requests were answered by the drained region itself, since nobody else"
            " did: without it they fail"
        )
    if during.requests >= ENOUGH and during.error_rate_bp > bounds.error_rate_bp:
        got, most = (f"{number / 100:g}%" for number in (during.error_rate_bp, bounds.error_rate_bp))
        return f"{during.errors} of {during.requests} requests failed ({got}), want at most {most}"
    then, now = before.first_byte_p95_ms, during.first_byte_p95_ms
    if then is None or now is None or min(_streams(before), _streams(during)) < ENOUGH:
        return ""
    if 10_000 * (now - then) > bounds.first_byte_increase_bp * max(then, 1):
        most = f"{bounds.first_byte_increase_bp / 100:g}%"
        return f"the first byte's p95 went from {then} to {now} ms, want at most {most} more"
    return ""


def _by(span: Span, endpoints: Collection[str]) -> int:
    return sum(count for name, count in span.served.items() if name in endpoints)


def _streams(span: Span) -> int:
    return sum(span.first_bytes.values())
