"""The operator's loops: watches and lists fill the view, one pass at a time makes the cluster so, status follows."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from structlog.typing import FilteringBoundLogger

from fairlead.adapters.budget_answer import BudgetAnswers
from fairlead.adapters.clock import Clock
from fairlead.adapters.gateway_answer import GatewayAnswers
from fairlead.adapters.gateway_metrics import GatewayMetrics
from fairlead.adapters.kube import Kube, UnreachableError
from fairlead.budget.configuration import digest as configuration_digest
from fairlead.compiler import Compiled, Observed
from fairlead.compiler import compile as compile_all
from fairlead.controller.budget_server import Budgets
from fairlead.controller.context import Context
from fairlead.controller.credentials import Credentials
from fairlead.controller.gateways import Gateways, memory_name
from fairlead.controller.inputs import Inputs
from fairlead.controller.lease import RENEW_EVERY_S, Election
from fairlead.controller.live import Live, follow
from fairlead.controller.memory import remembered
from fairlead.controller.metrics import Metrics
from fairlead.controller.progress import Progress, essences, keys_of
from fairlead.controller.readback import Readback, metrics_places, ready_pods
from fairlead.controller.refresh import asked
from fairlead.controller.status import Statuses
from fairlead.errors import ClusterError, FairleadError, StateError
from fairlead.manifests import OWNED_KINDS
from fairlead.runtime.alarm import Alarm
from fairlead.runtime.loops import Loops, repeat
from fairlead.runtime.memory import LastGood
from fairlead.runtime.traffic import EVERY_S, TrafficView
from fairlead.runtime.unread import Unread
from fairlead.status import Availability, Keyless

KEYS_EVERY_S = 10.0
"""How often consumers' Secrets are read again."""
KEYS_SECRET_EVERY_S = 60.0
"""How often the Secret of keys is compared, which may be written and not read."""
_LISTS_EVERY_S = 60.0
_QUIET_S, _BURST_S = 0.03, 0.15
"""A pass begins when no event came for so long, or so long after the first one: ten events in a burst are one pass."""
_RETRY_S, _RETRY_RARE_S = (0.5, 2.0), 10.0
"""First and longest pause before a step that failed is taken again; longest for one that is rarely taken anyhow."""
_TELL_EVERY = 10
"""Of failures in a row, the first is logged and every tenth."""
_HEALTHY_WITHIN_S = 120.0
_FOLLOWED = (*OWNED_KINDS, "Pod")


