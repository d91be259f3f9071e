"""Drills in a cluster: the operator drains a region as if it had failed, watches clients, and gives up in time.

Somebody asks for one by an annotation beside those of drains, `rehearse.fairlead.dev/<region>`, whose value is
`BEGAN/UNTIL error-rate PERCENT first-byte-p95 PERCENT`. The report is an Event, and the last one of each region stands
in the same ConfigMap, without `after` while its traffic is on its way back. A drill ends with the operator that began
it: whoever comes after it drains nothing.
"""

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fairlead.adapters.clock import Clock
from fairlead.adapters.gateway_metrics import GatewayMetrics
from fairlead.adapters.kube import Kube
from fairlead.api.quantity import basis_points, unix_seconds
from fairlead.budget.configuration import decode as decode_configuration
from fairlead.budget.price import Price
from fairlead.compiler import Compiled
from fairlead.controller.drains import CONFIG_MAP, rfc3339
from fairlead.envoy import names
from fairlead.errors import ClusterError
from fairlead.health.region import DrainKind, DrainOrder
from fairlead.health.rehearsal import (
    LONGEST_RETURN_S,
    Bounds,
    Outcome,
    before_s,
    breach,
    conclusion,
    returned,
    words,
)
from fairlead.ir import word
from fairlead.runtime.readings import GatewayPlace
from fairlead.runtime.rehearsal import Drill, read, report
from fairlead.status import Happening

Object = Mapping[str, Any]
Report = Mapping[str, Any]

PREFIX = "rehearse.fairlead.dev/"
EVERY_S = 1.0
"""How often clients are looked at; a bound that is passed ends the drill then."""
LONGEST_MS = 24 * 3_600_000
_WANT = "BEGAN/UNTIL error-rate PERCENT first-byte-p95 PERCENT"
_FORM = re.compile(r"([^/ ]{1,40})/([^/ ]{1,40}) error-rate ([0-9.%]{2,8}) first-byte-p95 ([0-9.%]{2,8})")
_AWAY = "the operator that began it is gone"
_BY_HAND = "it was ended by hand"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A drill that somebody wants."""

    region: str
    began_ms: int
    until_ms: int
    bounds: Bounds


def asked_of(found: Object | None, *, known_regions: Collection[str], now_ms: int) -> Asked | None:
    """Return the drill that is to run now, the first by the region's name; None where there is none that can."""
    annotations = ((found or {}).get("metadata") or {}).get("annotations") or {}
    for name, value in sorted(annotations.items()):
        region = name.removeprefix(PREFIX)
        written = _FORM.fullmatch(str(value)) if name.startswith(PREFIX) else None
        if written is None or region not in known_regions:
            continue
        try:
            began_ms, until_ms = (unix_seconds(written[at]) * 1000 for at in (1, 2))
            bounds = Bounds(error_rate_bp=basis_points(written[3]), first_byte_increase_bp=basis_points(written[4]))
        except (ValueError, OverflowError):
            continue
        if began_ms <= now_ms < until_ms <= began_ms + LONGEST_MS:
            return Asked(region=region, began_ms=began_ms, until_ms=until_ms, bounds=bounds)
    return None


def reported(found: Object | None, region: str) -> Report | None:
    """Return the last report of a region; None where there is none that can be read."""
    written = ((found or {}).get("data") or {}).get(_file(region))
    try:
        document = json.loads(written) if isinstance(written, str) else None
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _file(region: str) -> str:
    return f"rehearsal.{region}.json"


@dataclass(slots=True)
class _Drill:
    asked: Asked
    drain_at_ms: int
    readings: Drill
    drained_ms: int = 0
    came_to: tuple[Outcome, str] | None = None
    """What it came to, and why; None before the drain has ended. Then its traffic comes back."""
    shares: Mapping[str, int] = field(default_factory=dict)
    """What endpoints had of their traffic before, in percent, where it was not all."""


