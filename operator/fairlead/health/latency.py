"""First bytes of streams: an endpoint is slow by the measure of its own last ten minutes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

Histogram = Mapping[int, int]
"""Counts by the upper bound of their bucket in milliseconds. Not cumulative."""
STREAMS = 20
"""So many are needed on both sides before two 95th percentiles are compared."""
TIMES = 10
"""How much slower is slow."""
FLOOR_MS = 1_000
"""What is not slower than this is not slow, whatever it was before."""
REMEMBERED_MS = 600_000
_SLOT_MS = 120_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """First bytes of two minutes."""

    begin_ms: int
    streams: Mapping[str, Histogram] = field(default_factory=dict)
    """By target."""


History = tuple[Stretch, ...]
"""Oldest first."""


def together(histograms: Iterable[Histogram]) -> Histogram:
    """Add histograms up."""
    found: dict[int, int] = {}
    for histogram in histograms:
        for bound, count in histogram.items():
            found[bound] = found.get(bound, 0) + count
    return dict(sorted(found.items()))


def p95(histogram: Histogram) -> int | None:
    """Return the bound of the bucket in which the 95th percentile lies; None for too few."""
    count = sum(histogram.values())
    if count < STREAMS:
        return None
    rank, seen = -(-count * 95 // 100), 0
    for bound, number in sorted(histogram.items()):
        seen += number
        if seen >= rank:
            return bound
    raise AssertionError  # the counts sum up to at least the rank


def remembered(history: History, streams: Mapping[str, Histogram], begin_ms: int, now_ms: int) -> History:
    """Forget what is older than ten minutes, and add what was seen from `begin_ms` on."""
    kept = tuple(one for one in history if one.begin_ms >= now_ms - REMEMBERED_MS)
    if not streams:
        return kept
    begin_ms -= begin_ms % _SLOT_MS
    if not kept or kept[-1].begin_ms < begin_ms:
        return (*kept, Stretch(begin_ms=begin_ms, streams=dict(streams)))
    last = kept[-1]
    names = sorted({*last.streams, *streams})
    both = {name: together((last.streams.get(name, {}), streams.get(name, {}))) for name in names}
    return (*kept[:-1], replace(last, streams=both))


def is_slow(history: History, streams: Mapping[str, Histogram]) -> bool:
    """Tell whether most of the targets that can be compared are slow: a single model that is says nothing of others."""
    slow = compared = 0
    for target, now in streams.items():
        before = p95(together(one.streams.get(target, {}) for one in history))
        late = p95(now)
        if before is not None and late is not None:
            compared += 1
            slow += late > FLOOR_MS and late >= TIMES * before
    return 2 * slow > compared
