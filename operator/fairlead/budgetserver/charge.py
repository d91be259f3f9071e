"""What a report books: pure rules, one for each way in which a request can end.

answered, tokens counted                 the tokens at the price of the target that answered
answered, no usage in the reply; or      an estimate from bytes, at most the reservation
  one that cannot be true; or the client
  left; or the provider broke
refused by everybody (4xx, 5xx), or      nothing: the reservation is released
  never sent to a provider
"""

from dataclasses import dataclass

from fairlead.budget.estimate import LARGEST, Rung, Unmetered, believable, lacks_input, unmetered
from fairlead.budget.price import Tokens, cost
from fairlead.budgetserver.descriptor import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What is to be booked for one request."""

    cost: int
    estimated: bool
    dropped: bool = False
    """The provider's count cannot be true: reconciliation does not take it either."""


NOTHING = Charge(cost=0, estimated=False)


def charge(report: Report, rung: Rung | None) -> Charge:
    """Return what a report books. Without a rung (no targets are known at all) nothing has a price."""
    if rung is None:
        return NOTHING
    possible = report.metered and believable(rung, inputs=report.input, outputs=report.output)
    lacking = possible and lacks_input(inputs=report.input, outputs=report.output, sent_bytes=report.sent_bytes)
    if possible and not lacking:
        tokens = Tokens(input=report.input, output=report.output, cached=report.cached)
        return Charge(cost=min(LARGEST, cost(rung.price, tokens)), estimated=False)
    if report.unanswered and (not report.metered or (lacking and report.output == 0)):
        return NOTHING
    known = Unmetered(body_bytes=report.body_bytes or 0, sent_bytes=report.sent_bytes, stream=report.stream)
    return Charge(
        cost=unmetered(known, rung, counted=report.output if lacking else 0),
        estimated=True,
        dropped=report.metered and not possible,
    )
