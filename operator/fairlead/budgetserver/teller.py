"""Decides: is there room for a request, what does a report cost, who pays.

The rules are those of `fairlead.budget`; the store makes them atomic. Nothing here waits but for the store.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from fairlead.budget.admission import Standing, short, tightest
from fairlead.budget.book import Book
from fairlead.budget.estimate import Ask, reservation
from fairlead.budget.ledger import Admission, Counter, Hold, Leg, Plan, Settlement, Verdict
from fairlead.budget.meter import Count, MeterKey
from fairlead.budget.policy import Policy, counter, unbudgeted
from fairlead.budget.price import USD
from fairlead.budget.window import Span, span
from fairlead.budgetserver import answer
from fairlead.budgetserver.backlog import Backlog
from fairlead.budgetserver.charge import charge
from fairlead.budgetserver.descriptor import ABSENT, Check, Report
from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.store import KEEP_MS, Store, StoreError

_REMEMBERED_TERMS = 20_000
"""Consumers times routes whose policies are kept worked out."""

_FAILURES = 3
"""Failures in a row after which the store is taken for down."""

Clock = Callable[[], int]
"""Returns Unix milliseconds."""
log = structlog.get_logger("fairlead.budget")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Which policies count a request of a consumer on some routes, worked out for the windows that run."""

    policies: tuple[Policy, ...]
    spans: tuple[Span, ...]
    legs: tuple[Leg, ...]
    from_ms: int
    until_ms: int | None
    """The terms hold for `from_ms <= now < until_ms`."""

    def hold_at(self, now_ms: int) -> bool:
        """Say whether the windows are still the ones that run; a clock may also step back."""
        return self.from_ms <= now_ms and (self.until_ms is None or now_ms < self.until_ms)

    def standings(self, counters: tuple[Counter, ...]) -> tuple[Standing, ...]:
        """Put counters beside their policies."""
        triples = zip(self.policies, self.spans, counters, strict=True)
        return tuple(Standing(policy=policy, span=window, counter=found) for policy, window, found in triples)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """A settlement on its way to the store."""

    settlement: Settlement
    metered: tuple[MeterKey, Count] | None
    route: str
    budgeted: bool