class Operator:
    """One operator. `run` ends when it is cancelled."""

    def __init__(
        self,
        *,
        kube: Kube,
        clock: Clock,
        answers: GatewayAnswers,
        budget_answers: BudgetAnswers,
        gateway_metrics: GatewayMetrics,
        context: Context,
        metrics: Metrics,
        log: FilteringBoundLogger,
    ) -> None:
        self._kube, self._clock, self._context, self._metrics, self._log = kube, clock, context, metrics, log
        self._inputs = Inputs(kube=kube, clock=clock, context=context, metrics=metrics, log=log, changed=self._mark)
        self._live = Live()
        self._progress, self._key_progress = Progress(), Progress()
        self._credentials = Credentials()
        self._readback = Readback(answers, Unread(log, metrics.errors.labels("readback").inc))
        self._budgets = Budgets(budget_answers, log)
        self._gateway_metrics = gateway_metrics
        self._traffic = TrafficView(clock, Unread(log, metrics.errors.labels("traffic").inc))
        self._election = Election(
            kube, clock, namespace=context.namespace, name=context.lease, identity=context.identity, owner=context.owner
        )
        self._gateways = Gateways(kube=kube, clock=clock, context=context, live=self._live, metrics=metrics, log=log)
        self._statuses = Statuses(
            kube=kube,
            clock=clock,
            context=context,
            view=self._inputs.view,
            progress=self._progress,
            key_progress=self._key_progress,
            readback=self._readback,
            budgets=self._budgets,
            metrics=metrics,
            log=log,
        )
        self._last_good: LastGood | None = None
        self._compiled: Compiled | None = None
        self._too_large: frozenset[str] = frozenset()
        self._obstacles: Mapping[str, str] = {}
        self._mounted: Mapping[str, frozenset[str]] = {}
        self._keyless: Mapping[str, Keyless] = {}
        self._inputs_changed = True
        self._due, self._status_due, self._readback_due, self._budgets_due = Alarm(), Alarm(), Alarm(), Alarm()
        self._back, self._is_cut_off = Alarm(), False
        self._changed_at: float | None = None
        self._turned_at = clock.monotonic()
        self._pending = 0

    @property
    def is_healthy(self) -> bool:
        """Tell whether the loops still turn."""
        return self._clock.monotonic() - self._turned_at < _HEALTHY_WITHIN_S

    async def run(self) -> None:
        """Keep the cluster's gateways what users wrote, until cancelled; then give the lease back."""
        steps: dict[str, tuple[float, Callable[[], Awaitable[None]]]] = {
            **{f"watch {kind}": (0.0, partial(self._follow, kind)) for kind in _FOLLOWED},
            "lead": (RENEW_EVERY_S, self._lead),
            "list": (_LISTS_EVERY_S, self._inputs.list_all),
            "list again": (0.0, self._list_after_outage),
            "keys": (KEYS_EVERY_S, self._inputs.read_keys),
            "look": (KEYS_SECRET_EVERY_S, self._look_at_keys),
            "pass": (0.0, self._pass),
            "status": (0.0, self._write_status),
            "readback": (0.0, self._read_back),
            "traffic": (EVERY_S, self._look_at_traffic),
        }
        if self._context.settings.budget_server is not None:
            steps["budgets"] = (0.0, self._read_budgets)
        loops = Loops(self._log)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(loops.run("watch", self._inputs.watch()))
                for name, (every_s, step) in steps.items():
                    tasks.create_task(loops.run(name, self._repeat(name, every_s, step)))
        finally:
            await self._resign()

    async def _repeat(self, operation: str, every_s: float, step: Callable[[], Awaitable[None]]) -> None:
        """Repeat a step. An API server that refuses or does not answer is asked again, ever more slowly."""

        def failed(error: FairleadError, failures: int) -> None:
            self._metrics.errors.labels(operation.partition(" ")[0]).inc()
            if failures == 1 or failures % _TELL_EVERY == 0:
                self._log.warning("try again", what=f"{operation}: {error}", failures=failures)

        first_s, longest_s = _RETRY_S
        await repeat(
            step,
            every_s=every_s,
            sleep=self._clock.sleep,
            failed=failed,
            errors=ClusterError,
            retry_s=(first_s, min(max(every_s, longest_s), _RETRY_RARE_S)),
        )

    def _mark(self) -> None:
        """Note that something changed: the next pass compiles."""
        self._inputs_changed = True
        self._pending += 1
        self._metrics.pending_events.set(self._pending)
        if self._changed_at is None:
            self._changed_at = self._clock.monotonic()
        self._due.ring()

    # What the operator owns

    async def _follow(self, kind: str) -> None:
        await follow(
            self._kube,
            self._live,
            kind,
            namespace=self._context.namespace,
            labels=self._context.labels_of(kind),
            changed=lambda: self._live_changed(kind),
        )

    def _live_changed(self, kind: str) -> None:
        self._due.ring()
        if kind == "Pod":
            self._readback_due.ring()

    async def _list_after_outage(self) -> None:
        """List as soon as the API server is back: watches take their time, and the next list may be a minute away."""
        await self._back.within(None)
        await self._inputs.list_all()
        self._back.silence()

    # Leading

    async def _lead(self) -> None:
        led = self._election.leads
        try:
            await self._election.step()
            if self._is_cut_off:
                self._back.ring()
            self._is_cut_off = False
        except UnreachableError:
            self._is_cut_off = True
            raise
        finally:
            leads = self._election.leads
            self._metrics.leads.set(1 if leads else 0)
            if leads != led:
                self._log.info("leads" if leads else "stands by", what=self._context.identity)
                self._last_good = None
                self._due.ring()

    async def _resign(self) -> None:
        try:
            await self._election.resign()
        except ClusterError as error:
            self._log.warning("lease kept", what=f"it ends by itself: {error}")

    # The pass

    async def _pass(self) -> None:
        """Wait for a change, then make the cluster what the view says."""
        self._turned_at = self._clock.monotonic()
        if not await self._due.within(_LISTS_EVERY_S):
            return
        await self._quiet()
        if not await self._is_prepared():
            await self._clock.sleep(0.2)
            return
        self._due.silence()
        began = self._clock.monotonic()
        try:
            await self._reconcile()
        except ClusterError:
            self._due.ring()
            self._metrics.reconciles.labels("error").inc()
            raise
        self._metrics.reconciles.labels("success").inc()
        self._metrics.reconcile_seconds.observe(self._clock.monotonic() - began)
        self._metrics.last_success.set(self._clock.now().timestamp())

    async def _quiet(self) -> None:
        """Wait until events pause, but not for long: a burst is one pass."""
        began = self._clock.monotonic()
        pending = -1
        while pending != self._pending and self._clock.monotonic() - began < _BURST_S:
            pending = self._pending
            await self._clock.sleep(_QUIET_S)

    async def _is_prepared(self) -> bool:
        """Tell whether the picture is whole: half a picture would take routes away that are only not seen yet."""
        if not (self._election.leads and self._live.has_listed(_FOLLOWED) and await self._inputs.are_whole()):
            return False
        if self._last_good is None:
            self._last_good = await self._remembered()
            self._inputs_changed = True
        return True

    async def _reconcile(self) -> None:
        compiled, mounted = self._compiled, self._gateways.mounted()
        if self._inputs_changed or compiled is None or mounted != self._mounted:
            self._mounted = mounted
            self._compiled = compiled = await self._compile()
        refresh = asked(self._inputs.view.of_kind("ModelProvider"))
        applied = await self._gateways.apply(compiled, self._inputs.keys, self._inputs.born, refresh=refresh)
        self._too_large, self._obstacles, self._keyless = applied.too_large, applied.obstacles, applied.keyless
        self._progress.compiled(
            {region: compiled.gateways[region].digest for region in applied.written}, essences(compiled)
        )
        if applied.keys is not None:
            self._key_progress.compiled(dict.fromkeys(compiled.gateways, applied.keys.mark), keys_of(applied.keys))
        self._readback_due.ring()
        self._status_due.ring()
        expected = configuration_digest(compiled.configuration)
        if expected != self._budgets.expected:
            self._budgets.expected = expected
            self._budgets_due.ring()
        if applied.again_in_s is not None:
            self._due.ring_in(applied.again_in_s)
        if applied.error is not None:
            raise applied.error

    async def _compile(self) -> Compiled:
        """Compile in a thread: leases are renewed and probes answered meanwhile."""
        self._inputs_changed, self._pending = False, 0
        self._metrics.pending_events.set(0)
        began = self._clock.monotonic()
        observed = Observed(
            last_good=self._last_good or {},
            layouts=self._context.layouts,
            release=self._context.release,
            home_secrets_readable=False,
            mounted=self._mounted,
            deployed=self._gateways.deployed(),
        )
        compiled = await asyncio.to_thread(compile_all, self._inputs.snapshot(), self._context.installation, observed)
        self._metrics.compile_seconds.observe(self._clock.monotonic() - began)
        self._last_good = compiled.last_good
        self._credentials = Credentials(compiled)
        self._metrics.unbudgeted_consumers.set(sum(not policies for policies in compiled.budgets.values()))
        return compiled

    # What came of it

    async def _read_back(self) -> None:
        """Ask the pods: often while some are behind, rarely otherwise."""
        pods = ready_pods(self._live.of_kind("Pod"))
        mark = self._gateways.mark
        if await self._readback.ask(pods, mark=mark, files=self._credentials.of_region):
            self._status_due.ring()
        current = self._is_current()
        if not current and self._compiled is not None and self._election.leads:
            await self._gateways.nudge_again(
                self._readback.behind(self._progress.digest, mark, self._credentials.of_region)
            )
        if current and self._changed_at is not None and not self._inputs_changed and not self._due.rings:
            self._metrics.propagation_seconds.observe(self._clock.monotonic() - self._changed_at)
            self._changed_at = None
        waiting = self._changed_at is not None and self._clock.monotonic() - self._changed_at < _HEALTHY_WITHIN_S / 10
        self._readback_due.silence()
        await self._readback_due.within(0.05 if waiting else 1.0 if not current else 5.0)

    async def _read_budgets(self) -> None:
        """Ask the budget servers what was spent, and whether they can decide."""
        if self._election.leads and self._live.has_listed(("Pod",)):
            if await self._budgets.ask(self._live.of_kind("Pod")):
                self._status_due.ring()
            reading = self._budgets.reading
            if reading is not None:
                self._metrics.budgets_enforced.set(reading.availability is Availability.ANSWERS)
            if self._compiled is not None:
                await self._gateways.nudge_again(self._budgets.behind)
        self._budgets_due.silence()
        await self._budgets_due.within(self._budgets.pause_s)

    async def _look_at_traffic(self) -> None:
        """Read from the gateways what real traffic told them."""
        if self._compiled is None or not self._election.leads:
            return
        served = {region: gateway.ir for region, gateway in self._compiled.gateways.items()}
        places = metrics_places(ready_pods(self._live.of_kind("Pod")))
        # Values of credentials are none of the operator's business: red ends with the first answer.
        if await self._traffic.look(self._gateway_metrics, places, served, {}):
            self._status_due.ring()

    def _is_current(self) -> bool:
        """Tell whether every ready pod of every region serves the newest configuration, and keep the gauge."""
        current = True
        for region in self._compiled.gateways if self._compiled else ():
            digest, answers = self._progress.digest(region), self._readback.of_region(region)
            newest = sum(answer == digest for answer in answers)
            self._metrics.gateway_pods.labels(region, "true").set(newest)
            self._metrics.gateway_pods.labels(region, "false").set(len(answers) - newest)
            current = current and newest == len(answers) > 0
            current = current and self._holds(region)
        return current and self._compiled is not None

    def _holds(self, region: str) -> bool:
        """Tell whether all ready pods of a region have the keys and the credentials that they are to have."""
        mark = self._gateways.mark
        lacking = self._readback.lacking(region, self._credentials.of_region(region)) if mark else ()
        return not lacking and (not mark or {*self._readback.marks(region)} <= {mark})

    async def _write_status(self) -> None:
        await self._status_due.within(KEYS_EVERY_S)  # an expired consumer says so without an event
        self._status_due.silence()
        if self._compiled is None or not self._election.leads:
            return
        try:
            waiting = await self._statuses.write(
                self._compiled,
                self._credentials,
                too_large=self._too_large,
                obstacles=self._obstacles,
                keyless=self._keyless,
                failing=self._traffic.failing,
            )
        except ClusterError:
            self._status_due.ring()
            raise
        if waiting:
            self._status_due.ring_in(1.0)

    async def _remembered(self) -> LastGood:
        """Read what the operator before this one remembered; what is damaged is none. Raises `ClusterError`."""
        name = memory_name(self._context)
        found = await self._kube.get("ConfigMap", namespace=self._context.namespace, name=name)
        try:
            return remembered(found)
        except StateError as error:
            what = f"ConfigMap {name}: {error}; it counts as absent until it is written anew"
            self._metrics.errors.labels("memory").inc()
            self._log.warning("forgotten", what=what)
            return {}

    async def _look_at_keys(self) -> None:
        self._gateways.look_at_keys()
        self._due.ring()
