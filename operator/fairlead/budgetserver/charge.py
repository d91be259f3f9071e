"""What a report books: pure rules, one for each way in which a request can end.

answered, tokens counted                 the tokens at the price of the target that answered
answered, no usage in the reply; or      what is not known is estimated: the input from the body; the
  one that cannot be true; or the client   output from the answer's bytes, and never less than the provider
  left; or the provider broke              can have written in that time; at most the reservation
refused by everybody (4xx, 5xx), or      nothing: the reservation is released; but for a last attempt
  never sent to a provider                 that its provider may bill all the same: what it may have cost
"""

from dataclasses import dataclass
from enum import StrEnum

from fairlead.budget.attempt import possible_cost, possible_output
from fairlead.budget.belief import Belief, Doubt, believe
from fairlead.budget.estimate import LARGEST, Rung, asked_tokens, likely, shown_tokens, uncounted
from fairlead.budget.ledger import Settlement
from fairlead.budget.price import NO_TOKENS, cost, unpriced
from fairlead.budget.reconciliation import Count, UsageCounterKey
from fairlead.budget.unit import Asked, Unit
from fairlead.budgetserver.descriptor import Report


class Kind(StrEnum):
    """What a bill is of."""

    REQUEST = "request"
    SHADOW = "shadow"
    """A copy."""
    SPENT = "spent"
    """What a route's request cost, once more: for its savings."""
    BASELINE = "baseline"
    """What it would have cost at the route's baseline."""
    COUNT = "count"
    """That it ended, on a route that keeps answers; its amount are no dollars."""
    SAVED = "saved"
    """What a kept answer would have cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """A settlement on its way to the store."""

    settlement: Settlement
    metered: tuple[UsageCounterKey, Count] | None
    """What reconciliation is told of it; None = nothing."""
    route: str
    budgeted: bool
    kind: Kind = Kind.REQUEST
    shadow: str = ""
    """The target of the shadow whose copy this is the bill of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What is to be booked for one request."""

    cost: int
    estimated: bool
    doubt: Doubt | None = None
    """Why it is estimated."""
    unpriced: tuple[str, ...] = ()
    """Kinds of tokens that were counted and have no price: they cost as text."""

    @property
    def dropped(self) -> bool:
        """The provider's count cannot be true: reconciliation does not take it either."""
        return self.doubt is Doubt.TOO_LARGE


NOTHING = Charge(cost=0, estimated=False)


def charge(report: Report, rung: Rung | None, route_limit: int | None = None) -> Charge:
    """Return what a report books. Without a rung (no targets are known at all) nothing has a price.

    `route_limit` is the route's cap on output, in tokens.
    """
    if rung is None or report.free or (rung.price.is_free and not rung.text):
        return NOTHING
    belief = believe(report.claim, rung, sent_bytes=report.sent_bytes)
    if report.asked is not None and not report.unanswered:
        return _by_units(report, report.asked, rung, belief)
    if belief.doubt is None:
        return _counted(report, rung)
    if report.unanswered and belief.input is None and belief.output is None and belief.doubt in _SILENT:
        possible = 0
        if report.last is not None:
            possible = possible_cost(report.last, report.ask, rung, route_limit, stream=report.stream)
        return Charge(cost=possible, estimated=True, doubt=belief.doubt) if possible else NOTHING
    return _estimated(report, rung, belief, route_limit)


_SILENT = frozenset({Doubt.ABSENT, Doubt.ZERO})
"""What a provider that refused says of its tokens, as a rule."""


def _counted(report: Report, rung: Rung) -> Charge:
    tokens = report.claim.tokens
    lacking = unpriced(rung.price, tokens, text=rung.text)
    return Charge(
        cost=min(LARGEST, cost(rung.price, tokens)),
        estimated=bool(lacking),
        doubt=Doubt.UNPRICED if lacking else None,
        unpriced=lacking,
    )


def _by_units(report: Report, asked: Asked, rung: Rung, belief: Belief) -> Charge:
    """Return what an answer books that is billed by another unit than tokens, by tokens, or by both.

    Where tokens cost nothing, nobody needs to have counted them; and the other way around.
    """
    price, claim = rung.price, report.claim
    if not price.known:
        return Charge(cost=0, estimated=True, doubt=Doubt.UNPRICED, unpriced=(asked.unit.name.lower(),))
    by_tokens = price.by_tokens
    count, doubt = _units(report, asked) if price.of(asked.unit) is not None else (0, None)
    doubt = doubt or (belief.doubt if by_tokens else None)
    if doubt is None and count is not None:
        tokens = claim.tokens if by_tokens else NO_TOKENS
        lacking = unpriced(price, tokens, text=rung.text)
        return Charge(
            cost=min(LARGEST, cost(price, tokens, asked.unit, count)),
            estimated=bool(lacking),
            doubt=Doubt.UNPRICED if lacking else None,
            unpriced=lacking,
        )
    counted = likely(report.ask, asked, rung, inputs=belief.input, outputs=belief.output, count=count)
    return Charge(cost=counted, estimated=True, doubt=doubt)


def _units(report: Report, asked: Asked) -> tuple[int | None, Doubt | None]:
    """Return how many units an answer has, or None, and why what its provider said is not believed."""
    if asked.unit is Unit.CHARACTER:
        return asked.count, None  # counted before it went out
    counted = report.claim.units
    if counted is None:
        return None, Doubt.ABSENT
    if not counted:
        return None, Doubt.ZERO
    if counted > asked.believed(report.body_bytes or 0):
        return None, Doubt.TOO_LARGE
    return counted, None


def _estimated(report: Report, rung: Rung, belief: Belief, route_limit: int | None) -> Charge:
    inputs, outputs = belief.input, belief.output
    if inputs is None:
        inputs = asked_tokens(report.ask, rung)
    if outputs is None:
        outputs = shown_tokens(report.sent_bytes)
        if report.last is not None:
            written = possible_output(report.last, report.ask, rung, route_limit, stream=report.stream)
            outputs = max(outputs, written)
    return Charge(cost=uncounted(rung, inputs=inputs, outputs=outputs), estimated=True, doubt=belief.doubt)
