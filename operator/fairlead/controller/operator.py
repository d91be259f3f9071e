"""The operator's loops: watches and lists fill the view, one pass at a time makes the cluster so, status follows."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from structlog.typing import FilteringBoundLogger

from fairlead.adapters.budget_answer import BudgetAnswers
from fairlead.adapters.clock import Clock
from fairlead.adapters.gateway_answer import GatewayAnswers
from fairlead.adapters.gateway_metrics import GatewayMetrics
from fairlead.adapters.kube import Kube, UnreachableError
from fairlead.adapters.probe import Probing
from fairlead.controller.alarms import Alarms
from fairlead.controller.budget_server import Budgets
from fairlead.controller.context import Context
from fairlead.controller.gateways import Gateways
from fairlead.controller.health import Health
from fairlead.controller.inputs import Inputs
from fairlead.controller.lease import RENEW_EVERY_S, Election
from fairlead.controller.live import Live, follow
from fairlead.controller.metrics import Metrics
from fairlead.controller.observer import Observer
from fairlead.controller.progress import Progress
from fairlead.controller.readback import Readback, metrics_places, ready_pods
from fairlead.controller.readiness import Readiness
from fairlead.controller.reconciler import FOLLOWED, Reconciler
from fairlead.controller.rehearsals import EVERY_S as REHEARSE_EVERY_S
from fairlead.controller.rollouts import EVERY_S as ROLLOUTS_EVERY_S
from fairlead.controller.rollouts import Rollouts
from fairlead.controller.status import Statuses
from fairlead.errors import ClusterError, FairleadError
from fairlead.manifests import naming
from fairlead.manifests.paths import HTTP_PORT
from fairlead.runtime.alarm import Alarm
from fairlead.runtime.health import Direct, Through, Way
from fairlead.runtime.loops import Loops, repeat
from fairlead.runtime.traffic import EVERY_S, TrafficView
from fairlead.runtime.unread import Unread

KEYS_EVERY_S = 10.0
"""How often consumers' Secrets are read again."""
KEYS_SECRET_EVERY_S = 60.0
"""How often the Secret of keys is compared, which may be written and not read."""
_LISTS_EVERY_S = 60.0
_TELLS_EVERY_S = 1.0
"""How often Events are written that nothing waits for."""
_RETRY_S, _RETRY_RARE_S = (0.5, 2.0), 10.0
"""First and longest pause before a step that failed is taken again; longest for one that is rarely taken anyhow."""
_TELL_EVERY = 10
"""Of failures in a row, the first is logged and every tenth."""
_HEALTHY_WITHIN_S = 120.0


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
        probes: Probing,
        context: Context,
        metrics: Metrics,
        log: FilteringBoundLogger,
    ) -> None:
        self._kube, self._clock, self._context, self._metrics, self._log = kube, clock, context, metrics, log
        self._alarms, self._live = Alarms(), Live()
        self._inputs = Inputs(kube=kube, clock=clock, context=context, metrics=metrics, log=log, changed=self._mark)
        progress, key_progress = Progress(), Progress()
        readback = Readback(answers, Unread(log, metrics.errors.labels("readback").inc), clock)
        self._budgets = Budgets(budget_answers, log)
        self._traffic = TrafficView(clock, Unread(log, metrics.errors.labels("traffic").inc))
        self._election = Election(
            kube,
            clock,
            namespace=context.namespace,
            name=context.lease,
            identity=context.identity,
            owner=context.owner,
            revision=context.revision,
            wanted=self._wanted_revision,
        )
        self._gateways = Gateways(kube=kube, clock=clock, context=context, live=self._live, metrics=metrics, log=log)
        self._health = Health(
            kube=kube,
            clock=clock,
            context=context,
            view=self._inputs.view,
            live=self._live,
            ask=Through(Direct(probes), answers, self._ways),
            gateway_metrics=gateway_metrics,
            traffic=self._traffic,
            draw=random.random,
            alarms=self._alarms,
            leads=self._leads,
            metrics=metrics,
            log=log,
        )
        self._rollouts = Rollouts(
            kube=kube,
            clock=clock,
            context=context,
            view=self._inputs.view,
            live=self._live,
            traffic=self._traffic,
            health=self._health,
            gateway_metrics=gateway_metrics,
            alarms=self._alarms,
            leads=self._leads,
            metrics=metrics,
            log=log,
        )
        self._reconciler = Reconciler(
            kube=kube,
            clock=clock,
            context=context,
            inputs=self._inputs,
            live=self._live,
            gateways=self._gateways,
            budgets=self._budgets,
            health=self._health,
            rollouts=self._rollouts,
            progress=progress,
            key_progress=key_progress,
            alarms=self._alarms,
            leads=self._leads,
            metrics=metrics,
            log=log,
        )
        self._observer = Observer(
            clock=clock,
            live=self._live,
            reconciler=self._reconciler,
            gateways=self._gateways,
            progress=progress,
            readback=readback,
            budgets=self._budgets,
            traffic=self._traffic,
            health=self._health,
            gateway_metrics=gateway_metrics,
            alarms=self._alarms,
            leads=self._leads,
            metrics=metrics,
        )
        self._statuses = Statuses(
            kube=kube,
            clock=clock,
            context=context,
            view=self._inputs.view,
            progress=progress,
            key_progress=key_progress,
            readback=readback,
            budgets=self._budgets,
            rollouts=self._rollouts,
            metrics=metrics,
            log=log,
        )
        self._readiness = Readiness(
            self._live,
            [naming.gateway(context.settings, region) for region in context.settings.regions],
            leads=self._leads,
            follows=lambda: self._election.follows,
            asks=lambda: self._election.asks,
            brought=lambda: self._reconciler.has_brought,
        )
        self._back, self._is_cut_off = Alarm(), False

    @property
    def is_healthy(self) -> bool:
        """Tell whether the loops still turn."""
        return self._clock.monotonic() - self._reconciler.turned_at < _HEALTHY_WITHIN_S

    @property
    def waits_for(self) -> str:
        """What this operator's own readiness waits for; empty = nothing."""
        return self._readiness.waits_for

    def _wanted_revision(self) -> str:
        """Return the release's revision, as its ConfigMap says now; empty where nobody knows."""
        found = self._live.get("ConfigMap", self._context.settings.owner) or {}
        return str((found.get("data") or {}).get("revision", ""))

    def _leads(self) -> bool:
        return self._election.leads

    def _ways(self, endpoint: str) -> Sequence[Way]:
        """List the pods that can ask an endpoint with its credential, which the operator may not read."""
        compiled = self._reconciler.compiled
        gateways = {} if compiled is None else compiled.gateways
        asking = {
            region for region, one in gateways.items() if any(endpoint == it.endpoint for it in one.ir.keyed_probes)
        }
        mark = self._gateways.mark
        pods = ready_pods(self._live.of_kind("Pod")) if mark else ()
        return [Way(address=pod.address, port=HTTP_PORT, mark=mark) for pod in pods if pod.region in asking]

    def _mark(self) -> None:
        self._reconciler.mark()

    async def run(self) -> None:
        """Keep the cluster's gateways what users wrote, until cancelled; then give the lease back."""
        steps: dict[str, tuple[float, Callable[[], Awaitable[None]]]] = {
            **{f"watch {kind}": (0.0, partial(self._follow, kind)) for kind in FOLLOWED},
            "lead": (RENEW_EVERY_S, self._lead),
            "list": (_LISTS_EVERY_S, self._inputs.list_all),
            "list again": (0.0, self._list_after_outage),
            "keys": (KEYS_EVERY_S, self._inputs.read_keys),
            "look": (KEYS_SECRET_EVERY_S, self._look_at_keys),
            "pass": (0.0, self._reconciler.step),
            "status": (0.0, self._write_status),
            "readback": (0.0, self._observer.read_back),
            "traffic": (EVERY_S, self._observer.look_at_traffic),
            "health": (0.0, self._judge),
            "rehearse": (REHEARSE_EVERY_S, self._rehearse),
            "rollouts": (ROLLOUTS_EVERY_S, self._roll),
            "tell": (_TELLS_EVERY_S, self._tell),
        }
        if self._context.settings.budget_server is not None:
            steps["budgets"] = (0.0, self._observer.read_budgets)
        loops = Loops(self._log)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(loops.run("watch", self._inputs.watch()))
                tasks.create_task(loops.run("probes", self._health.run_probes()))
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
        self._alarms.reconcile.ring()
        if kind == "Pod":
            self._alarms.readback.ring()

    async def _list_after_outage(self) -> None:
        """List as soon as the API server is back: watches take their time, and the next list may be a minute away."""
        await self._back.within(None)
        await self._inputs.list_all()
        self._back.silence()

    async def _look_at_keys(self) -> None:
        self._gateways.look_at_keys()
        self._alarms.reconcile.ring()

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
                self._reconciler.forget()

    async def _resign(self) -> None:
        try:
            await self._election.resign()
        except ClusterError as error:
            self._log.warning("lease kept", what=f"it ends by itself: {error}")

    # What came of it

    async def _rehearse(self) -> None:
        places = metrics_places(ready_pods(self._live.of_kind("Pod")))
        await self._health.rehearse(self._reconciler.compiled, places)

    async def _judge(self) -> None:
        await self._health.step(self._reconciler.compiled, self._mark)

    async def _roll(self) -> None:
        await self._rollouts.step(self._reconciler.compiled, self._mark)

    async def _tell(self) -> None:
        await self._health.tell()
        await self._rollouts.tell()

    async def _write_status(self) -> None:
        await self._alarms.status.within(KEYS_EVERY_S)  # an expired consumer says so without an event
        self._alarms.status.silence()
        compiled, applied = self._reconciler.compiled, self._reconciler.applied
        if compiled is None or not self._election.leads:
            return
        try:
            waiting = await self._statuses.write(
                compiled,
                self._reconciler.credentials,
                too_large=applied.too_large,
                obstacles=applied.obstacles,
                keyless=applied.keyless,
                failing=self._traffic.failing,
                fleet=self._health.fleet,
            )
        except ClusterError:
            self._alarms.status.ring()
            raise
        if waiting:
            self._alarms.status.ring_in(1.0)
