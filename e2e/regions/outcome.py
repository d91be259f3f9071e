"""What a fault did to clients, from their answers and from what observers said. Pure."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from regions.load import RESIDENT, Answer

WINDOW_S = 3.0
"""Traffic is elsewhere, or at home, when all requests that began within so long are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One row of the table. Times in seconds since the fault began, or since it ended."""

    requests: int
    errors: tuple[str, ...]
    """Answers that were none, but for streams that had begun."""
    cut: int
    """Streams that had begun."""
    retried: int
    retried_after: int
    """Of these, began when the fault was over, a time limit of an attempt later."""
    elsewhere_s: float | None
    """Until the region's traffic touched the provider no more; None: it went on."""
    home_s: float | None
    """Until it was answered there again."""
    lowest: tuple[float, int] | None
    """When the region's own observer had lowered the share the most, and to how many percent; None: not at all."""
    left_geo: int
    """Requests that were answered, or seen by a provider, outside their geo."""
    busiest: float
    """Requests a second that the region's provider answered on the way back, against those before the fault, or those
    that its own clients asked in that second where these were more: clients on a busy machine ask late, and at once."""


def outcome(
    answers: Iterable[Answer],
    *,
    region: str,
    began_s: float,
    ended_s: float,
    grace_s: float,
    shares: Sequence[tuple[float, str]],
    seen_outside: int,
) -> Outcome:
    """Judge one fault at a region's provider."""
    everything = sorted(answers, key=lambda one: one.began_s)
    there = [one for one in everything if one.region == region]
    before = [one for one in there if one.began_s < began_s]
    during = [one for one in there if began_s <= one.began_s < ended_s]
    after = [one for one in there if one.began_s >= ended_s]
    retried = [one for one in everything if one.attempts > 1]
    left = sum(one.name == RESIDENT and one.status == 200 and not one.by.startswith("eu-") for one in everything)
    percents = [(at_s - began_s, int(share.rstrip("%"))) for at_s, share in shares if at_s < ended_s]
    return Outcome(
        requests=len(everything),
        errors=tuple(f"{one.region}: {one.status} {one.error}" for one in everything if one.failed),
        cut=sum(one.cut for one in everything),
        retried=len(retried),
        retried_after=sum(one.began_s >= ended_s + grace_s for one in retried),
        elsewhere_s=_since([(one.began_s - began_s, one.by != region and one.attempts == 1) for one in during]),
        home_s=_since([(one.began_s - ended_s, one.by == region and one.attempts == 1) for one in after]),
        lowest=min(percents, key=lambda one: one[1], default=None),
        left_geo=left + seen_outside,
        busiest=_rush([one for one in everything if one.began_s >= ended_s], before, region),
    )


def _since(told: Sequence[tuple[float, bool]]) -> float | None:
    """The first moment from which on all within a window are as they should be; None where there is none."""
    for moment, _ in ((0.0, True), *told):
        within = [well for at_s, well in told if moment <= at_s < moment + WINDOW_S]
        if within and all(within) and told[-1][0] >= moment + WINDOW_S * 0.9:
            return moment
    return None


def _rush(after: Sequence[Answer], before: Sequence[Answer], region: str) -> float:
    """Of everybody's requests, the second in which most were answered there, against what was to be expected."""
    usual = max((_within(one.began_s, before, lambda it: it.by == region) for one in before), default=0)
    return max(
        (
            _within(one.began_s, after, lambda it: it.by == region)
            / max(1, usual, _within(one.began_s, after, lambda it: it.region == region))
            for one in after
        ),
        default=0.0,
    )


def _within(at_s: float, answers: Sequence[Answer], chosen: Callable[[Answer], bool]) -> int:
    """Count the chosen requests that began in the second from then on."""
    first = bisect_left(answers, at_s, key=lambda one: one.began_s)
    last = bisect_left(answers, at_s + 1, key=lambda one: one.began_s)
    return sum(map(chosen, answers[first:last]))
