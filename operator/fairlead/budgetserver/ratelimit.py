"""Decides: is there room for a request, what does a report cost, who pays.

The rules are those of `fairlead.budget`; the store makes them atomic. Nothing here waits but for the store.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from fairlead.budget.admission import Closes, Standing, closing, short
from fairlead.budget.cascade import models, whole_reservation
from fairlead.budget.configuration import BudgetConfiguration
from fairlead.budget.estimate import Bound, bounds
from fairlead.budget.ledger import (
    MOST_OPEN,
    Admission,
    Counter,
    Hold,
    Plan,
    Posting,
    Verdict,
)
from fairlead.budget.policy import Policy
from fairlead.budgetserver import answer, leases, shadows
from fairlead.budgetserver.backlog import Backlog
from fairlead.budgetserver.billing import Billing
from fairlead.budgetserver.charge import Bill
from fairlead.budgetserver.departed import Departed
from fairlead.budgetserver.descriptor import TOO_MANY_IN_FLIGHT, Check, Report
from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.refusals import Refusals
from fairlead.budgetserver.settling import Settling
from fairlead.budgetserver.stages import Stages
from fairlead.budgetserver.store import RefusedError, Store, StoreError
from fairlead.budgetserver.terms import Terms, terms_of, unbudgeted_posting

_REMEMBERED_TERMS = 20_000
"""Consumers times routes whose policies are kept worked out."""

_ON_ITS_WAY_S = 0.02
"""How long a request that finds its consumer's limit in flight reached waits before it asks once more: the report of
one that has ended comes a moment behind its answer, and its client may have asked again at once."""
_NAMED = "/"
"""In the name of each route of somebody's, and in no other that a gateway has."""
_FAILURES = 3
"""Failures in a row after which the store is taken for down."""

Clock = Callable[[], int]
"""Returns Unix milliseconds."""
log = structlog.get_logger("fairlead.budget")


class Outage:
    """Failures of the store in a row. One operation that it refuses is none: the next may be taken."""

    def __init__(self) -> None:
        self._failures = 0
        self.problem = ""
        """What it said last; empty while it answers."""

    @property
    def is_on(self) -> bool:
        """Tell whether so many steps in a row failed that nobody waits for the next."""
        return self._failures >= _FAILURES

    def failed(self, error: Exception) -> None:
        """Count a failure."""
        self._failures += 1
        self.problem = str(error)

    def over(self) -> None:
        """Forget the failures: a step was taken."""
        self._failures = 0
        self.problem = ""


