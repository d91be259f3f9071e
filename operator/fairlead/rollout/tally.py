"""What was counted at the arms of a rollout in one step."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

K = TypeVar("K")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmCounts:
    """Attempts at one side's own target, not at what its ladder fell back to."""

    attempts: int = 0
    failed: int = 0
    unended: int = 0
    """Of the others: answers that did not say why they ended, and attempts that clients gave up before any came."""
    first_bytes: Mapping[float, int] = field(default_factory=dict)
    """Streams: upper bound of a bucket in milliseconds (infinity: the last one) to the number in it, not cumulative.
    Empty buckets are named too: where one begins is where the one before ends."""
    input_tokens: int = 0
    output_tokens: int = 0
    nano_usd: int = 0
    """What these tokens cost, in nano-dollars."""
    unpriced_tokens: int = 0
    """Those of them whose model has no price: what they cost is not known."""
    finish_reasons: Mapping[str, int] = field(default_factory=dict)

    def plus(self, more: "ArmCounts") -> "ArmCounts":
        """Return the sum of both. No attempt fails twice, as one does that breaks and is cut, too."""
        attempts = self.attempts + more.attempts
        failed = min(attempts, self.failed + more.failed)
        return ArmCounts(
            attempts=attempts,
            failed=failed,
            unended=min(attempts - failed, max(0, self.unended + more.unended)),
            first_bytes=_sum(self.first_bytes, more.first_bytes),
            input_tokens=self.input_tokens + more.input_tokens,
            output_tokens=self.output_tokens + more.output_tokens,
            nano_usd=self.nano_usd + more.nano_usd,
            unpriced_tokens=self.unpriced_tokens + more.unpriced_tokens,
            finish_reasons=_sum(self.finish_reasons, more.finish_reasons),
        )

    @property
    def error_rate(self) -> float | None:
        """Return the share of failed attempts; None without any."""
        return self.failed / self.attempts if self.attempts else None

    @property
    def worse(self) -> int:
        """Return how many attempts brought no whole answer: they failed, were cut, or did not say why they ended."""
        return self.failed + self.unended

    @property
    def ended(self) -> int:
        """Return how many answers said why they ended."""
        return sum(self.finish_reasons.values())

    @property
    def tokens_per_request(self) -> float | None:
        """Return how many tokens, in and out, an attempt that was answered had; None without any."""
        answered = self.attempts - self.failed
        return (self.input_tokens + self.output_tokens) / answered if answered > 0 else None

    @property
    def mean_nano_usd(self) -> float | None:
        """Return what an attempt that was answered cost; None without any, or without a price."""
        answered = self.attempts - self.failed
        return self.nano_usd / answered if answered > 0 and not self.unpriced_tokens else None

    @property
    def streams(self) -> int:
        """Return how many first bytes were timed."""
        return sum(self.first_bytes.values())

    def quantile_ms(self, share: float) -> float | None:
        """Return the upper bound of the bucket that holds a quantile of the first bytes; None without any."""
        total, seen = self.streams, 0
        for bound, count in sorted(self.first_bytes.items()):
            seen += count
            if seen and seen >= share * total:
                return bound
        return None

    def later_than(self, bound_ms: float) -> int:
        """Count first bytes in buckets that lie wholly above a bound."""
        ordered = sorted(self.first_bytes.items())
        lower = [0.0, *(upper for upper, _ in ordered)]
        return sum(count for below, (_, count) in zip(lower, ordered, strict=False) if below >= bound_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Both sides since a step began."""

    stable: ArmCounts = field(default_factory=ArmCounts)
    candidate: ArmCounts = field(default_factory=ArmCounts)

    def plus(self, more: "Tally") -> "Tally":
        """Return the sum of both."""
        return Tally(stable=self.stable.plus(more.stable), candidate=self.candidate.plus(more.candidate))


def _sum(one: Mapping[K, int], other: Mapping[K, int]) -> dict[K, int]:
    return {key: one.get(key, 0) + other.get(key, 0) for key in {**one, **other}}
