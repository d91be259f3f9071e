"""What is booked beside a request's own bill where its route keeps answers: nobody pays it, and it bounds nothing."""

from collections.abc import Iterator
from dataclasses import replace

from fairlead.budget import cached
from fairlead.budget.configuration import BudgetConfiguration
from fairlead.budget.ledger import Posting, Settlement
from fairlead.budgetserver.charge import Bill, Charge, Kind, charge
from fairlead.budgetserver.descriptor import Report
from fairlead.budgetserver.terms import keep_ms


def as_asked(report: Report) -> Report:
    """Return the report of a hit as it would have been, had the target that made the answer been asked again."""
    return report._replace(target=report.kept_by, claim=report.kept, attempts=1)


def bills(report: Report, bill: Bill, configuration: BudgetConfiguration, *, now_ms: int) -> Iterator[Bill]:
    """Count a request of a route that keeps answers, and what is saved where it was given one."""
    if not report.cache:
        return
    found = cached.counters(report.route, now_ms)
    kept_ms = keep_ms(found.window, now_ms)

    def entry(kind: Kind, amount: int, *names: str, estimated: bool = False) -> Bill:
        postings = tuple(Posting(counter=name, cap=None, downgrade_at=None, keep_ms=kept_ms) for name in names)
        settlement = Settlement(
            request=f"{bill.settlement.request}|{cached.CACHE}|{kind}",  # of its own, so it draws on no reservation
            payer=cached.payer(report.route),
            cost=amount,
            estimated=estimated,
            postings=postings,
            now_ms=now_ms,
        )
        return replace(bill, settlement=settlement, metered=None, kind=kind)

    if report.cache != HIT:
        yield entry(Kind.COUNT, 1, found.requests)
        return
    yield entry(Kind.COUNT, 1, found.requests, found.hits)
    saved = _saved(report, configuration)
    if saved.cost:
        yield entry(Kind.SAVED, saved.cost, found.saved, estimated=saved.estimated)


def _saved(report: Report, configuration: BudgetConfiguration) -> Charge:
    rung = configuration.rung(report.kept_by, report.route, report.model)
    terms = configuration.routes.get(report.route)
    return charge(as_asked(report), rung, terms.max_output_tokens if terms else None)


HIT = "hit"
"""What a gateway says of a request that was given a kept answer."""
