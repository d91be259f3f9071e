"""What the operator sees of what it made: what gateways serve, what budget servers counted, what traffic told."""

from collections.abc import Callable

from fairlead.adapters.clock import Clock
from fairlead.adapters.gateway_metrics import GatewayMetrics
from fairlead.budget.exhaustion import Exhaustions
from fairlead.controller.alarms import Alarms
from fairlead.controller.budget_server import Budgets
from fairlead.controller.gateways import Gateways
from fairlead.controller.health import Health
from fairlead.controller.live import Live
from fairlead.controller.metrics import Metrics
from fairlead.controller.progress import Progress
from fairlead.controller.readback import Readback, metrics_places, ready_pods
from fairlead.controller.reconciler import Reconciler
from fairlead.runtime.traffic import TrafficView
from fairlead.status import Availability

EXHAUSTIONS_EVERY_S = 15.0
"""At most so often gateways get another list of who is at the end of a budget."""
_HURRIES_S = 12.0
"""For how long after a change gateways are asked as often as it takes to see it arrive."""


class Observer:
    """The reader of gateways and budget servers; each step is one task's."""

    def __init__(
        self,
        *,
        clock: Clock,
        live: Live,
        reconciler: Reconciler,
        gateways: Gateways,
        progress: Progress,
        readback: Readback,
        budgets: Budgets,
        traffic: TrafficView,
        health: Health,
        gateway_metrics: GatewayMetrics,
        alarms: Alarms,
        leads: Callable[[], bool],
        metrics: Metrics,
    ) -> None:
        self._clock, self._live, self._reconciler, self._gateways = clock, live, reconciler, gateways
        self._progress, self._readback, self._budgets, self._traffic = progress, readback, budgets, traffic
        self._health, self._gateway_metrics = health, gateway_metrics
        self._alarms, self._leads, self._metrics = alarms, leads, metrics
        self._exhaustions: Exhaustions = {}
        self._exhausted_at = clock.monotonic() - EXHAUSTIONS_EVERY_S

    async def read_back(self) -> None:
        """Ask the pods: often while some are behind, rarely otherwise."""
        pods = ready_pods(self._live.of_kind("Pod"))
        mark, files = self._gateways.mark, self._reconciler.credentials.of_region
        if await self._readback.ask(pods, mark=mark, files=files):
            self._alarms.status.ring()
            signing = {region: self._reconciler.credentials.signing(region) for region in self._regions()}
            absent = {region: self._readback.absent(region, wanted) for region, wanted in signing.items()}
            self._reconciler.note_absent({region: files for region, files in absent.items() if files})
        current = self._is_current()
        if not current and self._reconciler.compiled is not None and self._leads():
            await self._gateways.nudge_again(self._readback.behind(self._progress.digest, mark, files))
        due = [self._gateways.confirm(region, self._readback.of_region(region)) for region in self._regions()]
        if any(due):
            self._alarms.reconcile.ring()
        if current and not any(self._gateways.is_between(region) for region in self._regions()):
            self._reconciler.arrived()
        changing_s = self._reconciler.changing_s
        hurries = changing_s is not None and changing_s < _HURRIES_S
        self._alarms.readback.silence()
        pause_s = 0.05 if hurries else 1.0 if not current else 5.0
        await self._alarms.readback.within(min(pause_s, self._readback.leave_in_s or pause_s))

    async def read_budgets(self) -> None:
        """Ask the budget servers what was spent, and whether they can decide."""
        if self._leads() and self._live.has_listed(("Pod",)):
            if await self._budgets.ask(self._live.of_kind("Pod")):
                self._alarms.status.ring()
            reading = self._budgets.reading
            if reading is not None:
                self._metrics.budgets_enforced.set(reading.availability is Availability.ANSWERS)
            if self._reconciler.compiled is not None:
                self._pass_on_exhaustions()
                await self._gateways.nudge_again(self._budgets.behind)
        self._alarms.budgets.silence()
        await self._alarms.budgets.within(self._budgets.pause_s)

    def _pass_on_exhaustions(self) -> None:
        """Let gateways know who is at the end of a budget; not often, since they ask as long as somebody answers."""
        moment, known = self._clock.monotonic(), self._budgets.exhaustions
        if known != self._exhaustions and moment - self._exhausted_at >= EXHAUSTIONS_EVERY_S:
            self._exhaustions, self._exhausted_at = known, moment
            self._reconciler.mark()

    async def look_at_traffic(self) -> None:
        """Read from the gateways what real traffic told them."""
        compiled = self._reconciler.compiled
        if compiled is None or not self._leads():
            return
        served = {region: gateway.ir for region, gateway in compiled.gateways.items()}
        places = metrics_places(ready_pods(self._live.of_kind("Pod")))
        # Values of credentials are none of the operator's business: red ends with the first answer.
        records = self._health.fleet.records
        fails_otherwise = await self._traffic.look(self._gateway_metrics, places, served, {}, records)
        if fails_otherwise:
            self._alarms.status.ring()
        self._health.hear(fails_otherwise=fails_otherwise)

    def _is_current(self) -> bool:
        """Tell whether every ready pod of every region serves the newest configuration, and keep the gauge."""
        current = True
        for region in self._regions():
            digest, answers = self._progress.digest(region), self._readback.of_region(region)
            newest = sum(answer == digest for answer in answers)
            self._metrics.gateway_pods.labels(region, "true").set(newest)
            self._metrics.gateway_pods.labels(region, "false").set(len(answers) - newest)
            current = current and newest == len(answers) > 0
            current = current and self._holds(region)
        return current and self._reconciler.compiled is not None

    def _regions(self) -> tuple[str, ...]:
        compiled = self._reconciler.compiled
        return tuple(compiled.gateways) if compiled is not None else ()

    def _holds(self, region: str) -> bool:
        """Tell whether all ready pods of a region have the keys and the credentials that they are to have."""
        mark = self._gateways.mark
        lacking = self._readback.lacking(region, self._reconciler.credentials.of_region(region)) if mark else ()
        return not lacking and (not mark or {*self._readback.marks(region)} <= {mark})