class Rehearsals:
    """The drill that runs, if one does. One task calls `step`."""

    def __init__(
        self,
        *,
        kube: Kube,
        clock: Clock,
        namespace: str,
        known_regions: Collection[str],
        metrics: GatewayMetrics,
        told: Callable[[Happening], None],
    ) -> None:
        """`told` is given what deserves an Event about the installation."""
        self._kube, self._clock, self._namespace, self._known_regions = kube, clock, namespace, known_regions
        self._metrics, self._told = metrics, told
        self._drill: _Drill | None = None
        self._since_ms: int | None = None
        self._unwritten: dict[str, Report] = {}
        self._done: dict[str, int] = {}
        """By region, when the last drill began that has ended."""

    @property
    def orders(self) -> Sequence[DrainOrder]:
        """What is drained for a drill now."""
        drill = self._drill
        if drill is None or drill.readings.start is None or drill.came_to is not None:
            return ()
        asked = drill.asked
        return (
            DrainOrder(kind=DrainKind.REGION, name=asked.region, began_ms=drill.drained_ms, until_ms=asked.until_ms),
        )

    def stand_by(self) -> None:
        """Drop everything: another operator leads."""
        self._drill, self._since_ms = None, None

    async def step(
        self,
        found: Object | None,
        compiled: Compiled,
        places: Sequence[GatewayPlace],
        shares: Mapping[str, int] | None = None,
    ) -> None:
        """Look once. `found` has the annotations. Raises `ClusterError`; a report is written again then.

        `shares`: what endpoints have of their traffic, in percent, where it is not all.
        """
        shares = shares or {}
        await self._write()
        now_ms = self._now_ms()
        self._since_ms = now_ms if self._since_ms is None else self._since_ms
        wanted = asked_of(found, known_regions=self._known_regions, now_ms=now_ms)
        drill = self._drill
        if drill is None:
            if wanted is not None and not self._is_done(found, wanted):
                await self._begin(wanted, compiled, places, shares)
        elif drill.came_to is not None:
            await self._look_after(drill, compiled, places, shares, is_over=wanted not in (None, drill.asked))
        elif wanted == drill.asked or (wanted is None and now_ms >= drill.asked.until_ms):
            await self._look(drill, compiled, places, now_ms)
        else:
            self._end(drill, Outcome.GAVE_UP, _BY_HAND)
            self._drill = None
        await self._write()

    def _is_done(self, found: Object | None, wanted: Asked) -> bool:
        last = reported(found, wanted.region)
        return self._done.get(wanted.region) == wanted.began_ms or (
            last is not None and last.get("began") == rfc3339(wanted.began_ms)
        )

    async def _begin(
        self, wanted: Asked, compiled: Compiled, places: Sequence[GatewayPlace], shares: Mapping[str, int]
    ) -> None:
        length_s = (wanted.until_ms - wanted.began_ms) / 1000
        drill = _Drill(
            asked=wanted,
            readings=Drill(
                first=await read(self._metrics, [place.address for place in places]),
                clusters=_clusters(compiled, _endpoints(compiled, wanted.region)),
            ),
            drain_at_ms=wanted.began_ms + int(1000 * before_s(length_s)),
            shares=dict(shares),
        )
        if self._since_ms is not None and wanted.began_ms < self._since_ms:
            self._end(drill, Outcome.GAVE_UP, _AWAY)
            return
        self._drill = drill

    async def _look(self, drill: _Drill, compiled: Compiled, places: Sequence[GatewayPlace], now_ms: int) -> None:
        prices = _prices(compiled)
        if drill.readings.start is None and now_ms < drill.drain_at_ms:
            return
        counted = await read(self._metrics, [place.address for place in places])
        if drill.readings.start is None:
            drill.readings.drains(counted, prices, _endpoints(compiled, drill.asked.region))
            drill.drained_ms = now_ms
            self._told(Happening(reason="RehearsalBegan", message=f"{drill.asked.region} is drained", warning=False))
            return
        seen = drill.readings.look(counted, prices, drained_s=(now_ms - drill.drained_ms) / 1000)
        if reason := breach(seen, drill.asked.bounds):
            self._end(drill, Outcome.GAVE_UP, reason)
        elif now_ms >= drill.asked.until_ms:
            self._end(drill, *conclusion(seen, drill.asked.bounds))

    async def _look_after(
        self,
        drill: _Drill,
        compiled: Compiled,
        places: Sequence[GatewayPlace],
        shares: Mapping[str, int],
        *,
        is_over: bool,
    ) -> None:
        """Look at the way back; it is over when the region has its traffic, or another drill is wanted."""
        counted = await read(self._metrics, [place.address for place in places])
        endpoints = _endpoints(compiled, drill.asked.region)
        began = drill.readings.end is None
        is_back = not began and all(shares.get(name, 100) >= drill.shares.get(name, 100) for name in endpoints)
        seen = drill.readings.look_after(counted, _prices(compiled), is_back=is_back)
        seconds = seen.after.seconds if seen.after is not None else 0.0
        if not (is_back or is_over or seconds >= LONGEST_RETURN_S):
            return
        self._drill = None
        before, why = drill.came_to or (Outcome.INCONCLUSIVE, "")
        outcome, reason = returned(seen, drill.asked.bounds, before, why)
        self._report(drill, outcome, reason)
        region = drill.asked.region
        back = "its traffic is back" if is_back else "its traffic is not back"
        if outcome is before:
            said = Happening(
                reason="RehearsalReturned" if is_back else "RehearsalNotReturned",
                message=f"{region}: {back} {seconds:.0f} s after the drill",
                warning=not is_back,
            )
            self._told(said)
        else:
            self._tell(drill, outcome, reason)

    def _end(self, drill: _Drill, outcome: Outcome, reason: str) -> None:
        """End the drain, and say at once what it came to."""
        drill.came_to = outcome, reason
        self._report(drill, outcome, reason)
        self._tell(drill, outcome, reason)

    def _report(self, drill: _Drill, outcome: Outcome, reason: str) -> None:
        asked = drill.asked
        self._done[asked.region] = asked.began_ms
        self._unwritten[asked.region] = report(
            asked.region,
            began=rfc3339(asked.began_ms),
            ended=rfc3339(self._now_ms()),
            bounds=asked.bounds,
            outcome=outcome,
            reason=reason,
            seen=drill.readings.seen,
        )

    def _tell(self, drill: _Drill, outcome: Outcome, reason: str) -> None:
        asked, during = drill.asked, drill.readings.seen.during
        self._told(
            Happening(
                reason=f"Rehearsal{outcome.value}",
                message=f"{asked.region} was drained for a drill: {words(outcome, reason)};"
                f" {during.errors} of {during.requests} requests of clients failed",
                warning=outcome is not Outcome.HELD,
            )
        )

    async def _write(self) -> None:
        for region, made in list(self._unwritten.items()):
            patch = {"data": {_file(region): json.dumps(made)}}
            await self._kube.merge("ConfigMap", namespace=self._namespace, name=CONFIG_MAP, patch=patch)
            del self._unwritten[region]

    def _now_ms(self) -> int:
        return int(self._clock.now().timestamp() * 1000)


