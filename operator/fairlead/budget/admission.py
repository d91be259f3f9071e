"""What a check tells the client: how much is left, when it resets, when to come back.

`Retry-After` follows one rule per policy without room: the window's end when the request would not fit even with every
open reservation released; a few seconds when only reservations stand in the way; nothing when the window never ends,
or when the request would not fit into an empty one.
Of several policies the latest counts, since each must have room.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from fairlead.budget.ledger import Counter, Posting, fits
from fairlead.budget.policy import Policy
from fairlead.budget.window import Span

SOON_S = 5
"""When to come back if only open reservations stand in the way."""
_SECOND_MS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where one policy stands for one consumer."""

    policy: Policy
    span: Span
    counter: Counter

    @property
    def remaining(self) -> int:
        """Limit minus spent minus reserved; negative after an overshoot."""
        return self.policy.limit - self.counter.spent - self.counter.reserved


def seconds_until(moment_ms: int, now_ms: int) -> int:
    """Return whole seconds, rounded up, at least 1: who waits that long is not early."""
    return max(1, -(-(moment_ms - now_ms) // _SECOND_MS))


def tightest(standings: Sequence[Standing]) -> Standing | None:
    """Return the standing with the least left, the first of equals; None without policies."""
    return min(standings, key=lambda standing: standing.remaining, default=None)


def short(standings: Sequence[Standing], postings: Sequence[Posting], amount: int) -> tuple[Standing, ...]:
    """Return those that have no room for an amount."""
    pairs = zip(standings, postings, strict=True)
    return tuple(standing for standing, posting in pairs if not fits(standing.counter, posting, amount))


def retry_after_s(lacking: Sequence[Standing], amount: int, now_ms: int) -> int | None:
    """Return the seconds after which a rejected request may fit; None: waiting does not help."""
    waits = [_wait_s(standing, amount, now_ms) for standing in lacking]
    known = [wait for wait in waits if wait is not None]
    return max(known) if known and len(known) == len(waits) else None


def is_exhausted(standing: Standing, amount: int) -> bool:
    """Tell whether an amount would not fit even with every open reservation released."""
    cap, spent = standing.policy.cap, standing.counter.spent
    return cap is not None and (spent >= cap or spent + amount > cap)


class Closes(StrEnum):
    """What has no room any more."""

    EVERYTHING = "everything"
    """Whatever the consumer asks, of any route."""
    ROUTE = "route"
    """Whatever it asks of the route that was asked."""
    LARGER = "larger"
    """On that route and model, what may cost as much as the request that was refused, or more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """Something of a consumer does not fit even with every reservation released: gateways may act on it unasked."""

    closes: Closes
    until_ms: int | None
    """When a window ends and there may be room again; None: never by itself."""
    again: bool
    """Whether waiting until then helps a request like the one that was refused."""
    at_end: bool
    """Whether the budget is short because of what was spent: the request would have fit into an empty window. Then
    smaller requests do not pass either while nobody can say what is left."""
    standing: Standing
    """The policy that has least left of those without room."""


def closing(standings: Sequence[Standing], amount: int, route: str) -> Closing | None:
    """Tell what closes with the refusal of a request for `amount` on a route; None: only reservations are in its way.

    Policies that count only the smaller route, which answers under budget pressure, close neither the consumer nor the
    asked route: that pressure may end with another window.
    """
    spent = [one for one in standings if is_spent(one) and one.policy.counts((route,))]
    everywhere = [one for one in spent if one.policy.routes is None]
    if everywhere or spent:
        return _closing(
            Closes.EVERYTHING if everywhere else Closes.ROUTE, everywhere or spent, _last(everywhere or spent)
        )
    lacking = [one for one in standings if is_exhausted(one, amount)]
    if not lacking:
        return None
    first = min((one.span.end_ms for one in standings if one.span.end_ms is not None), default=None)
    return _closing(Closes.LARGER, lacking, first, at_end=not any(never_fits(one, amount) for one in lacking))


def _closing(closes: Closes, lacking: Sequence[Standing], until_ms: int | None, *, at_end: bool = True) -> Closing:
    least = min(lacking, key=lambda standing: standing.remaining)
    again = at_end and until_ms is not None
    return Closing(closes=closes, until_ms=until_ms, again=again, at_end=at_end, standing=least)


def _last(standings: Sequence[Standing]) -> int | None:
    """Return when the last window ends; None when one never does."""
    ends = [one.span.end_ms for one in standings]
    return None if None in ends else max(end for end in ends if end is not None)


def is_spent(standing: Standing) -> bool:
    """Tell whether all is spent, so that not even the smallest request fits."""
    return standing.policy.cap is not None and standing.counter.spent >= standing.policy.cap


def never_fits(standing: Standing, amount: int) -> bool:
    """Tell whether an amount is more than the policy allows in a whole window: no waiting helps."""
    cap = standing.policy.cap
    return cap is not None and amount > cap


def _wait_s(standing: Standing, amount: int, now_ms: int) -> int | None:
    if never_fits(standing, amount):
        return None
    if not is_exhausted(standing, amount):
        return SOON_S
    end = standing.span.end_ms
    return None if end is None else seconds_until(end, now_ms)
