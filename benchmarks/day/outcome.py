"""What clients saw of the replay, in its parts. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.day.shape import Request

OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a request; times in milliseconds from when it was due, so that no queue can hide."""

    number: int
    late_ms: float
    """How long after that it was sent."""
    first_ms: float
    whole_ms: float
    status: int
    """0: no gateway answered."""
    gateway: str
    """The region of the last gateway that was asked."""
    by: str
    """The region that answered."""
    attempts: str
    moved: int
    """Gateways that were asked before."""
    cut: bool
    """It had begun, and did not come to its end."""
    error: str

    @property
    def good(self) -> bool:
        """Whether the client has a whole answer."""
        return self.status == OK and not self.cut


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What came of the requests that were due in a part of the replay."""

    name: str
    requests: int
    good: int
    cut: int
    errors: tuple[str, ...]
    p50: float
    p99: float
    first_p50: float
    """Of streams alone, as the next."""
    first_p99: float
    retried: int
    """Answered by another attempt than the first."""
    moved: int
    """Answered by another region's gateway."""

    @property
    def success(self) -> float:
        """The share of good answers; 1 where nothing was asked."""
        return self.good / self.requests if self.requests else 1.0


def part(name: str, plan: Sequence[Request], answers: Sequence[Answer], begin_s: float, end_s: float) -> Part:
    """Judge what was due between two moments of the replay, in seconds."""
    due = [one for asked, one in zip(plan, answers, strict=True) if begin_s <= asked.at_ms / 1000 < end_s]
    good = [one for one in due if one.good]
    streams = {asked.number for asked in plan if asked.stream}
    first = [one.first_ms for one in good if one.number in streams]
    return Part(
        name=name,
        requests=len(due),
        good=len(good),
        cut=sum(one.cut for one in due),
        errors=tuple(f"{one.gateway}: {one.status} {one.error}" for one in due if not one.good and not one.cut),
        p50=quantile([one.whole_ms for one in good], 0.5),
        p99=quantile([one.whole_ms for one in good], 0.99),
        first_p50=quantile(first, 0.5),
        first_p99=quantile(first, 0.99),
        retried=sum(one.attempts not in ("", "1") for one in good),
        moved=sum(one.moved > 0 for one in good),
    )


def quantile(values: Iterable[float], share: float) -> float:
    """Return the smallest value that so large a share of them does not exceed; 0 of nothing."""
    found = sorted(values)
    return found[min(len(found) - 1, int(share * len(found)))] if found else 0.0
