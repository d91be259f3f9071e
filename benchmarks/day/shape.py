"""The day as a list of requests: the shipped trace, read slowly, and for a while as fast as makes its spike. Pure."""

import math
import random
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

from fairlead.demo.replay import ROUTES
from fairlead.demo.trace import Arrival, Service

PER_DAY = 12_000_000
SPIKE = 40
"""How many times the day's mean is asked in its busiest seconds."""
PEAK = PER_DAY / 86_400 * SPIKE
"""Requests a second there, in all regions together."""
BUSIEST_S = 5.0
"""So long are the busiest seconds."""
MEDIAN_MS, SPREAD, CLIPPED_MS = 420.0, 0.15, (250.0, 640.0)
"""Of providers' whole answers: log-normal, and nothing beyond these two."""
_SPEEDS, _EXACT = (0.01, 100_000.0), 1.002
_AT_S = attrgetter("at_s")
SPIKE_AT_S = 1200.0
"""Where in the trace's hour the spike begins: its busiest quarter of an hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One that is to be sent."""

    number: int
    at_ms: float
    """Since the replay began."""
    region: str
    """Of its client."""
    model: str
    stream: bool
    prompt: int
    """Tokens."""
    completion: int
    """Tokens; of a stream, each is an event."""
    takes_ms: float
    """What its provider takes for the whole answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long the parts of the replay last, in seconds."""

    before: float
    spike: float
    after: float

    @property
    def whole(self) -> float:
        """All of it."""
        return self.before + self.spike + self.after


def day(trace: Sequence[Arrival], times: Times, peak: float, regions: Sequence[str], *, seed: int = 1) -> list[Request]:
    """Replay one stretch of the trace, so that in the spike's busiest seconds `peak` requests a second are due.

    Before and after, a fortieth of that is due on average. The stretch goes around the trace's end if it must.
    """
    fast = spike_speed(trace, times.spike, peak)
    slow = peak / SPIKE / (len(trace) / _length(trace))
    chance = random.Random(seed)
    ends = (times.before, times.before + times.spike, times.whole)
    begins = SPIKE_AT_S - slow * times.before
    found: list[Request] = []
    for arrival, at_s in _around(trace, begins, begins + slow * (times.before + times.after) + fast * times.spike):
        since = at_s - begins
        if since < slow * times.before:
            due = since / slow
        elif since < slow * times.before + fast * times.spike:
            due = ends[0] + (since - slow * times.before) / fast
        else:
            due = ends[1] + (since - slow * times.before - fast * times.spike) / slow
        low, high = CLIPPED_MS
        takes = min(high, max(low, MEDIAN_MS * math.exp(chance.gauss(0, SPREAD))))
        found.append(
            Request(
                number=len(found),
                at_ms=round(1000 * due, 3),
                region=regions[len(found) % len(regions)],
                model=ROUTES[arrival.service],
                stream=arrival.service is Service.CONVERSATION,
                prompt=arrival.prompt_tokens,
                completion=max(1, arrival.completion_tokens),
                takes_ms=round(takes, 1),
            )
        )
    return found


def spike_speed(trace: Sequence[Arrival], spike_s: float, peak: float) -> float:
    """Find how many times faster than it was the trace is to be read for so many requests in its busiest seconds."""
    low, high = _SPEEDS
    while high / low > _EXACT:
        middle = math.sqrt(low * high)
        at_s = [at_s for _, at_s in _around(trace, SPIKE_AT_S, SPIKE_AT_S + middle * spike_s)]
        if _most(at_s, BUSIEST_S * middle) < peak * BUSIEST_S:
            low = middle
        else:
            high = middle
    return high


def busiest(at_s: Sequence[float]) -> float:
    """Return requests a second in the busiest seconds of a sorted list of moments."""
    return _most(at_s, BUSIEST_S) / BUSIEST_S


def _most(at_s: Sequence[float], within_s: float) -> int:
    """Return how many of a sorted list of moments are within so long, at most."""
    most = first = 0
    for last, at in enumerate(at_s):
        while at_s[first] <= at - within_s:
            first += 1
        most = max(most, last - first + 1)
    return most


def _length(trace: Sequence[Arrival]) -> float:
    return trace[-1].at_s + 1.0


def _around(trace: Sequence[Arrival], begin_s: float, end_s: float) -> Iterator[tuple[Arrival, float]]:
    """Return what arrives between two moments of the trace, which begins anew at its end."""
    length = _length(trace)
    for lap in range(math.floor(begin_s / length), math.floor(end_s / length) + 1):
        first, last = (bisect_left(trace, at - lap * length, key=_AT_S) for at in (begin_s, end_s))
        for one in trace[first:last]:
            yield one, one.at_s + lap * length
