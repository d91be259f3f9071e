"""Copies of requests for a route's shadow: room for them, and what they cost. The route pays, and nobody's budget."""

from fairlead.budget import shadow
from fairlead.budget.configuration import BudgetConfiguration
from fairlead.budget.estimate import bounds, reservation
from fairlead.budget.ledger import Hold, Plan, Posting, Settlement
from fairlead.budgetserver.charge import Bill, Charge, Kind
from fairlead.budgetserver.descriptor import Check, Report
from fairlead.budgetserver.terms import keep_ms


def hold(check: Check, configuration: BudgetConfiguration, now_ms: int) -> Hold:
    """Ask for room for a copy: the most that it can cost at its target."""
    rung = configuration.rung(check.shadow, check.route, check.model)
    terms = configuration.routes.get(check.route)
    limits = bounds(() if rung is None else (rung,), terms.max_output_tokens if terms else None)
    ask = check.ask if check.body_bytes is not None else check._replace(body_bytes=configuration.request_bytes).ask
    return Hold(
        request=_name(check),
        payer=shadow.payer(check.route),
        plan=Plan(
            amount=reservation(ask, limits), postings=_postings(check.route, check.shadow, configuration, now_ms)
        ),
        downgrade=None,
        now_ms=now_ms,
    )


def bill(report: Report, charged: Charge, configuration: BudgetConfiguration, now_ms: int) -> Bill:
    """Make the bill of a copy that ended. One whose check was given up has no target, and releases what that held."""
    postings = _postings(report.route, report.target, configuration, now_ms) if report.target else ()
    settlement = Settlement(
        request=_name(report),
        payer=shadow.payer(report.route),
        cost=charged.cost,
        estimated=charged.estimated,
        postings=postings,
        now_ms=now_ms,
        reserved=report.reserved,
    )
    return Bill(
        settlement=settlement, metered=None, route=report.route, budgeted=False, kind=Kind.SHADOW, shadow=report.target
    )


def _name(one: Check | Report) -> str:
    """Name a copy: the request that it is one of has the same id, and keeps a reservation of its own."""
    return f"{shadow.payer(one.route)}|{one.consumer}|{one.id}"


def _postings(route: str, target: str, configuration: BudgetConfiguration, now_ms: int) -> tuple[Posting, ...]:
    terms = configuration.routes.get(route)
    return tuple(
        Posting(counter=one.name, cap=one.cap, downgrade_at=None, keep_ms=keep_ms(one.window, now_ms))
        for one in shadow.drawn_on(route, target, terms.shadow if terms else None, now_ms)
    )
