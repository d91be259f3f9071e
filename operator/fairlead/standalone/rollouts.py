"""The rollouts of `fairlead up`: what was kept of them, the loop that looks, and their events.

Event: `rollout` for each transition.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from structlog.typing import FilteringBoundLogger

from fairlead.adapters import disk
from fairlead.adapters.clock import Clock
from fairlead.adapters.gateway_metrics import HttpGatewayMetrics
from fairlead.compiler import Compiled
from fairlead.envoy import ROUTES, directory
from fairlead.errors import StateError
from fairlead.health.fleet import Fleet
from fairlead.rollout import transition
from fairlead.rollout.machine import Shares
from fairlead.rollout.state import Phase, State, decode
from fairlead.runtime import saved
from fairlead.runtime.alarm import Alarm
from fairlead.runtime.candidates import ground
from fairlead.runtime.readings import GatewayPlace
from fairlead.runtime.rollouts import Change, RolloutWatch
from fairlead.runtime.traffic import TrafficView
from fairlead.standalone import status
from fairlead.standalone.addresses import Addresses, shown
from fairlead.standalone.gateways import LocalGateway
from fairlead.standalone.release import Release
from fairlead.standalone.rollout_orders import RolloutOrders
from fairlead.standalone.state import StateFolder
from fairlead.standalone.status_document import Document
from fairlead.status import rollout

_PARTS = 3
"""Of a target: provider, endpoint, model."""
LONGEST_S = 30.0
"""How long the loop waits at most while something rolls out: the machine's clock may be set meanwhile."""
_LEVELS = {Phase.ROLLED_BACK: "error", Phase.ABORTED: "warning", Phase.PAUSED: "warning"}


class LocalRollouts:
    """All rollouts. `settled` and `watch` belong to one event loop; one task runs `watch`."""

    def __init__(self, state: StateFolder, clock: Clock, log: FilteringBoundLogger) -> None:
        self._state, self._clock, self._log = state, clock, log
        self._orders = RolloutOrders(state, self._warn)
        self._begun = Alarm()
        self._unsaved = ""
        self.now = RolloutWatch(clock, self._remembered())

    async def settled(self, make: Callable[[Mapping[str, Shares]], Awaitable[Release]]) -> Release:
        """Compile so that nothing serves that the machine has not seen; what is kept is written before."""
        release, changes = await self.now.settle(make, lambda made: made.compiled, self._orders.read())
        self.save()
        self._tell(changes)
        self._begun.ring()
        return release

    async def watch(
        self,
        regions: Mapping[str, LocalGateway],
        addresses: Mapping[str, Addresses],
        compiled: Callable[[], Compiled],
        health: Callable[[], tuple[Fleet, TrafficView]],
        *,
        changed: Callable[[], None],
        moved: Callable[[], None],
    ) -> None:
        """Look whenever a rollout is due; ends with its task.

        `changed` is called when `status` has something else to say, `moved` when traffic is to go elsewhere. `health`
        returns what is known of endpoints, and what gateways told last.
        """
        places = [
            GatewayPlace(name=name, region=name, address=shown(address.metrics)) for name, address in addresses.items()
        ]
        async with HttpGatewayMetrics() as metrics:
            while True:
                await self._begun.within(self._wait_s())
                self._begun.silence()
                before = self.now.shares
                served = {name: one.serving.gateway for name, one in regions.items() if one.serving is not None}
                changes = await self.now.look(
                    metrics, ground(compiled(), self.now.states, *health(), places=places, served=served)
                )
                if self.now.due_ms() is None and not changes:
                    continue
                self.save()
                self._tell(changes)
                if self.now.shares != before:
                    moved()
                changed()

    def _wait_s(self) -> float | None:
        due_ms = self.now.due_ms()
        if due_ms is None:
            return None
        return min(LONGEST_S, max(0.0, due_ms / 1000 - self._clock.now().timestamp()))

    def save(self) -> None:
        """Keep what is known over a restart."""
        try:
            for path in (self._state.rollouts, self._state.rollouts_copy):
                disk.write(path, json.dumps({"rollouts": self.now.document}).encode())
            self._unsaved = ""
        except StateError as error:
            if str(error) != self._unsaved:
                self._unsaved = str(error)
                self._warn(f"{error}; a restart would go back to what was kept of rollouts before")

    def _remembered(self) -> Mapping[str, State]:
        """Return where rollouts stood: where the file is damaged or gone, by its copy, or by what gateways served.

        Nothing jumps to all traffic because a file was lost: what nobody remembers is stable as it serves. A new folder
        says nothing of anything.
        """
        own, problem = _kept(self._state.rollouts)
        if own is not None:
            return own
        copy, other = _kept(self._state.rollouts_copy)
        said = problem or f"{self._state.rollouts}: got nothing, want where rollouts stand"
        if copy is not None:
            self._warn(f"{said}; its copy is used")
            return copy
        served, unread = _served(self._state)
        if not (problem or other or unread or served):
            return {}
        if not served:
            self._warn(f"{said}, nor is its copy; nobody knows what gateways served, so what is written serves at once")
            return {}
        told = ", ".join(f"{target} of {route}" for route, target in sorted(served.items()))
        self._warn(f"{said}, nor is its copy; stable is what gateways served ({told}), a change begins at step 1")
        orders, now_ms = self._orders.read(), int(self._clock.now().timestamp() * 1000)
        done = {route: order.mark for route, order in orders.items()}
        return {route: transition.kept(target, now_ms, done.get(route, "")) for route, target in served.items()}

    def _tell(self, changes: Sequence[Change]) -> None:
        for one in changes:
            if one.before is None:
                continue  # nothing changes for a route that is seen for the first time
            plan = self.now.plans[one.route]
            say = getattr(self._log, _LEVELS.get(one.after.phase, "info"))
            say(
                "rollout",
                what=f"{one.route}: {rollout.sentence(plan, one.after)}",
                route=one.route,
                phase=one.after.phase.value,
                reason=one.after.reason.value,
                step=one.after.step,
            )

    def _warn(self, what: str) -> None:
        self._log.warning("warning", what=what)


def _kept(path: Path) -> tuple[Mapping[str, State] | None, str]:
    """Return what a file says, and why it cannot be read, else nothing."""
    try:
        content = disk.read(path)
        return (None if content is None else saved.decoded(content, decode_all, str(path))), ""
    except StateError as error:
        return None, str(error)


def _served(state: StateFolder) -> tuple[Mapping[str, str], bool]:
    """Return the stable target of each route whose names share one, and whether something that tells is damaged.

    The routes that Envoys read tell it where status does not.
    """
    found, damaged = dict[str, str](), False
    for folder in state.regions():
        path = folder.root / ROUTES
        try:
            content = disk.read(path)
            found |= {} if content is None else saved.decoded(content, directory.stable_targets, str(path))
        except StateError:
            damaged = True
    try:
        return {**found, **_shown(status.read(state))}, damaged
    except StateError:
        return found, True


def _shown(document: Document | None) -> Mapping[str, str]:
    """Return the stable targets of a status."""
    routes = [one for region in (document["regions"] if document else ()) for one in region["routes"]]
    # A last resort is where the stable target was declared first, whatever health and rollouts made of the order.
    parts = {one["name"]: one["answers"][0]["lastResort"].split("/", 2) for one in routes if len(one["answers"]) == 1}
    return {route: f"{part[0]}/{part[2]}" for route, part in parts.items() if len(part) == _PARTS}


def decode_all(document: Any) -> Mapping[str, State]:
    """Read `rollouts.json`; raises what `saved` takes for damage."""
    return {route: decode(state) for route, state in document["rollouts"].items()}
