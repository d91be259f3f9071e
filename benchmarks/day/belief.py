"""Whether figures of a replay are of the product, or of whatever else the machine did. Pure."""

from collections.abc import Sequence

from benchmarks.day.outcome import quantile
from benchmarks.day.replay import Replay
from benchmarks.day.watch import Sample

MOST_BUSY, MOST_OTHERS, MOST_STOLEN = 0.85, 0.15, 0.05
"""Shares of the machine in the spike: of all that runs, of others, of its host."""
MOST_LATE_MS = 15.0
"""p99 of what the load sent after it was due, and of what providers answered after it was asked for."""


def spike(replay: Replay) -> list[Sample]:
    """Return the samples of the spike."""
    return [one for one in replay.samples if replay.times.before < replay.second_of(one) <= replay.spike_over_s]


def calm(replay: Replay) -> list[Sample]:
    """Return the samples of the time before it, but for its beginning."""
    return [one for one in replay.samples if 0.1 * replay.times.before < replay.second_of(one) <= replay.times.before]


def mean(samples: Sequence[Sample], what: str) -> float:
    """Return the mean of `ours`, `others` or `stolen`, in cores."""
    whole = sum(one.took_s for one in samples)
    return sum(getattr(one, what) * one.took_s for one in samples) / whole if whole else 0.0


def busiest(samples: Sequence[Sample], what: str, seconds: int = 5) -> float:
    """Return the largest mean of so many samples in a row, in cores."""
    return max((mean(samples[at : at + seconds], what) for at in range(max(1, len(samples) - seconds + 1))), default=0)


def late_ms(replay: Replay) -> tuple[float, float]:
    """Return the p99 of what the load sent late, and of what providers did."""
    return (
        quantile((one.late_ms for one in replay.answers), 0.99),
        quantile((one.late_ms for one in replay.charges if one.whole), 0.99),
    )


def doubts(replay: Replay) -> list[str]:
    """Say why the figures are not to be believed; nothing where they are."""
    samples = spike(replay)
    ours, others, stolen = (mean(samples, what) / replay.cores for what in ("ours", "others", "stolen"))
    sent, answered = late_ms(replay)
    found = {
        f"the machine was {ours + others:.0%} busy in the spike, so times are those of a queue": ours + others
        > MOST_BUSY,
        f"others used {others:.0%} of the machine": others > MOST_OTHERS,
        f"its host gave away {stolen:.0%} of it": stolen > MOST_STOLEN,
        f"a hundredth of the requests was sent {sent:.0f} ms late": sent > MOST_LATE_MS,
        f"a hundredth of the answers left its provider {answered:.0f} ms late": answered > MOST_LATE_MS,
        "nothing ran with real-time priority": not replay.real_time,
    }
    return [why.replace("%", " %") for why, holds in found.items() if holds]