def _endpoints(compiled: Compiled, region: str) -> frozenset[str]:
    return frozenset(one.name for one in compiled.endpoints if one.health.region == region)


def _clusters(compiled: Compiled, endpoints: Collection[str]) -> Mapping[str, str]:
    return {
        cluster: endpoint
        for gateway in compiled.gateways.values()
        for target in gateway.ir.targets
        for endpoint in ("/".join(target.name.split("/", 2)[:2]),)
        if endpoint in endpoints
        for cluster in (names.cluster(target.name), names.limited_cluster(target.name))
    }


def _prices(compiled: Compiled) -> Mapping[str, Price]:
    targets = decode_configuration(compiled.configuration).targets
    return {word.decode(name): rung.price for name, rung in targets.items()}


# As a person


async def ask(kube: Kube, namespace: str, wanted: Asked) -> None:
    """Ask for a drill; raises `ClusterError`."""
    rate, increase = (f"{one / 100:g}%" for one in (wanted.bounds.error_rate_bp, wanted.bounds.first_byte_increase_bp))
    value = f"{rfc3339(wanted.began_ms)}/{rfc3339(wanted.until_ms)} error-rate {rate} first-byte-p95 {increase}"
    await _annotate(kube, namespace, wanted.region, value)


async def undo(kube: Kube, namespace: str, region: str) -> None:
    """End a drill, or take away what asked for one that has ended; raises `ClusterError`."""
    await _annotate(kube, namespace, region, None)


async def _annotate(kube: Kube, namespace: str, region: str, value: str | None) -> None:
    patch = {"metadata": {"annotations": {f"{PREFIX}{region}": value}}}
    if await kube.merge("ConfigMap", namespace=namespace, name=CONFIG_MAP, patch=patch) is None:
        raise ClusterError(f"ConfigMap {namespace}/{CONFIG_MAP} is not there, upgrade the chart, which makes it")


def _is_whole(made: Report) -> bool:
    """Tell whether nobody looks on. An operator that went away, or was told to end it, has no more to say."""
    return made.get("after") is not None or made.get("reason") in (_AWAY, _BY_HAND)


async def outcome(kube: Kube, clock: Clock, namespace: str, wanted: Asked, *, within_s: float) -> Report | None:
    """Wait for the whole report of a drill; what there is of it, or None, where it does not come in time.

    Raises `ClusterError`.
    """
    deadline = clock.monotonic() + within_s
    while True:
        found = await kube.get("ConfigMap", namespace=namespace, name=CONFIG_MAP)
        last = reported(found, wanted.region)
        ours = last if last is not None and last.get("began") == rfc3339(wanted.began_ms) else None
        if (ours is not None and _is_whole(ours)) or clock.monotonic() >= deadline:
            return ours
        await clock.sleep(EVERY_S / 2)
