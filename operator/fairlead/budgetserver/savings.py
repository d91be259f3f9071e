"""What is booked beside a request's own bill where its route has a baseline: nobody pays it, and it bounds nothing."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from fairlead.budget import baseline
from fairlead.budget.configuration import BudgetConfiguration
from fairlead.budget.estimate import LARGEST
from fairlead.budget.ledger import CORRECTABLE_MS, Posting, Settlement
from fairlead.budget.price import Tokens, cost_of_sum
from fairlead.budgetserver.charge import Bill, Kind, charge
from fairlead.budgetserver.descriptor import Report
from fairlead.budgetserver.store import Booking
from fairlead.budgetserver.terms import keep_ms


class Spent(NamedTuple):
    """What a request cost, its attempts that brought no answer and its rejected answers included."""

    counted: int
    estimated: int

    @classmethod
    def on(cls, settlements: Iterable[Settlement], lost: int) -> "Spent":
        """Sum answers, and what attempts may have cost that nobody counted."""
        parts = [(settlement.cost, settlement.estimated) for settlement in settlements]
        return cls(
            counted=sum(amount for amount, estimated in parts if not estimated),
            estimated=lost + sum(amount for amount, estimated in parts if estimated),
        )


def bills(
    report: Report, bill: Bill, spent: Spent, asked: str, configuration: BudgetConfiguration, *, now_ms: int
) -> Iterator[Bill]:
    """Book what a request cost, its lost attempts included, and what its answer would have cost at the baseline.

    Where either has no price nothing is compared.

    `asked`: the target that answered, or was asked last. A request without an answer costs nothing at the baseline.
    """
    terms = configuration.routes.get(report.route)
    rung = configuration.rung(asked, report.route, report.model)
    if terms is None or terms.baseline is None or rung is None:
        return
    if not (rung.price.known and configuration.targets[terms.baseline].price.known):
        return
    # The same tokens, believed or estimated as they were: only prices differ.
    there = charge(report, replace(rung, price=configuration.targets[terms.baseline].price), terms.max_output_tokens)
    spent_on, baseline_on = _postings(report.route, terms.baseline, now_ms)
    settlement = bill.settlement
    for kind, word, posting, amount, estimated in (
        (Kind.SPENT, Kind.SPENT, spent_on, spent.counted, False),
        (Kind.SPENT, f"{Kind.SPENT}|estimated", spent_on, spent.estimated, True),
        (Kind.BASELINE, Kind.BASELINE, baseline_on, 0 if report.unanswered else there.cost, there.estimated),
    ):
        if amount > 0:
            yield replace(
                bill,
                # By an id of its own it draws on no reservation.
                settlement=replace(
                    settlement,
                    request=f"{settlement.request}|{baseline.SAVINGS}|{word}",
                    payer=baseline.payer(report.route),
                    cost=min(LARGEST, amount),
                    estimated=estimated,
                    postings=(posting,),
                    reserved=False,
                    remembered_ms=CORRECTABLE_MS,
                ),
                metered=None,
                kind=kind,
            )


def bookings(booking: Booking, route: str, tokens: Tokens, configuration: BudgetConfiguration) -> Iterator[Booking]:
    """Book what reconciliation found, too: `booking` is the payer's own."""
    terms = configuration.routes.get(route)
    if terms is None or terms.baseline is None or not booking.cost:
        return
    price = configuration.targets[terms.baseline].price
    if not price.known:
        return
    # Nobody knows whose prompts were long: no saving is said to be larger than it is.
    there = cost_of_sum(price, tokens)
    for posting, amount in zip(_postings(route, terms.baseline, booking.at_ms), (booking.cost, there), strict=True):
        yield replace(booking, payer=baseline.payer(route), requests=0, cost=min(LARGEST, amount), postings=(posting,))


def _postings(route: str, target: str, now_ms: int) -> tuple[Posting, Posting]:
    found = baseline.counters(route, target, now_ms)
    kept = keep_ms(found.window, now_ms)
    return (
        Posting(counter=found.spent, cap=None, downgrade_at=None, keep_ms=kept),
        Posting(counter=found.baseline, cap=None, downgrade_at=None, keep_ms=kept),
    )
