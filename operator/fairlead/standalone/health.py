"""The health of endpoints and regions in `fairlead up`: probes, what gateways' traffic told, drains; and its events.

Events: `failing` and `recovered` of an endpoint or of a target, `shifted` when traffic goes elsewhere.
"""

import asyncio
import json
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from structlog.typing import FilteringBoundLogger

from fairlead import ir
from fairlead.adapters import disk, exchange
from fairlead.adapters.clock import Clock
from fairlead.adapters.gateway_answer import HttpGatewayAnswers
from fairlead.adapters.gateway_metrics import HttpGatewayMetrics
from fairlead.adapters.probe import HttpProbes
from fairlead.compiler import DeclaredEndpoint
from fairlead.errors import StateError
from fairlead.health import memory
from fairlead.health.endpoint import State, Traffic
from fairlead.health.fleet import Fleet, Transition
from fairlead.health.record import WHOLE
from fairlead.health.standing import Kept
from fairlead.runtime import saved
from fairlead.runtime.health import Direct, HealthWatch, Through, Way
from fairlead.runtime.prober import Prober
from fairlead.runtime.readings import GatewayPlace
from fairlead.runtime.snapshot import fingerprint
from fairlead.runtime.traffic import EVERY_S, TrafficView
from fairlead.runtime.unread import Unread
from fairlead.standalone.addresses import Addresses, shown
from fairlead.standalone.drains import Orders
from fairlead.standalone.gateways import LocalGateway
from fairlead.standalone.state import StateFolder
from fairlead.status import Failing, overload, traffic

SAY_S = 5.0
"""How old `status.json` may be, where nothing else is written: whoever reads it sees that `up` is alive."""


