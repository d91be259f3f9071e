"""Which policies count a request, with the windows that run now and the counters that pay."""

from dataclasses import dataclass

from fairlead.budget.admission import Standing
from fairlead.budget.ledger import Counter, Posting
from fairlead.budget.policy import Policy, counter, unbudgeted
from fairlead.budget.window import Span, span
from fairlead.budgetserver.store import KEEP_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Which policies count a request of a consumer on some routes, worked out for the windows that run."""

    policies: tuple[Policy, ...]
    spans: tuple[Span, ...]
    postings: tuple[Posting, ...]
    downgrades: bool
    """Whether some policy may downgrade."""
    from_ms: int
    until_ms: int | None
    """The terms hold for `from_ms <= now < until_ms`."""

    def hold_at(self, now_ms: int) -> bool:
        """Say whether the windows are still the ones that run; a clock may also step back."""
        return self.from_ms <= now_ms and (self.until_ms is None or now_ms < self.until_ms)

    def remaining(self, counters: tuple[Counter, ...]) -> int | None:
        """Return what is left of the policy with the least; None without policies."""
        left = [
            policy.limit - found.spent - found.reserved for policy, found in zip(self.policies, counters, strict=True)
        ]
        return min(left, default=None)

    def standings(self, counters: tuple[Counter, ...]) -> tuple[Standing, ...]:
        """Put counters beside their policies."""
        triples = zip(self.policies, self.spans, counters, strict=True)
        return tuple(Standing(policy=policy, span=window, counter=found) for policy, window, found in triples)


def terms_of(policies: tuple[Policy, ...], consumer: str, now_ms: int) -> Terms:
    """Work out the terms of these policies for a consumer at a moment."""
    spans = tuple(span(policy.window, now_ms) for policy in policies)
    postings = tuple(
        Posting(
            counter=counter(policy, consumer, window),
            cap=policy.cap,
            downgrade_at=policy.downgrade_at,
            keep_ms=keep_ms(window, now_ms),
        )
        for policy, window in zip(policies, spans, strict=True)
    )
    ends = [window.end_ms for window in spans if window.end_ms is not None]
    return Terms(
        policies=policies,
        spans=spans,
        postings=postings,
        downgrades=any(posting.downgrade_at is not None for posting in postings),
        from_ms=max((window.start_ms for window in spans), default=0),
        until_ms=min(ends, default=None),
    )


def keep_ms(window: Span, now_ms: int) -> int | None:
    """Return how long a counter of a window is kept from now on; None = forever."""
    return None if window.end_ms is None else window.end_ms - now_ms + KEEP_MS


def unbudgeted_posting(consumer: str, now_ms: int) -> Posting:
    """Return the counter of a consumer that no policy matches."""
    name, window = unbudgeted(consumer, now_ms)
    return Posting(counter=name, cap=None, downgrade_at=None, keep_ms=keep_ms(window, now_ms))