class Teller:
    """Answers checks and books reports by the rules of a book."""

    def __init__(self, *, store: Store, book: Book, clock: Clock, metrics: Metrics) -> None:
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._book = book
        self._terms: dict[tuple[str, tuple[str, ...]], Terms] = {}
        self._failures = 0
        self.backlog: Backlog[Bill] = Backlog(self._settle, metrics)

    @property
    def book(self) -> Book:
        """The book that rules."""
        return self._book

    def use(self, book: Book) -> None:
        """Rule by another book from now on; what is spent stays, since counters do not know books."""
        self._book = book
        self._terms.clear()

    async def check(self, check: Check) -> Any:
        """Return the answer to a check. Raises `StoreError` when nobody knows whether there is room."""
        if check.consumer in self._book.killed:
            self._metrics.checks.labels("killed").inc()
            return answer.killed(check.consumer)
        now_ms = self._clock()
        terms = self.terms(check.consumer, (check.route,), now_ms)
        smaller = self._smaller(check, terms, now_ms)
        if not terms.policies and smaller is None:
            self._metrics.checks.labels("unbudgeted").inc()
            return answer.unbudgeted()
        hold = self._hold(check, terms, smaller, now_ms)
        admission = await self._reserve(hold)
        return self._answer(check, hold, admission, terms, smaller)

    async def _reserve(self, hold: Hold) -> Admission:
        """Ask the store; a store that failed several times in a row is not waited for until it answers a ping."""
        if not self.store_up:
            raise StoreError("the store does not answer")
        try:
            admission = await self._store.reserve(hold)
        except StoreError:
            self._failures += 1
            self._metrics.store_errors.labels("reserve").inc()
            self._metrics.store_up.set(self.store_up)
            raise
        self._failures = 0
        return admission

    @property
    def store_up(self) -> bool:
        """False after several failures in a row."""
        return self._failures < _FAILURES

    async def ping(self) -> None:
        """Find out whether the store answers. Raises `StoreError`."""
        try:
            await self._store.ping()
        except StoreError:
            self._failures += 1
            raise
        else:
            self._failures = 0
        finally:
            self._metrics.store_up.set(self.store_up)

    def _answer(self, check: Check, hold: Hold, admission: Admission, terms: Terms, smaller: "_Smaller | None") -> Any:
        judged, plan = terms, hold.plan
        if admission.downgraded and smaller is not None and hold.downgrade is not None:
            judged, plan = smaller.terms, hold.downgrade
        standings = judged.standings(admission.counters)
        if admission.verdict is Verdict.REJECTED:
            self._metrics.checks.labels("rejected").inc()
            return answer.rejected(short(standings, plan.legs, plan.amount), plan.amount, hold.now_ms)
        downgrade = smaller.route if admission.downgraded and smaller is not None else None
        self._metrics.checks.labels("downgraded" if downgrade else "granted").inc()
        return answer.granted(check.id, tightest(standings), downgrade)

    def _hold(self, check: Check, terms: Terms, smaller: "_Smaller | None", now_ms: int) -> Hold:
        return Hold(
            request=f"{check.consumer}|{check.id}",
            payer=check.consumer,
            plan=Plan(amount=self._amount(check, check.route), legs=terms.legs),
            downgrade=None
            if smaller is None
            else Plan(amount=self._amount(check, smaller.route), legs=smaller.terms.legs),
            now_ms=now_ms,
        )

    def _amount(self, check: Check, route: str) -> int:
        """Return what is reserved when `route` answers; the limit on output is that of the route that was asked."""
        book = self._book
        ask = Ask(
            body_bytes=book.request_bytes if check.body_bytes is None else check.body_bytes,
            output_limit=check.output_limit,
            choices=check.choices,
        )
        asked = book.routes.get(check.route)
        return reservation(ask, book.rungs(route, check.model), asked.max_output_tokens if asked else None)

    def _smaller(self, check: Check, terms: Terms, now_ms: int) -> "_Smaller | None":
        """Return what answers under budget pressure; None when no policy downgrades or the route names nothing."""
        if all(leg.downgrade_at is None for leg in terms.legs):
            return None
        asked = self._book.routes.get(check.route)
        if asked is None or asked.downgrade_to is None:
            return None
        route = asked.downgrade_to
        return _Smaller(route=route, terms=self.terms(check.consumer, (check.route, route), now_ms))

    def terms(self, consumer: str, routes: tuple[str, ...], now_ms: int) -> Terms:
        """Return the policies that count requests of a consumer on these routes, with their windows."""
        key = (consumer, routes)
        terms = self._terms.get(key)
        if terms is None or not terms.hold_at(now_ms):
            if len(self._terms) >= _REMEMBERED_TERMS:
                self._terms.clear()
            terms = self._terms[key] = _terms(self._book.policies_of(consumer, routes), consumer, now_ms)
        return terms

    async def report(self, report: Report) -> None:
        """Book a report; while the store is away it waits."""
        if report.rejected:
            self._metrics.reports.labels("rejected").inc()
            return
        if not report.checked and report.attempts == 0 and report.route == ABSENT:
            self._metrics.reports.labels("ignored").inc()
            return
        bill = self._bill(report)
        if len(self.backlog):
            self.backlog.put(bill)
            return
        try:
            await self._settle(bill)
        except StoreError as error:
            self._metrics.store_errors.labels("settle").inc()
            log.warning("budget.report_waits", error=str(error))
            self.backlog.put(bill)

    def _bill(self, report: Report) -> Bill:
        now_ms = self._clock()
        charged = charge(report, self._book.rung(report.target, report.route, report.model))
        terms = self.terms(report.consumer, (report.route,), now_ms)
        self._metrics.reports.labels(_kind(report, estimated=charged.estimated)).inc()
        if charged.estimated:
            self._metrics.estimated.inc(charged.cost / USD)
        metered = None
        if report.metered and report.gateway != ABSENT:
            key = MeterKey(gateway=report.gateway, consumer=report.consumer, route=report.route, target=report.target)
            metered = key, Count(requests=1, input=report.input, output=report.output, cached=report.cached)
        settlement = Settlement(
            request=f"{report.consumer}|{report.id}",
            payer=report.consumer,
            cost=charged.cost,
            estimated=charged.estimated,
            legs=terms.legs or (_unbudgeted_leg(report.consumer, now_ms),),
            now_ms=now_ms,
        )
        return Bill(settlement=settlement, metered=metered, route=report.route, budgeted=bool(terms.legs))

    async def _settle(self, bill: Bill) -> None:
        settled = await self._store.settle(bill.settlement, bill.metered)
        if settled.cost == 0:
            return
        consumer = bill.settlement.payer
        self._metrics.spent.labels(consumer, bill.route, "true" if bill.budgeted else "false").inc(settled.cost / USD)
        for name, spent in settled.counters.items():
            self.note_stage(name, consumer, before=spent - settled.cost, after=spent)

    def note_stage(self, name: str, consumer: str, *, before: int, after: int) -> None:
        """Tell, once, that a counter passed into another stage."""
        policy = self._book.policy(name.split("|", 1)[0])
        if policy is None:
            return
        stage = policy.reached(after)
        if stage is not None and stage != policy.reached(before):
            self._metrics.stages.labels(policy.name, stage.action.value).inc()
            log.info(
                "budget.stage",
                policy=policy.name,
                consumer=consumer,
                action=stage.action.value,
                spent_usd=answer.exact(after),
                limit_usd=answer.exact(policy.limit),
            )

    async def standings(self, consumer: str) -> tuple[Standing, ...]:
        """Return where every policy of a consumer stands now."""
        named = self._book.consumers.get(consumer, ())
        policies = tuple(policy for name in named if (policy := self._book.policy(name)))
        terms = _terms(policies, consumer, self.now_ms())
        return terms.standings(tuple(await self.counters([leg.counter for leg in terms.legs])))

    async def counters(self, names: Sequence[str]) -> Sequence[Counter]:
        """Read counters. Raises `StoreError`."""
        return await self._store.counters(names) if names else ()

    def payers(self, consumer: str, route: str) -> tuple[Leg, ...]:
        """Return the counters that pay now for a request of a consumer that this route answered."""
        now_ms = self.now_ms()
        return self.terms(consumer, (route,), now_ms).legs or (_unbudgeted_leg(consumer, now_ms),)

    def now_ms(self) -> int:
        """Return the time by which windows are cut."""
        return self._clock()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Smaller:
    """The route that answers under budget pressure, with the policies that count it then."""

    route: str
    terms: Terms


