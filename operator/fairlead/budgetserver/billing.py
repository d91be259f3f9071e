"""What becomes of a report: the bill of its answer, and one of the attempts before it that may be billed."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

from fairlead.budget.attempt import Attempt, possible_cost
from fairlead.budget.configuration import BudgetConfiguration
from fairlead.budget.estimate import LARGEST
from fairlead.budget.ledger import CORRECTABLE_MS, REMEMBERED_MS, Settlement
from fairlead.budget.price import USD
from fairlead.budget.reconciliation import Count, UsageCounterKey, joined
from fairlead.budgetserver import kept_answers, leases, savings, shadows
from fairlead.budgetserver.charge import Bill, charge
from fairlead.budgetserver.descriptor import ABSENT, Report
from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.terms import Terms, unbudgeted_posting


class Desk(Protocol):
    """Where reports arrive."""

    @property
    def configuration(self) -> BudgetConfiguration:
        """The configuration that rules."""

    def terms(self, consumer: str, routes: tuple[str, ...], now_ms: int) -> Terms:
        """Return the policies that count requests of a consumer on these routes, with their windows."""

    def now_ms(self) -> int:
        """Return the time by which windows are cut."""


class Billing:
    """Prices reports, and counts what it makes of them."""

    def __init__(self, desk: Desk, metrics: Metrics) -> None:
        self._desk = desk
        self._metrics = metrics

    def bills(self, report: Report) -> Iterator[Bill]:
        """Make the bill of the answer, and one of the attempts before it that may be billed, if there are such."""
        if report.unit:
            self._metrics.count(self._metrics.units, "used")
        bill = self._copy(report) if report.shadow else self._bill(report)
        yield bill
        judged = [self._judged(report, number) for number in range(len(report.judged))]
        yield from judged
        lost = sum(self._possible(attempt, report) for attempt in report.lost)
        if lost:
            self._metrics.estimated.inc(lost / USD)
            # By an id of its own it draws on no reservation, and so is not cut at one.
            of_attempts = replace(
                bill.settlement,
                request=f"{bill.settlement.request}|lost",
                cost=min(LARGEST, lost),
                estimated=True,
                reserved=False,
                remembered_ms=CORRECTABLE_MS,
            )
            yield replace(bill, settlement=of_attempts, metered=None)
        if not report.shadow:
            configuration, now_ms = self._desk.configuration, self._desk.now_ms()
            compared = kept_answers.as_asked(report) if report.cache == kept_answers.HIT else report
            spent = savings.Spent.on([one.settlement for one in (bill, *judged)], lost)
            yield from savings.bills(compared, bill, spent, _asked(compared), configuration, now_ms=now_ms)
            yield from kept_answers.bills(report, bill, configuration, now_ms=now_ms)

    def _possible(self, attempt: Attempt, report: Report) -> int:
        """Return what an attempt of a request may have cost without a count."""
        rung = self._desk.configuration.rung(attempt.target, report.route, report.model)
        if rung is None or report.free:
            return 0
        return possible_cost(attempt, report.ask, rung, self._output_limit(report.route), stream=report.stream)

    def _output_limit(self, route: str) -> int | None:
        terms = self._desk.configuration.routes.get(route)
        return terms.max_output_tokens if terms else None

    def _judged(self, report: Report, number: int) -> Bill:
        """Make the bill of an answer that a cascade rejected: it is paid as if it had gone to the client."""
        answer = report.judged[number]
        bill = self._bill(
            report._replace(
                target=answer.attempt.target,
                claim=answer.claim,
                metered=answer.metered,
                status=answer.attempt.status,
                last=answer.attempt,
                reserved=False,
            )
        )
        # By an id of its own it draws on no reservation: that of the request is released as a whole.
        request = f"{bill.settlement.request}|judged{number}"
        return replace(bill, settlement=replace(bill.settlement, request=request, remembered_ms=CORRECTABLE_MS))

    def _bill(self, report: Report) -> Bill:
        now_ms = self._desk.now_ms()
        rung = self._desk.configuration.rung(_asked(report), report.route, report.model)
        charged = charge(report, rung, self._output_limit(report.route))
        terms = self._desk.terms(report.consumer, report.routes, now_ms)
        self._metrics.count(self._metrics.reports, self._kind(report, estimated=charged.estimated))
        if charged.estimated:
            self._metrics.estimated.inc(charged.cost / USD)
        if charged.doubt is not None:
            self._metrics.count(self._metrics.doubts, charged.doubt.value)
        for kind in charged.unpriced:
            self._metrics.count(self._metrics.unpriced, report.target, kind)
        metered = None
        if report.metered and report.gateway != ABSENT:
            routes = report.routes if report.counts_asked else (report.route,)
            key = UsageCounterKey(
                gateway=report.gateway, consumer=report.consumer, route=joined(routes), target=report.target
            )
            tokens = report.claim.tokens
            # A count that was not believed is not booked as tokens either: reconciliation drops it by the same rule.
            metered = (
                key,
                (
                    Count(requests=1)
                    if charged.dropped
                    else Count(requests=1, input=tokens.input, output=tokens.output, cached=tokens.cached)
                ),
            )
        settlement = Settlement(
            request=report.unit or leases.request_name(report),
            payer=report.consumer,
            cost=charged.cost,
            estimated=charged.estimated,
            postings=terms.postings or (unbudgeted_posting(report.consumer, now_ms),),
            now_ms=now_ms,
            reserved=report.reserved,
            remembered_ms=CORRECTABLE_MS if terms.postings and not report.reserved and charged.cost else REMEMBERED_MS,
        )
        return Bill(settlement=settlement, metered=metered, route=report.route, budgeted=bool(terms.postings))

    def _kind(self, report: Report, *, estimated: bool) -> str:
        if not report.checked and report.attempts and self._desk.configuration.is_bounding:
            return "unchecked"
        if estimated:
            return "estimated"
        return "metered" if report.metered else "released"

    def _copy(self, report: Report) -> Bill:
        """Make the bill of a shadow's copy."""
        asked = report._replace(target=_asked(report))
        rung = self._desk.configuration.rung(asked.target, asked.route, asked.model)
        charged = charge(asked, rung, self._output_limit(asked.route))
        return shadows.bill(asked, charged, self._desk.configuration, self._desk.now_ms())


def _asked(report: Report) -> str:
    """Return who answered, or was asked last."""
    return report.target or (report.last.target if report.last else "")
