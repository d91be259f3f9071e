"""Saying in status what came of each object, and in Events what has happened. KnownNames only when it differs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from structlog.typing import FilteringBoundLogger

from fairlead import status
from fairlead.adapters.clock import Clock
from fairlead.adapters.kube import RESOURCES, ConflictError, Kube
from fairlead.api.conditions import Condition, ConditionStatus, ConditionType, Reason
from fairlead.api.installation import FailurePolicy
from fairlead.api.meta import ObjectKey
from fairlead.compiler import Compiled, CompiledGateway, DeclaredEndpoint, Report, Served
from fairlead.controller.budget_server import Budgets
from fairlead.controller.context import Context
from fairlead.controller.credentials import Credentials
from fairlead.controller.events import Events
from fairlead.controller.metrics import Metrics
from fairlead.controller.obstacle import UNDER_WAY
from fairlead.controller.progress import Progress
from fairlead.controller.readback import Readback
from fairlead.controller.rollouts import Rollouts
from fairlead.controller.view import View
from fairlead.health.fleet import Fleet
from fairlead.health.record import WHOLE
from fairlead.runtime.parallel import each
from fairlead.status import Availability, CompiledStatus, Failing, Happening, Keyless, RegionState, Serving, Trouble
from fairlead.status.standing import EndpointStanding

Object = Mapping[str, Any]

PATIENCE_S = 5.0
"""How long a gateway may take to follow before it is called behind: until then an object's status waits."""
ROLL_PATIENCE_S = 60.0
"""How long pods may take to be replaced, as long as nothing is in their way; those that leave do so in seconds."""
_LATE = (RegionState.BEHIND, RegionState.WAITS, RegionState.LACKS)
_AT_ONCE = 8
_TOLD_ELSEWHERE = (Reason.ROLLED_BACK, Reason.ABORTED)
"""Rollouts write Events of their own."""
_SPENDING = frozenset({"shadow", "savings", "cache"})
"""Fields of a route's status that the budget server's account and the calendar make."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Basis:
    """By what a route's status was judged, beside what all statuses depend on."""

    found: CompiledStatus
    version: str
    """Of the object that was read."""
    rolls: tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One object with what is to be said about it."""

    report: Report
    stated: tuple[Condition, ...]
    serving: tuple[Serving, ...]
    further: Object
    """What only objects of its kind say."""


class Statuses:
    """The writer of all status and of all Events."""

    def __init__(
        self,
        *,
        kube: Kube,
        clock: Clock,
        context: Context,
        view: View,
        progress: Progress,
        key_progress: Progress,
        readback: Readback,
        budgets: Budgets,
        rollouts: Rollouts,
        metrics: Metrics,
        log: FilteringBoundLogger,
    ) -> None:
        self._kube, self._clock, self._context, self._view, self._budgets = kube, clock, context, view, budgets
        self._key_progress, self._credentials = key_progress, Credentials()
        self._progress, self._readback, self._metrics, self._log = progress, readback, metrics, log
        self._rollouts = rollouts
        self._events = Events(kube=kube, clock=clock, metrics=metrics, log=log)
        self._gauges: set[ObjectKey] = set()
        self._keyless: Mapping[str, Keyless] = {}
        self._obstacles: Mapping[str, str] = {}
        self._behind_since: dict[ObjectKey, tuple[tuple[bool, bool], float]] = {}
        """What keeps an object that is late, pods that are to come or pods that leave, and since when."""
        self._common: tuple[object, ...] = ()
        self._said: dict[ObjectKey, _Basis] = {}
        """Of routes whose status stands: by what it was judged. Most changes concern one of thousands."""
        self._spent_on: frozenset[str] = frozenset()  # routes of which the budget server says something
        self._reached: Mapping[str, int] = {}
        """By region, the pass that its pods have come to."""
        self._declared: Sequence[DeclaredEndpoint] = ()
        self._standings: Sequence[EndpointStanding] = ()
        self._troubles: Sequence[Trouble] = ()

    async def write(
        self,
        compiled: Compiled,
        credentials: Credentials,
        *,
        too_large: Collection[str],
        obstacles: Mapping[str, str],
        keyless: Mapping[str, Keyless],
        failing: Sequence[Failing],
        fleet: Fleet,
    ) -> bool:
        """Write every status that differs; tell whether some wait for their gateways; raises `ClusterError`."""
        self._keyless, self._obstacles, self._credentials = keyless, obstacles, credentials
        self._declared = compiled.endpoints
        without_steps = [region for region, gateway in compiled.gateways.items() if gateway.without_steps]
        self._standings = status.standings(compiled.endpoints, fleet, failing, without_steps=without_steps)
        self._troubles = status.troubles(failing, self._standings)

        async def one(told: tuple[CompiledStatus, _Basis | None]) -> bool:
            found, basis = told
            judged = self._judge(found, compiled, too_large)
            if judged is None:
                return True
            self._gauge(judged)
            if not await self._write(judged):
                return True
            if basis is not None:  # of before: what was written now is read, and judged once more
                self._said[found.report.key] = basis
            return False

        self._forget(compiled.status.keys())
        self._look(compiled, too_large)
        differing = [
            (found, basis)
            for found in compiled.status.values()
            if (basis := self._basis(found)) is None or not self._stands(found.report.key, basis)
        ]
        return any(await each(differing, one, at_once=_AT_ONCE))

    def _stands(self, key: ObjectKey, basis: _Basis) -> bool:
        """Tell whether what was said of an object stands. Then its pods are not behind any more, if they were."""
        if basis != self._said.get(key):
            return False
        self._behind_since.pop(key, None)
        return True

    def _look(self, compiled: Compiled, too_large: Collection[str]) -> None:
        """Look at what the statuses of all objects depend on; if it differs, all are judged."""
        gateways, reading = compiled.gateways.items(), self._budgets.reading
        self._spent_on = reading.spend.routes if reading and reading.spend else frozenset()
        self._reached = {region: self._progress.reached(region, self._answers(region)) for region, _ in gateways}
        common = (
            frozenset(too_large),
            # Of endpoints with all of their traffic routes say at most the region: probes tell of them all the time.
            tuple(one if one.share < WHOLE else one.region for one in self._standings),
            self._troubles,
            self._obstacles,
            self._credentials.known,
            self._readback.absences,
            tuple((region, gateway.lacking, gateway.waiting) for region, gateway in gateways),
        )
        if common != self._common:
            self._common, self._said = common, {}

    def _basis(self, found: CompiledStatus) -> "_Basis | None":
        """Return what an object's status depends on, beside what all do; None where time, a pod or spend changes it."""
        key = found.report.key
        if key.kind != "ModelRoute" or not all(self._progress.is_in(key, one) for one in self._reached.values()):
            return None
        if f"{key.namespace}/{key.name}" in self._spent_on:
            return None
        stored, rolls = self._view.get(key), self._rollouts.basis(key)
        if stored is None or rolls is None or _SPENDING.intersection(stored.get("status") or ()):
            return None
        return _Basis(found=found, version=stored["metadata"]["resourceVersion"], rolls=rolls)

    def _answers(self, region: str) -> tuple[str, ...]:
        """Return what all pods of a region serve to which requests may come; none while none is ready."""
        ready = self._readback.of_region(region)
        return ready and (*ready, *(one.digest for one in self._readback.left(region)))

    def _judge(self, found: CompiledStatus, compiled: Compiled, too_large: Collection[str]) -> Judged | None:
        """State conditions, or None while gateways may still be on their way."""
        report, gateways = found.report, compiled.gateways
        states = {region: self._state(found, gateway, too_large) for region, gateway in gateways.items()}
        if report.served is Served.CURRENT and self._is_on_its_way(report.key, states):
            return None
        enforced = self._enforced(report)
        if report.key.kind == "BudgetPolicy" and enforced is None:
            return None
        name = f"{report.key.namespace}/{report.key.name}"
        diversion = status.diversion(found.ladders, self._standings)
        rolling, rolls = self._rollouts.said(report.key, compiled) if report.key.kind == "ModelRoute" else (None, {})
        stated = status.conditions(
            report,
            states.items(),
            expired=found.expires_at is not None and found.expires_at <= self._clock.now().timestamp(),
            enforced=enforced,
            lacking={region: self._lacking(found, gateways[region], state) for region, state in states.items()},
            keyless=self._keyless.get(name) if report.key.kind == "ModelConsumer" else None,
            unwell=status.unwell(found, self._troubles),
            diversion=diversion,
            rolling=rolling,
        )
        serving: tuple[Serving, ...] = ()
        if report.served is Served.LAST_GOOD:
            serving = self._serving_before(found, states)
        elif report.served is Served.CURRENT:
            serving = tuple(
                self._serving(found, region)
                for region, state in states.items()
                if state is RegionState.SERVES and _is_served_in(found, region)
            )
        further = {**found.fields, **self._own(report.key, diversion), **rolls}
        return Judged(report=report, stated=stated, serving=serving, further=further)

    def _own(self, key: ObjectKey, diversion: str) -> Object:
        """Return what only objects of a kind say, of what was observed."""
        match key.kind:
            case "ModelRoute":
                return {"diversion": diversion or "-", **self._spending(key, f"{key.namespace}/{key.name}")}
            case "BudgetPolicy":
                return self._window(key, f"{key.namespace}/{key.name}")
            case "ModelProvider" if key.namespace == self._context.namespace:
                return status.provider_state(key.name, self._declared, self._standings)
            case _:
                return {}

    def _enforced(self, report: Report) -> Condition | None:
        """Say whether somebody decides by a policy; None = it is none, or nobody knows yet."""
        reading = self._budgets.reading
        runs = self._context.settings.budget_server is not None
        if report.key.kind != "BudgetPolicy" or (runs and reading is None):
            return None
        fail_closed = self._context.installation.budgets.failure_policy is FailurePolicy.CLOSED
        return status.enforced(report, reading if runs else None, fail_closed=fail_closed)

    def _spending(self, key: ObjectKey, name: str) -> Object:
        """Return what a route's shadow costs, and what its baseline and its kept answers save."""
        stored = self._stored(key)
        found = {field: stored[field] for field in sorted(_SPENDING) if stored.get(field)}
        reading = self._budgets.reading
        if reading is not None and reading.spend is not None and reading.availability is Availability.ANSWERS:
            now = self._clock.now()
            shadow = status.shadow_states(reading.spend, name, stored.get("shadow", ()), now=now)
            savings = status.savings_state(reading.spend, name, stored.get("savings"), now=now)
            cache = status.cache_state(reading.spend, name, stored.get("cache"), now=now)
            told = {"shadow": shadow, "savings": savings, "cache": cache}
            found = {field: value for field, value in told.items() if value}
        return found

    def _stored(self, key: ObjectKey) -> Object:
        return (self._view.get(key) or {}).get("status") or {}

    def _window(self, key: ObjectKey, name: str) -> Object:
        before = self._stored(key).get("budget")
        reading = self._budgets.reading
        account = reading.spend.account(name) if reading is not None and reading.spend is not None else None
        if account is None or reading is None or reading.availability is not Availability.ANSWERS:
            return {} if before is None else {"budget": before}
        return {"budget": status.budget_state(account, before, now=self._clock.now())}

    def _is_on_its_way(self, key: ObjectKey, states: Mapping[str, RegionState]) -> bool:
        """Tell whether a gateway is behind, but not for long: pods come and go, and that is no news about an object."""
        late = {region: state for region, state in states.items() if state in _LATE}
        if not late:
            self._behind_since.pop(key, None)
            return False
        waits = RegionState.WAITS in late.values()
        leaves = any(self._readback.left(region) for region in late)
        known, since = self._behind_since.get(key, (None, 0.0))
        if known != (waits, leaves):
            since = self._clock.monotonic()
            self._behind_since[key] = (waits, leaves), since
        is_roll = leaves or (waits and all(self._obstacles.get(region, UNDER_WAY) == UNDER_WAY for region in late))
        return self._clock.monotonic() - since < (ROLL_PATIENCE_S if is_roll else PATIENCE_S)

    def _state(self, found: CompiledStatus, gateway: CompiledGateway, too_large: Collection[str]) -> RegionState:
        key, region = found.report.key, gateway.ir.region
        if region in too_large:
            return RegionState.TOO_LARGE
        if key in gateway.waiting:
            return RegionState.WAITS
        if not self._progress.is_in(key, self._reached[region]):
            return RegionState.BEHIND
        if key.kind == "ModelConsumer":
            marks = (*self._readback.marks(region), *(one.mark for one in self._readback.left(region)))
            if not self._key_progress.serves(key, region, marks):
                return RegionState.BEHIND
        return RegionState.LACKS if self._lacked(found, region) else RegionState.SERVES

    def _lacked(self, found: CompiledStatus, region: str) -> frozenset[str]:
        return self._readback.lacking(region, self._credentials.needed(found, region))

    def _lacking(self, found: CompiledStatus, gateway: CompiledGateway, state: RegionState) -> str:
        """Name the Secrets that a region's pods do not mount, and why; or the credentials that they mount in vain.

        Of a region that is behind: why none of its pods runs.
        """
        region = gateway.ir.region
        if state is RegionState.BEHIND:
            hindrance = self._obstacles.get(region, UNDER_WAY)
            return "" if hindrance == UNDER_WAY or self._readback.of_region(region) else hindrance
        if not gateway.lacking:
            return ", ".join(f"`{file}`" for file in sorted(self._lacked(found, region)))
        secrets = ", ".join(f"`{name}`" for name in sorted(gateway.lacking))
        return f"{secrets} ({self._obstacles.get(region, UNDER_WAY)})"

    def _serving(self, found: CompiledStatus, region: str) -> Serving:
        """Keep the digest that was confirmed first: later ones hold the same for this object."""
        generation, ladder = found.report.generation, found.ladders.get(region, ())
        digest = self._progress.digest(region)
        for gateway in self._stored_gateways(found.report.key):
            is_same = gateway.get("observedGeneration") == generation and gateway.get("ladder", []) == [*ladder]
            if gateway["region"] == region and is_same and gateway.get("digest"):
                digest = gateway["digest"]
        return self._told(found, region, digest, generation)

    def _told(self, found: CompiledStatus, region: str, digest: str, generation: int | None) -> Serving:
        ladder, route = found.ladders.get(region, ()), found.routes.get(region)
        geo = next((one.geo for one in self._context.installation.regions if one.name == region), "")
        return Serving(region=region, digest=digest, generation=generation, ladder=ladder, route=route, geo=geo)

    def _serving_before(self, found: CompiledStatus, regions: Collection[str]) -> tuple[Serving, ...]:
        """Say where the last good version serves on, and of a route, with what now."""
        return tuple(
            self._told(found, region, gateway.get("digest", ""), gateway.get("observedGeneration"))
            for gateway in self._stored_gateways(found.report.key)
            if (region := gateway["region"]) in regions and _is_served_in(found, region)
        )

    def _stored_gateways(self, key: ObjectKey) -> Sequence[Object]:
        return ((self._view.get(key) or {}).get("status") or {}).get("gateways") or ()

    async def _write(self, judged: Judged) -> bool:
        """Write a status that differs; tell whether it stands now, or need not."""
        key, generation = judged.report.key, judged.report.generation
        found = self._view.get(key)
        if found is None:
            return True
        before = found.get("status") or {}
        written = status.status(
            judged.stated,
            judged.serving,
            generation=generation,
            before=before,
            now=self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            further=judged.further,
        )
        if not status.differs(written, before) or (before.get("observedGeneration") or 0) > (generation or 0):
            return True
        head = {"apiVersion": RESOURCES[key.kind].api_version, "kind": key.kind}
        # At the version that was judged: a write whose answer was lost, and that lands late, is refused.
        version = found["metadata"]["resourceVersion"]
        metadata = {"name": key.name, "namespace": key.namespace, "resourceVersion": version}
        try:
            applied = await self._kube.apply_status({**head, "metadata": metadata, "status": written})
        except ConflictError:
            self._metrics.conflicts.labels(key.kind).inc()
            return False
        self._metrics.writes.labels("status", key.kind).inc()
        if applied is None:
            return True
        if applied["metadata"].get("generation") == generation:
            self._view.put({**found, "metadata": applied["metadata"], "status": applied.get("status", {})})
        news = tuple(_happening(one) for one in status.news(judged.stated, before) if one.reason not in _TOLD_ELSEWHERE)
        if "budget" in written:
            news += status.stage_news(before.get("budget"), written["budget"])
        if "diversion" in written:
            news += status.diverted(before.get("diversion"), written["diversion"])
        for one in news:
            (self._log.warning if one.warning else self._log.info)(one.reason, what=f"{key}: {one.message}")
        await self._events.record(found, news)
        return True

    def _gauge(self, judged: Judged) -> None:
        key = judged.report.key
        ready = any(one.type is ConditionType.READY and one.status is ConditionStatus.TRUE for one in judged.stated)
        self._metrics.object_ready.labels(key.kind, key.namespace, key.name).set(1 if ready else 0)
        self._gauges.add(key)

    def _forget(self, there: Collection[ObjectKey]) -> None:
        for key in self._gauges.difference(there):
            self._metrics.object_ready.remove(key.kind, key.namespace, key.name)
            self._gauges.discard(key)
        self._behind_since = {key: since for key, since in self._behind_since.items() if key in there}
        self._said = {key: basis for key, basis in self._said.items() if key in there}


def _happening(one: Condition) -> Happening:
    return Happening(reason=str(one.reason), message=one.message, warning=one.status is not ConditionStatus.TRUE)


def _is_served_in(found: CompiledStatus, region: str) -> bool:
    """Tell whether an object has a place in a region's gateway: a route may have none there, all others have."""
    return found.report.key.kind != "ModelRoute" or region in found.ladders
