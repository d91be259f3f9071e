"""The pass: what users wrote and what is observed, compiled and applied; one at a time, while this one leads."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

from structlog.typing import FilteringBoundLogger

from fairlead.adapters import heap
from fairlead.adapters.clock import Clock
from fairlead.adapters.kube import Kube
from fairlead.budget import exhaustion
from fairlead.budget.configuration import digest as configuration_digest
from fairlead.compiler import Compiled, Observed
from fairlead.compiler import compile as compile_all
from fairlead.controller.alarms import Alarms
from fairlead.controller.budget_server import Budgets
from fairlead.controller.context import Context
from fairlead.controller.credentials import Credentials
from fairlead.controller.gateways import Applied, Gateways
from fairlead.controller.health import Health
from fairlead.controller.inputs import Inputs
from fairlead.controller.live import Live
from fairlead.controller.memory import EXHAUSTED_FILE, last_good_name, remembered
from fairlead.controller.metrics import Metrics
from fairlead.controller.progress import Progress, essences, keys_of
from fairlead.controller.refresh import asked
from fairlead.controller.rollouts import Rollouts
from fairlead.errors import ClusterError, StateError
from fairlead.manifests import OWNED_KINDS
from fairlead.memo import Memo
from fairlead.runtime.memory import LastGood

FOLLOWED = (*OWNED_KINDS, "Pod")
"""Kinds whose whole list must be known before a pass, so that absence means absence."""
_AT_LEAST_EVERY_S = 60.0
_QUIET_S, _BURST_S = 0.03, 0.15
"""A pass begins when no event came for so long, or so long after the first one: ten events in a burst are one pass."""
_NOTHING = Applied(
    too_large=frozenset(),
    written={},
    between=frozenset(),
    obstacles={},
    keyless={},
    keys=None,
    error=None,
    again_in_s=None,
)


class Reconciler:
    """What was compiled and applied last. One task calls `step`, again and again."""

    def __init__(
        self,
        *,
        kube: Kube,
        clock: Clock,
        context: Context,
        inputs: Inputs,
        live: Live,
        gateways: Gateways,
        budgets: Budgets,
        health: Health,
        rollouts: Rollouts,
        progress: Progress,
        key_progress: Progress,
        alarms: Alarms,
        leads: Callable[[], bool],
        metrics: Metrics,
        log: FilteringBoundLogger,
    ) -> None:
        self._kube, self._clock, self._context, self._metrics, self._log = kube, clock, context, metrics, log
        self._inputs, self._live, self._gateways = inputs, live, gateways
        self._budgets, self._health, self._rollouts = budgets, health, rollouts
        self._progress, self._key_progress, self._alarms, self._leads = progress, key_progress, alarms, leads
        self.compiled: Compiled | None = None
        self.credentials = Credentials()
        self.applied = _NOTHING
        self._last_good: LastGood | None = None
        self._forgotten = 0
        """How often."""
        self.has_brought = False
        """Whether a pass of this leader has written all that it wants."""
        self._mounted: Mapping[str, frozenset[str]] = {}
        self._absent: Mapping[str, frozenset[str]] = {}
        self._inputs_changed = True
        self._changed_at: float | None = None
        self._pending = 0
        self.turned_at = clock.monotonic()
        """When the loop last came round, in seconds of the monotonic clock."""

    def mark(self) -> None:
        """Note that something changed: the next pass compiles."""
        self._inputs_changed = True
        self._pending += 1
        self._metrics.pending_events.set(self._pending)
        if self._changed_at is None:
            self._changed_at = self._clock.monotonic()
        self._alarms.reconcile.ring()

    def note_absent(self, absent: Mapping[str, frozenset[str]]) -> None:
        """Note which files that requests are signed by pods lack, by region: they are signed once it is there."""
        if absent != self._absent:
            self._absent = absent
            self.mark()

    def forget(self) -> None:
        """Take nothing for granted that another leader may have written: the next pass reads its memory."""
        self._last_good = None
        self._forgotten += 1
        self.has_brought = False
        self._gateways.forget()
        self._health.forget()
        self._rollouts.forget()
        self._alarms.reconcile.ring()

    @property
    def changing_s(self) -> float | None:
        """For how many seconds a change has been on its way to the gateways; None = none is."""
        return None if self._changed_at is None else self._clock.monotonic() - self._changed_at

    def arrived(self) -> None:
        """Note that every gateway serves what was compiled last: unless more changed since, the change is through."""
        if self._changed_at is not None and not self._inputs_changed and not self._alarms.reconcile.rings:
            self._metrics.propagation_seconds.observe(self._clock.monotonic() - self._changed_at)
            self._changed_at = None

    async def step(self) -> None:
        """Wait for a change, then make the cluster what the view says; raises `ClusterError`."""
        self.turned_at = self._clock.monotonic()
        if not await self._alarms.reconcile.within(_AT_LEAST_EVERY_S):
            return
        await self._quiet()
        if not await self._is_prepared():
            await self._clock.sleep(0.2)
            return
        self._alarms.reconcile.silence()
        began, before = self._clock.monotonic(), self.compiled
        try:
            await self._reconcile()
        except ClusterError:
            self._alarms.reconcile.ring()
            self._metrics.reconciles.labels("error").inc()
            raise
        self._metrics.reconciles.labels("success").inc()
        self._metrics.reconcile_seconds.observe(self._clock.monotonic() - began)
        self._metrics.last_success.set(self._clock.now().timestamp())
        if self.compiled is not before:
            await asyncio.to_thread(heap.give_back)

    async def _quiet(self) -> None:
        """Wait until events pause, but not for long: a burst is one pass."""
        began = self._clock.monotonic()
        pending = -1
        while pending != self._pending and self._clock.monotonic() - began < _BURST_S:
            pending = self._pending
            await self._clock.sleep(_QUIET_S)

    async def _is_prepared(self) -> bool:
        """Tell whether the picture is whole: half a picture would take routes away that are only not seen yet."""
        if not (self._leads() and self._live.has_listed(FOLLOWED) and await self._inputs.are_whole()):
            return False
        if self._last_good is None:
            forgotten = self._forgotten
            exhaustions = await self._health.remember()
            await self._rollouts.remember()
            last_good = await self._remembered()
            if forgotten != self._forgotten:
                return False
            self._last_good, self._inputs_changed = last_good, True
            self._budgets.exhaustions = exhaustions
        return True

    async def _reconcile(self) -> None:
        compiled, mounted = self.compiled, self._gateways.mounted()
        if self._inputs_changed or compiled is None or mounted != self._mounted:
            self._mounted, forgotten = mounted, self._forgotten
            compiled = await self._compile()
            if forgotten != self._forgotten:  # somebody else may have led meanwhile: what we knew is void
                self._alarms.reconcile.ring()
                return
            self.compiled, self._last_good = compiled, compiled.last_good
            self._progress.wanted(essences(compiled))
            self.credentials = Credentials(compiled)
        kept = self._rollouts.kept
        refresh = asked(self._inputs.view.of_kind("ModelProvider"))
        self.applied = applied = await self._gateways.apply(
            compiled,
            self._inputs.keys,
            self._inputs.born,
            refresh=refresh,
            rotation=self._health.rotation,
            health={**self._health.kept, EXHAUSTED_FILE: exhaustion.document(self._budgets.exhaustions)},
            rollouts=kept.document,
        )
        self._rollouts.note_applied(kept)
        self._progress.written(applied.written, between=applied.between)
        if applied.keys is not None:
            self._key_progress.wanted(keys_of(applied.keys))
            self._key_progress.written(dict.fromkeys(compiled.gateways, applied.keys.mark))
        self._alarms.readback.ring()
        self._alarms.status.ring()
        expected = configuration_digest(compiled.configuration)
        if expected != self._budgets.expected:
            self._budgets.expected = expected
            self._alarms.budgets.ring()
        if applied.again_in_s is not None:
            self._alarms.reconcile.ring_in(applied.again_in_s)
        if applied.error is not None:
            raise applied.error
        self.has_brought = self._leads()

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
            absent=self._absent,
            deployed=self._gateways.deployed(),
            exhaustions=self._budgets.exhaustions,
            health=self._health.shares,
            drained=self._health.drained,
            memo=Memo() if self.compiled is None else self.compiled.memo,
        )
        snapshot, installation = self._inputs.snapshot(), self._context.installation
        compiled = await self._rollouts.settled(
            lambda shares: asyncio.to_thread(compile_all, snapshot, installation, replace(observed, rollouts=shares))
        )
        self._metrics.compile_seconds.observe(self._clock.monotonic() - began)
        self._metrics.unbudgeted_consumers.set(sum(not policies for policies in compiled.budgets.values()))
        return compiled

    async def _remembered(self) -> LastGood:
        """Read what the operator before this one remembered; what is damaged is none. Raises `ClusterError`."""
        name = last_good_name(self._context)
        found = await self._kube.get("ConfigMap", namespace=self._context.namespace, name=name)
        try:
            return remembered(found)
        except StateError as error:
            what = f"ConfigMap {name}: {error}; it counts as absent until it is written anew"
            self._metrics.errors.labels("memory").inc()
            self._log.warning("forgotten", what=what)
            return {}