class RateLimitService:
    """Answers checks and books reports by the rules of a configuration."""

    def __init__(self, *, store: Store, configuration: BudgetConfiguration, clock: Clock, metrics: Metrics) -> None:
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._configuration = configuration
        self._departed = Departed()
        self._terms: dict[tuple[str, tuple[str, ...]], Terms] = {}
        self._bounds: dict[tuple[str, str, str, bool], tuple[tuple[Bound, ...], ...]] = {}
        self.outage = Outage()
        """Of the store."""
        self._billing = Billing(self, metrics)
        self.refusals = Refusals()
        """Who found no room, for people to be told."""
        self._stages = Stages(self, metrics)
        self._settling = Settling(store=store, clock=clock, stages=self._stages, metrics=metrics)

    @property
    def configuration(self) -> BudgetConfiguration:
        """The configuration that rules."""
        return self._configuration

    def use(self, configuration: BudgetConfiguration) -> None:
        """Rule by another configuration from now on; what is spent stays, since counters do not know configurations."""
        self._departed.note(self._configuration, configuration, self.now_ms())
        self._configuration = configuration
        self._terms.clear()
        self._bounds.clear()
        self._stages.forget()

    async def check(self, check: Check) -> bytes:
        """Return the answer to a check. Raises `StoreError` when nobody knows whether there is room."""
        if check.back:
            await self._settling.give_back(check.back)
        if check.consumer in self._configuration.killed:
            self._metrics.count(self._metrics.checks, "killed")
            return answer.killed(check.consumer)
        now_ms = self._clock()
        if check.shadow:
            return await self._check_copy(check, now_ms)
        terms = self.terms(check.consumer, check.routes, now_ms)
        smaller = self._smaller(check, terms, now_ms)
        if not terms.policies and check.consumer not in self._configuration.in_flight:
            self._metrics.count(self._metrics.checks, "unbudgeted")
            return answer.UNBUDGETED
        hold = self._hold(check, terms, smaller, now_ms)
        admission = await self._reserve(hold)
        if admission.verdict is Verdict.CROWDED and check.consumer in self._configuration.in_flight:
            await asyncio.sleep(_ON_ITS_WAY_S)
            admission = await self._reserve(hold)
        return self._answer(check, hold, admission, terms, smaller)

    async def _check_copy(self, check: Check, now_ms: int) -> bytes:
        """Judge the copy of a request: its route pays for it, and nobody's budget."""
        admission = await self._reserve(shadows.hold(check, self._configuration, now_ms))
        granted = admission.verdict in {Verdict.GRANTED, Verdict.REPLAYED}
        self._metrics.count(self._metrics.shadow_checks, "granted" if granted else admission.verdict.value)
        return answer.granted(check.id, None, None) if granted else answer.STOPPED

    async def _reserve(self, hold: Hold) -> Admission:
        """Ask the store; a store that failed several times in a row is not waited for until it answers a ping."""
        if not self.store_up:
            raise StoreError("the store does not answer")
        try:
            admission = await self._store.reserve(hold)
        except StoreError as error:
            if not isinstance(error, RefusedError):
                self.outage.failed(error)
            self._metrics.store_errors.labels("reserve").inc()
            self._metrics.store_up.set(self.store_up)
            raise
        self.outage.over()
        return admission

    @property
    def store_up(self) -> bool:
        """False after several failures in a row."""
        return not self.outage.is_on

    async def ping(self) -> None:
        """Find out whether the store answers. Raises `StoreError`."""
        try:
            await self._store.ping()
        except StoreError as error:
            self.outage.failed(error)
            raise
        else:
            self.outage.over()
        finally:
            self._metrics.store_up.set(self.store_up)

    def _answer(
        self, check: Check, hold: Hold, admission: Admission, terms: Terms, smaller: "_Smaller | None"
    ) -> bytes:
        if admission.verdict is Verdict.CROWDED:
            return self._crowded(check.consumer)
        judged, plan = terms, hold.plan
        if admission.downgraded and smaller is not None and hold.downgrade is not None:
            judged, plan = smaller.terms, hold.downgrade
        if admission.verdict is Verdict.REJECTED:
            standings = judged.standings(admission.counters)
            self._metrics.count(self._metrics.checks, "rejected")
            lacking = short(standings, plan.postings, plan.amount)
            self.refusals.judge(check.consumer, lacking, plan.amount)
            return answer.rejected(lacking, plan.amount, hold.now_ms, self._verdict(check, standings, plan.amount))
        downgrade = smaller.route if admission.downgraded and smaller is not None else None
        self._metrics.count(self._metrics.checks, "downgraded" if downgrade else "granted")
        if not judged.policies:
            return answer.granted(check.id, None, downgrade)
        left = judged.remaining(admission.counters) or 0
        lease = None
        if hold.wish is not None:
            revision = self._configuration.lease_revision_of(check.consumer)
            remaining = answer.left(left)
            lease = leases.told(check, hold, admission, terms, self._metrics, revision=revision, remaining=remaining)
        return answer.granted(check.id, left, downgrade, lease)

    def _crowded(self, consumer: str) -> bytes:
        most = self._configuration.in_flight.get(consumer)
        if most is None:
            self._metrics.count(self._metrics.checks, "crowded")
            return answer.crowded(consumer)
        self._metrics.count(self._metrics.checks, TOO_MANY_IN_FLIGHT)
        self._metrics.count(self._metrics.refused_in_flight, consumer)
        return answer.too_many_in_flight(consumer, most)

    def _verdict(self, check: Check, standings: Sequence[Standing], amount: int) -> str | None:
        """Return what gateways may refuse by from now on; None when a request like this one may find room again."""
        found = closing(standings, amount, check.route)
        if found is None or (found.closes is Closes.LARGER and (check.goes_on or not check.body_bytes)):
            return None
        return answer.closed(found, check, self._configuration.revision_of(check.consumer))

    def _hold(self, check: Check, terms: Terms, smaller: "_Smaller | None", now_ms: int) -> Hold:
        less = (
            None
            if smaller is None
            else Plan(amount=self._amount(check, smaller.route), postings=smaller.terms.postings)
        )
        return Hold(
            request=leases.request_name(check),
            payer=check.consumer,
            # A hold of a consumer without a policy is booked where its report alone would be.
            plan=Plan(
                amount=self._amount(check, check.route),
                postings=terms.postings or (unbudgeted_posting(check.consumer, now_ms),),
            ),
            downgrade=less,
            now_ms=now_ms,
            most_open=self._configuration.in_flight.get(check.consumer, MOST_OPEN),
            in_flight=check.consumer in self._configuration.in_flight,
            wish=leases.wish(check, terms, self._configuration.in_flight, now_ms, amount=self._asked_amount),
        )

    def _asked_amount(self, check: Check) -> int:
        return self._amount(check, check.route)

    def _amount(self, check: Check, route: str) -> int:
        """Return what is reserved when `route` answers; the limit on output is that of the route that was asked."""
        if check.free:
            return 0
        single = check.stream or check.goes_on  # no cascade applies
        key = (check.route, route, check.model, single)
        bound = self._bounds.get(key)
        if bound is None:
            if len(self._bounds) >= _REMEMBERED_TERMS:
                self._bounds.clear()
            asked = self._configuration.routes.get(check.route)
            limit = asked.max_output_tokens if asked else None
            asked_in_turn = models(self._configuration, route, check.model, stream=single)
            bound = self._bounds[key] = tuple(bounds(rungs, limit) for rungs in asked_in_turn)
        ask = check.ask
        if check.body_bytes is None:
            ask = replace(ask, body_bytes=self._configuration.request_bytes)
        return whole_reservation(ask, bound)

    def _smaller(self, check: Check, terms: Terms, now_ms: int) -> "_Smaller | None":
        """Return what answers under budget pressure; None when no policy downgrades or the route names nothing."""
        if not terms.downgrades or check.free or check.goes_on:
            return None
        asked = self._configuration.routes.get(check.route)
        if asked is None or asked.downgrade_to is None:
            return None
        if not all(rung.generates and rung.text for rung in self._configuration.rungs(check.route, check.model)):
            return None  # another model's vectors, or a text, are no substitute
        route = asked.downgrade_to
        return _Smaller(route=route, terms=self.terms(check.consumer, (*check.routes, route), now_ms))

    def terms(self, consumer: str, routes: tuple[str, ...], now_ms: int) -> Terms:
        """Return the policies that count requests of a consumer on these routes, with their windows."""
        key = (consumer, routes)
        terms = self._terms.get(key)
        if terms is None or not terms.hold_at(now_ms):
            if len(self._terms) >= _REMEMBERED_TERMS:
                self._terms.clear()
            terms = self._terms[key] = terms_of(self._policies_of(consumer, routes), consumer, now_ms)
        return terms

    def _policies_of(self, consumer: str, routes: tuple[str, ...]) -> tuple[Policy, ...]:
        if consumer in self._configuration.consumers:
            return self._configuration.policies_of(consumer, routes)
        return self._departed.policies_of(consumer, routes, self._configuration)

    async def report(self, report: Report) -> None:
        """Book a report; while the store is away it waits."""
        await self.report_all((report,))

    async def report_all(self, reports: Sequence[Report]) -> None:
        """Book reports; one that cannot be priced hurts none of the others."""
        unused = [unit for report in reports for unit in (*report.back, *leases.abandoned(report))]
        if unused:
            await self._settling.give_back(unused)
        bills: list[Bill] = []
        for report in reports:
            try:
                bills += self._bills(report)
            except Exception:  # a batch that fails as a whole would be sent again as a whole
                if len(reports) == 1:
                    raise
                self._metrics.malformed.inc()
                log.exception("budget.report_failed")
        await self._settling.take(bills)

    def _bills(self, report: Report) -> Sequence[Bill]:
        if report.rejected:
            self._metrics.count(self._metrics.reports, "rejected")
            return ()
        if not report.reserved and _NAMED not in report.route:
            self._metrics.count(self._metrics.reports, "ignored")
            return ()
        return tuple(self._billing.bills(report))

    async def settled(self) -> None:
        """Wait until no report is on its way to the store; a store that hangs is waited for until its time-out."""
        await self._settling.settled()

    @property
    def backlog(self) -> Backlog[Bill]:
        """What waits for the store."""
        return self._settling.backlog

    def note_stage(self, name: str, consumer: str, *, before: int, after: int) -> None:
        """Tell, once, that a counter passed into another stage."""
        self._stages.note(name, consumer, before=before, after=after)

    async def standings(self, consumer: str) -> tuple[Standing, ...]:
        """Return where every policy of a consumer stands now."""
        named = self._configuration.consumers.get(consumer, ())
        policies = tuple(policy for name in named if (policy := self._configuration.policy(name)))
        terms = terms_of(policies, consumer, self.now_ms())
        return terms.standings(tuple(await self.counters([posting.counter for posting in terms.postings])))

    async def counters(self, names: Sequence[str]) -> Sequence[Counter]:
        """Read counters. Raises `StoreError`."""
        return await self._store.counters(names) if names else ()

    async def in_flight(self, consumers: Sequence[str]) -> Sequence[int]:
        """Count the requests of each consumer that are under way. Raises `StoreError`."""
        return await self._store.opened(consumers) if consumers else ()

    def payers(self, consumer: str, routes: tuple[str, ...]) -> tuple[Posting, ...]:
        """Return the counters that pay now for a request of a consumer that the last of these routes answered."""
        now_ms = self.now_ms()
        return self.terms(consumer, routes, now_ms).postings or (unbudgeted_posting(consumer, now_ms),)

    def now_ms(self) -> int:
        """Return the time by which windows are cut."""
        return self._clock()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Smaller:
    """The route that answers under budget pressure, with the policies that count it then."""

    route: str
    terms: Terms
