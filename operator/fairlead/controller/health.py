"""The health of endpoints and regions, while this operator leads: what it is judged by, and who is told.

Only the leader probes and judges. Whoever comes after it goes on from what it kept, which is written when something
changes, and not for each probe.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from structlog.typing import FilteringBoundLogger

from fairlead.adapters.clock import Clock
from fairlead.adapters.gateway_metrics import GatewayMetrics
from fairlead.adapters.kube import Kube
from fairlead.adapters.probe import Finding
from fairlead.api.meta import ObjectKey
from fairlead.budget.exhaustion import Exhaustions
from fairlead.compiler import Compiled
from fairlead.controller import drains, load
from fairlead.controller.alarms import Alarms
from fairlead.controller.context import Context
from fairlead.controller.drains import Drains, Mistake
from fairlead.controller.events import Events
from fairlead.controller.health_metrics import HealthMetrics
from fairlead.controller.live import Live
from fairlead.controller.memory import HEALTH_FILE, remembered_exhaustions, remembered_health
from fairlead.controller.metrics import Metrics
from fairlead.controller.rehearsals import Rehearsals
from fairlead.controller.view import View
from fairlead.errors import StateError
from fairlead.health.endpoint import Traffic
from fairlead.health.fleet import Fleet, Transition
from fairlead.runtime.health import HealthWatch, drained_regions
from fairlead.runtime.prober import Ask, Place, Prober
from fairlead.runtime.readings import GatewayPlace
from fairlead.runtime.traffic import TrafficView
from fairlead.status import Happening, counted, happening, nearly_full, overload, trust

Object = Mapping[str, Any]

EVERY_S = 0.2
"""Least pause between two judgements: probes that end together are judged together."""
_AT_LEAST_EVERY_S = 1.0
_LOAD_EVERY_S = 60.0
"""How often it is written down what endpoints carry, where nothing else changes."""


class Health:
    """What is known of health. One task calls `step`, another `run_probes`, a third `tell`."""

    def __init__(
        self,
        *,
        kube: Kube,
        clock: Clock,
        context: Context,
        view: View,
        live: Live,
        ask: Ask,
        gateway_metrics: GatewayMetrics,
        traffic: TrafficView,
        draw: Callable[[], float],
        alarms: Alarms,
        leads: Callable[[], bool],
        metrics: Metrics,
        log: FilteringBoundLogger,
    ) -> None:
        """`draw` returns a random number from 0 to 1: probes are jittered by it."""
        self._kube, self._clock, self._context, self._view, self._live = kube, clock, context, view, live
        self._traffic = traffic
        self._alarms, self._leads, self._metrics, self._log = alarms, leads, metrics, log
        self._events = Events(kube=kube, clock=clock, metrics=metrics, log=log)
        self._prober = Prober(_asking(ask, metrics.health), clock, draw)
        self._watch = HealthWatch(clock, self._prober)
        self._heard: list[Traffic] = []
        self._remembers = False
        self._shown: object = None
        self._mistakes: frozenset[tuple[str, str]] = frozenset()
        self._overloaded: frozenset[str] = frozenset()
        self._open: frozenset[str] = frozenset()
        """Routes whose classifier is not asked."""
        self._nearly_full: frozenset[str] = frozenset()
        """Regions of which it was said."""
        self.kept: Mapping[str, Mapping[str, Any]] = {}
        """What is to be written down, by file: for whoever leads next, and for people before they drain."""
        self._load_at = clock.monotonic()
        self._rehearsals = Rehearsals(
            kube=kube,
            clock=clock,
            namespace=context.namespace,
            known_regions=self._known_regions,
            metrics=gateway_metrics,
            told=lambda one: self._events.note(self._installation, one, "rehearsal"),
        )

    @property
    def fleet(self) -> Fleet:
        """How everything stands."""
        return self._watch.fleet

    @property
    def shares(self) -> Mapping[str, int]:
        """`Observed.health`."""
        return self._watch.shares

    @property
    def drained(self) -> frozenset[str]:
        """`Observed.drained`: the regions that clients are to leave now."""
        return drained_regions(self._drains().orders, self._now_ms())

    @property
    def rotation(self) -> Mapping[str, bool]:
        """Of each region that is served here, whether the Service over all regions sends clients to its gateways."""
        settings = self._context.settings
        return drains.rotation(
            settings.regions,
            self.drained,
            known_regions=self._known_regions,
            serves_when_all_drained=settings.serves_when_all_drained,
        )

    async def remember(self) -> Exhaustions:
        """Go on from what the operator before this one kept; what is damaged is none. Raises `ClusterError`.

        Return who was at the end of a budget, which is kept beside it.
        """
        name = load.CONFIG_MAP
        found = await self._kube.get("ConfigMap", namespace=self._context.namespace, name=name)
        before = None
        try:
            before = remembered_health(found)
        except StateError as error:
            self._metrics.errors.labels("memory").inc()
            self._log.warning("forgotten", what=f"ConfigMap {name}: {error}; all endpoints count as well until judged")
        exhaustions: Exhaustions = {}
        try:
            exhaustions = remembered_exhaustions(found)
        except StateError as error:
            self._metrics.errors.labels("memory").inc()
            self._log.warning("forgotten", what=f"ConfigMap {name}: {error}; budget servers say anew who is at the end")
        fleet, told = before or (None, ())
        self._traffic.go_on(told, gateways_run_on=True)
        self._watch = HealthWatch(self._clock, self._prober, fleet)
        self.kept = {HEALTH_FILE: self._watch.document(told), load.FILE: load.encode(load.Load())}
        self._heard.clear()
        self._remembers = True
        return exhaustions

    def forget(self) -> None:
        """Take nothing for granted that another leader may have concluded: nothing is judged until `remember`."""
        self._remembers = False

    async def run_probes(self) -> None:
        """Ask endpoints until cancelled."""
        await self._prober.run()

    def hear(self, *, fails_otherwise: bool) -> None:
        """Take what gateways counted since the last look, which is judged once; keep what fails now over a restart."""
        self._heard += self._traffic.told
        if fails_otherwise and self._remembers:
            self._keep()
            self._alarms.reconcile.ring()

    def _keep(self) -> None:
        self.kept = {**self.kept, HEALTH_FILE: self._watch.document(self._traffic.kept)}

    async def step(self, compiled: Compiled | None, changed: Callable[[], None]) -> None:
        """Judge by what was told since the last step, then wait for more. `changed`: traffic is to move."""
        if compiled is None or not (self._leads() and self._remembers):
            self._stand_by()
        else:
            self._judge(compiled, changed)
        await self._watch.within(_AT_LEAST_EVERY_S)

    async def rehearse(self, compiled: Compiled | None, places: Sequence[GatewayPlace]) -> None:
        """Let a drill that somebody asked for come one step further; raises `ClusterError`."""
        if compiled is None or not (self._leads() and self._remembers):
            self._rehearsals.stand_by()
        else:
            await self._rehearsals.step(self._live.get("ConfigMap", drains.CONFIG_MAP), compiled, places, self.shares)

    async def tell(self) -> None:
        """Write the Events that wait."""
        await self._events.tell()

    def _stand_by(self) -> None:
        self._prober.expect(())
        self._prober.take()
        self._heard.clear()
        self._metrics.health.fall_silent()
        self._shown = None

    def _judge(self, compiled: Compiled, changed: Callable[[], None]) -> None:
        heard, self._heard = self._heard, []
        wanted = self._drains()
        self._note(wanted.mistakes)
        trusted = self.fleet.probes_unreliable_since_ms is None
        judgement = self._watch.judge(compiled.endpoints, traffic=heard, drains=wanted.orders)
        self._metrics.health.count(judgement.transitions)
        if judgement.noted or self._shown is not compiled:
            self._shown, declared = compiled, [one.health for one in compiled.endpoints]
            self._metrics.health.show(self.fleet, declared, wanted.orders, now_ms=self._now_ms())
        for one in judgement.transitions:
            self._say(one)
        if trusted != (self.fleet.probes_unreliable_since_ms is None):
            self._events.note(self._installation, trust(lost=trusted), "probes")
        if judgement.noted:
            self._keep()
            self._alarms.status.ring()
            self._alarms.reconcile.ring()
        news = (judgement.noted, self._note_overload(), self._note_room(compiled), self._note_open())
        if any(news) or self._clock.monotonic() - self._load_at >= _LOAD_EVERY_S:
            self._weigh(compiled)
        if judgement.moved:
            changed()

    def _weigh(self, compiled: Compiled) -> None:
        """Write down what endpoints carry, if it is not what stands there."""
        self._load_at = self._clock.monotonic()
        gateways = [one.ir for one in compiled.gateways.values()]
        found = load.load(
            compiled.endpoints,
            compiled.gateways.values(),
            self.fleet,
            carried=self._watch.carried,
            drained=self._watch.drained,
            overloaded=self._traffic.overloaded,
            caches=counted.caches(self._traffic.counted, gateways, counted.prices(compiled.configuration)),
            classifiers=counted.classifiers(self._traffic.counted, gateways),
        )
        document = load.encode(found)
        if document != self.kept.get(load.FILE):
            self.kept = {**self.kept, load.FILE: document}
            self._alarms.reconcile.ring()

    def _note_overload(self) -> bool:
        """Say which regions' gateways begin to refuse requests, and cease to; tell whether any did."""
        now = frozenset(self._traffic.overloaded)
        for region in sorted(now ^ self._overloaded):
            self._events.note(self._installation, overload(region, began=region in now), region)
        differs, self._overloaded = now != self._overloaded, now
        self._metrics.health.show_overload(self._known_regions, now)
        return differs

    def _note_open(self) -> bool:
        """Tell whether a classifier is no longer asked, or is again."""
        now = frozenset(self._traffic.counted.open_since_ms)
        differs, self._open = now != self._open, now
        return differs

    def _note_room(self, compiled: Compiled) -> bool:
        """Say which regions' files come to have little room left; tell whether any did, or did no longer."""
        fullness = {region: one.fullness for region, one in compiled.gateways.items()}
        regions = self._context.settings.regions
        now = nearly_full(fullness, plain={name for name, values in regions.items() if not values.packed})
        for region in sorted(now.keys() - self._nearly_full):
            one = Happening(reason="ConfigurationNearlyFull", message=now[region], warning=True)
            self._events.note(self._installation, one, region)
        differs, self._nearly_full = now.keys() != self._nearly_full, frozenset(now)
        self._metrics.health.show_room({region: percent for region, (percent, path) in fullness.items() if path})
        return differs

    def _say(self, transition: Transition) -> None:
        one, name = happening(transition), transition.subject.partition("/")[0]
        if one is not None:
            provider = self._view.get(ObjectKey("ModelProvider", self._context.namespace, name))
            self._events.note(self._installation if transition.is_region else provider, one, transition.subject)

    @property
    def _installation(self) -> Object | None:
        return self._live.get("ConfigMap", self._context.settings.owner)

    def _note(self, mistakes: Iterable[Mistake]) -> None:
        """Say of each annotation that has no effect why, once."""
        told = {(str(one.subject["metadata"].get("uid")), one.message): one for one in mistakes}
        for key, one in told.items():
            if key not in self._mistakes:
                self._metrics.errors.labels("drain").inc()
                told_of = Happening(reason="NotDrained", message=one.message, warning=True)
                self._events.note(one.subject, told_of, one.subject["metadata"]["name"])
        self._mistakes = frozenset(told)

    def _drains(self) -> Drains:
        namespace = self._context.namespace
        found = drains.read(
            [one for one in self._view.of_kind("ModelProvider") if one["metadata"]["namespace"] == namespace],
            self._live.get("ConfigMap", drains.CONFIG_MAP),
            known_regions=self._known_regions,
            now_ms=self._now_ms(),
        )
        return replace(found, orders=(*found.orders, *self._rehearsals.orders))

    @property
    def _known_regions(self) -> tuple[str, ...]:
        return tuple(region.name for region in self._context.installation.regions)

    def _now_ms(self) -> int:
        return int(self._clock.now().timestamp() * 1000)


def _asking(ask: Ask, metrics: HealthMetrics) -> Ask:
    """Count what probes meet."""

    async def asked(place: Place, /) -> Finding | None:
        finding = await ask(place)
        if finding is not None:
            metrics.probed(place.endpoint, finding.failure)
        return finding

    return asked