class LocalHealth:
    """What is known of health; one task runs `watch`."""

    def __init__(self, state: StateFolder, probes: HttpProbes, clock: Clock, log: FilteringBoundLogger) -> None:
        self._state, self._probes, self._clock, self._log = state, probes, clock, log
        self._orders = Orders(state, self._warn)
        self._gateways = exchange.client()
        self._regions: Mapping[str, LocalGateway] = {}
        self._addresses: Mapping[str, Addresses] = {}
        ask = Through(Direct(probes), HttpGatewayAnswers(self._gateways), self._ways)
        self._prober = Prober(ask, clock, random.random)
        self.view = TrafficView(clock, Unread(log))
        remembered = saved.read(state.health, _decode, warn=self._warn)
        fleet, told_before = remembered or (None, ())
        self.view.go_on(told_before, gateways_run_on=False)
        self.now = HealthWatch(clock, self._prober, fleet, drains=self._orders.read())
        stands = self.now.fleet.endpoints.items()
        self._told = {name for name, one in stands if one.state in (State.DOWN, State.RECOVERING)}
        """Endpoints that were said to be failing, also by the run before, and not yet to have recovered."""

    async def watch(
        self,
        regions: Mapping[str, LocalGateway],
        addresses: Mapping[str, Addresses],
        declared: Callable[[], Sequence[DeclaredEndpoint]],
        *,
        changed: Callable[[], None],
        moved: Callable[[], None],
    ) -> None:
        """Look and judge again and again; ends with its task.

        `changed` is called when `status` has something else to say, `moved` when traffic or clients are to go
        elsewhere.
        """
        self._regions, self._addresses = regions, addresses
        places = [
            GatewayPlace(name=name, region=name, address=shown(address.metrics)) for name, address in addresses.items()
        ]
        loop = asyncio.get_running_loop()
        async with HttpGatewayMetrics() as metrics, self._probes, self._gateways, asyncio.TaskGroup() as group:
            group.create_task(self._prober.run())
            look_at = say_at = loop.time()
            while True:
                failing, says_more = self.view.failing, False
                told: tuple[Traffic, ...] = ()
                if loop.time() >= look_at:
                    records, overloaded = self.now.fleet.records, frozenset(self.view.overloaded)
                    says_more = await self.view.look(metrics, places, _served(regions), _credentials(regions), records)
                    told, look_at = self.view.told, loop.time() + EVERY_S
                    self._tell_overload(overloaded)
                noted = self._judge(declared(), told, failing, moved)
                if noted or says_more:
                    self.save()
                if noted or says_more or loop.time() >= say_at:
                    say_at = loop.time() + SAY_S
                    changed()
                await self.now.within(max(0.0, look_at - loop.time()))

    def _judge(
        self,
        declared: Sequence[DeclaredEndpoint],
        told: Sequence[Traffic],
        failing: tuple[Failing, ...],
        moved: Callable[[], None],
    ) -> bool:
        trusted = self.now.fleet.probes_unreliable_since_ms is None
        judged = self.now.judge(declared, traffic=told, drains=self._orders.read())
        self._tell_targets(failing)
        for one in judged.transitions:
            self._tell(one)
        if trusted != (self.now.fleet.probes_unreliable_since_ms is None):
            self._tell_trust(lost=trusted)
        if judged.moved:
            moved()
        return judged.noted

    def _ways(self, endpoint: str) -> Sequence[Way]:
        """List the gateways that can ask an endpoint with its credential."""
        return [
            Way(address=address.address, port=address.port, mark=region.serving.mark)
            for name, region in self._regions.items()
            if region.serving is not None
            and any(one.endpoint == endpoint for one in region.serving.gateway.keyed_probes)
            for address in (self._addresses[name].listen,)
        ]

    def save(self) -> None:
        """Keep what is known over a restart."""
        try:
            disk.write(self._state.health, json.dumps(self.now.document(self.view.kept)).encode())
        except StateError as error:
            self._warn(f"{error}; a restart begins to judge anew")

    # What is said

    def _tell_targets(self, before: tuple[Failing, ...]) -> None:
        """Say what traffic told."""
        began, ended = traffic.news(before, self.view.failing)
        for one in began:
            self._told |= {one.subject} if one.whole else set()
            self._log.error(
                "failing",
                what=f"{one.subject}: {one.message}",
                endpoint=f"{one.provider}/{one.endpoint}",
                reason=one.failure.value,
                seen_by=",".join(one.regions),
            )
        for one in ended:
            endpoint = f"{one.provider}/{one.endpoint}"
            if one.whole and not self._is_back(endpoint):
                continue
            self._told.discard(one.subject)
            how = "answers again" if self._is_well(one) else "is another than before, and nobody has asked it yet"
            self._log.info("recovered", what=f"{one.subject} {how}", endpoint=endpoint)

    def _tell_overload(self, before: frozenset[str]) -> None:
        """Say which gateways began to refuse requests for lack of room, and which have room again."""
        for region in sorted(before ^ self.view.overloaded.keys()):
            one = overload(region, began=region not in before)
            (self._log.error if one.warning else self._log.info)(
                "overloaded" if one.warning else "has room", what=one.message, region=region
            )

    def _tell(self, one: Transition) -> None:
        """Say what the machine concluded, where traffic has not said it already."""
        if one.after is State.DOWN and one.before is not State.DOWN and one.subject not in self._told:
            self._told.add(one.subject)
            words = one.message or one.reason.value
            what = f"{one.subject} is {one.after}: {words}"
            self._log.error("failing", what=what, endpoint=one.subject, reason=one.reason.value)
        elif one.after in (State.HEALTHY, State.UNKNOWN) and one.subject in self._told and self._is_quiet(one.subject):
            self._told.discard(one.subject)
            self._log.info("recovered", what=f"{one.subject} answers again", endpoint=one.subject)

    def tell_shifts(self, before: Mapping[str, int], after: Mapping[str, int]) -> None:
        """Say whose traffic has gone elsewhere, or came back, by the shares that gateways served and serve now."""
        for endpoint in sorted(before.keys() | after.keys()):
            then, now = before.get(endpoint, WHOLE), after.get(endpoint, WHOLE)
            if then == now:
                continue
            health = self.now.fleet.endpoints.get(endpoint)
            why = f", {health.state}: {health.message or health.reason.value}" if health is not None else ""
            what = f"{endpoint} has {now}% of its traffic, {then}% before{why}"
            self._log.warning("shifted", what=what, endpoint=endpoint, share=f"{now}%")

    def _tell_trust(self, *, lost: bool) -> None:
        if lost:
            what = "most endpoints of several regions seem down at once: is this machine cut off?"
            self._log.warning("probes unreliable", what=f"{what} Until a probe succeeds, real traffic alone decides")
        else:
            self._log.info("probes reliable", what="a probe succeeded: probes count again")

    def _is_back(self, endpoint: str) -> bool:
        health = self.now.fleet.endpoints.get(endpoint)
        return health is None or health.state in (State.HEALTHY, State.UNKNOWN, State.DRAINED)

    def _is_quiet(self, subject: str) -> bool:
        return all(one.subject != subject for one in self.view.failing)

    def _is_well(self, ended: Failing) -> bool:
        standings = self.view.evidence.standings.items()
        return any(target in ended.targets and standing.well_ms is not None for (_, target), standing in standings)

    def _warn(self, what: str) -> None:
        self._log.warning("warning", what=what)


def _served(regions: Mapping[str, LocalGateway]) -> dict[str, ir.Gateway]:
    return {name: region.serving.gateway for name, region in regions.items() if region.serving is not None}


def _credentials(regions: Mapping[str, LocalGateway]) -> dict[str, str]:
    return {
        f"{secret}/{key}": fingerprint(value)
        for region in regions.values()
        if region.serving is not None
        for (secret, key), value in region.serving.credentials.items()
    }


def _decode(document: Any) -> tuple[Fleet, Sequence[Kept]]:
    fleet, told = memory.fleet(document), memory.told(document)
    if fleet is None or told is None:
        raise ValueError("not what health remembers")
    return fleet, told