def _terms(policies: tuple[Policy, ...], consumer: str, now_ms: int) -> Terms:
    spans = tuple(span(policy.window, now_ms) for policy in policies)
    legs = tuple(
        Leg(
            counter=counter(policy, consumer, window),
            cap=policy.cap,
            downgrade_at=policy.downgrade_at,
            keep_ms=_keep_ms(window, now_ms),
        )
        for policy, window in zip(policies, spans, strict=True)
    )
    ends = [window.end_ms for window in spans if window.end_ms is not None]
    return Terms(
        policies=policies,
        spans=spans,
        legs=legs,
        from_ms=max((window.start_ms for window in spans), default=0),
        until_ms=min(ends, default=None),
    )


def _keep_ms(window: Span, now_ms: int) -> int | None:
    return None if window.end_ms is None else window.end_ms - now_ms + KEEP_MS


def _unbudgeted_leg(consumer: str, now_ms: int) -> Leg:
    name, window = unbudgeted(consumer, now_ms)
    return Leg(counter=name, cap=None, downgrade_at=None, keep_ms=_keep_ms(window, now_ms))


def _kind(report: Report, *, estimated: bool) -> str:
    if estimated:
        return "estimated"
    if not report.metered:
        return "released"
    return "metered" if report.checked else "unchecked"
