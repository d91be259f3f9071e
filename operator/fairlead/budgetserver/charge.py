"""What a report books: pure rules, one for each way in which a request can end.

answered, tokens counted                 the tokens at the price of the target that answered
answered, no usage in the reply; or      an estimate from bytes, at most the reservation
  one that cannot be true; or the client
  left; or the provider broke
refused by everybody (4xx, 5xx), or      nothing: the reservation is released; but for a last attempt
  never sent to a provider                 that its provider may bill all the same: what it may have cost
"""

from dataclasses import dataclass, replace

from fairlead.budget.belief import Belief, Doubt, believe
from fairlead.budget.estimate import LARGEST, Rung, Unmetered, unmetered
from fairlead.budget.price import cost, unpriced
from fairlead.budgetserver.descriptor import Report


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


def charge(report: Report, rung: Rung | None, *, possible: int = 0) -> Charge:
    """Return what a report books. Without a rung (no targets are known at all) nothing has a price.

    `possible` is what the last attempt may have cost, in nano-dollars, if it was not answered.
    """
    if rung is None:
        return NOTHING
    belief = believe(report.claim, rung, sent_bytes=report.sent_bytes)
    if belief.doubt is None:
        return _counted(report, rung)
    if report.unanswered and belief.input is None and belief.output is None and belief.doubt in _SILENT:
        return Charge(cost=possible, estimated=True, doubt=belief.doubt) if possible else NOTHING
    estimated = _estimated(report, rung, belief)
    return replace(estimated, cost=max(estimated.cost, possible)) if report.status == 0 else estimated


_SILENT = frozenset({Doubt.ABSENT, Doubt.ZERO})
"""What a provider that refused says of its tokens, as a rule."""


def _counted(report: Report, rung: Rung) -> Charge:
    tokens = report.claim.tokens
    lacking = unpriced(rung.price, tokens)
    return Charge(
        cost=min(LARGEST, cost(rung.price, tokens)),
        estimated=bool(lacking),
        doubt=Doubt.UNPRICED if lacking else None,
        unpriced=lacking,
    )


def _estimated(report: Report, rung: Rung, belief: Belief) -> Charge:
    known = Unmetered(body_bytes=report.body_bytes or 0, sent_bytes=report.sent_bytes, stream=report.stream)
    guess = unmetered(known, rung, inputs=belief.input, outputs=belief.output)
    return Charge(cost=guess, estimated=True, doubt=belief.doubt)
