"""The rollouts of a cluster, while this operator leads: what is kept of them, what they are judged by, who is told.

What the machine remembers is kept in a ConfigMap, which is written before anything of it is applied: an operator that
is killed at any moment, a status that is lost and a route that is deleted and restored all go on where they were. A
route of which the ConfigMap says nothing goes on from its own status; where that says nothing either, the target that
gateways serve is stable.

Only the leader looks and judges. Events: `Rollout...` and `PrimaryChanged` for each transition, `RolloutOrderDeclined`
for an order that changed nothing.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from structlog.typing import FilteringBoundLogger

from fairlead.adapters.clock import Clock
from fairlead.adapters.gateway_metrics import GatewayMetrics
from fairlead.adapters.kube import Kube
from fairlead.api.meta import ObjectKey
from fairlead.compiler import Compiled
from fairlead.controller import memory, rollout_orders
from fairlead.controller.alarms import Alarms
from fairlead.controller.context import Context
from fairlead.controller.events import Events
from fairlead.controller.health import Health
from fairlead.controller.live import Live
from fairlead.controller.metrics import Metrics
from fairlead.controller.readback import metrics_places, ready_pods
from fairlead.controller.rollout_orders import Orders, route_of
from fairlead.controller.view import View
from fairlead.envoy import ROUTES, directory
from fairlead.errors import StateError
from fairlead.manifests import configuration
from fairlead.rollout import machine, transition
from fairlead.rollout.machine import Shares
from fairlead.rollout.state import State
from fairlead.runtime import saved
from fairlead.runtime.candidates import ground
from fairlead.runtime.rollouts import Change, RolloutWatch
from fairlead.runtime.traffic import TrafficView
from fairlead.status import Happening, Rolling, rollout, rollout_state

Object = Mapping[str, Any]
Json = Mapping[str, Any]

EVERY_S = 1.0
"""How often it is looked whether a verdict is due."""
_KEPT_EVERY_S = 30.0
"""How often counts of a step are written down, which a restart may lose; what moves traffic is at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How all rollouts stood at one moment."""

    document: bytes = b"{}"
    """JSON."""
    states: Mapping[str, State] = field(default_factory=dict)
    """By route."""


class Rollouts:
    """All rollouts. One task calls `settled`, another `step`, a third `tell`."""

    def __init__(
        self,
        *,
        kube: Kube,
        clock: Clock,
        context: Context,
        view: View,
        live: Live,
        traffic: TrafficView,
        health: Health,
        gateway_metrics: GatewayMetrics,
        alarms: Alarms,
        leads: Callable[[], bool],
        metrics: Metrics,
        log: FilteringBoundLogger,
    ) -> None:
        self._kube, self._clock, self._context, self._view, self._live = kube, clock, context, view, live
        self._traffic, self._health, self._gateway_metrics = traffic, health, gateway_metrics
        self._alarms, self._leads, self._metrics, self._log = alarms, leads, metrics, log
        self._events = Events(kube=kube, clock=clock, metrics=metrics, log=log)
        self.now = RolloutWatch(clock)
        self.kept = Kept()
        """What is to be written down, before anything of it is applied: for whoever leads next."""
        self._kept_at = clock.monotonic()
        self._remembers = False
        self._orders = Orders()
        self._served: Mapping[str, str] = {}
        """By route, the stable target by the routes that stood where pods take them from when this one began."""
        self._compiled_with: Mapping[str, Shares] = {}
        self._applied: Mapping[str, Shares] = {}
        """With which shares gateways were written: nothing is said of a rollout that its traffic does not do."""
        self._written: Mapping[str, State] = {}
        """What was written down: nothing is said that a kill could take back."""

    # What is kept

    async def remember(self) -> None:
        """Go on from what the operator before this one kept; what is damaged is none. Raises `ClusterError`."""
        name = memory.rollouts_name(self._context)
        found = await self._kube.get("ConfigMap", namespace=self._context.namespace, name=name)
        before: Mapping[str, State] = {}
        try:
            before = memory.remembered_rollouts(found)
        except StateError as error:
            self._metrics.errors.labels("memory").inc()
            self._log.warning("forgotten", what=f"ConfigMap {name}: {error}; rollouts go on from their routes' status")
        self.now = RolloutWatch(self._clock, before)
        self._served = self._read_served()
        self._keep()
        self._orders, self._remembers = Orders(), True

    def _read_served(self) -> Mapping[str, str]:
        """Return the stable target of each route by what pods serve; what is damaged tells nothing."""
        found: dict[str, str] = {}
        for one in self._live.of_kind("ConfigMap"):
            try:
                content = configuration.carried(one, ROUTES)
                if content is not None:
                    found |= saved.decoded(content, directory.stable_targets, one["metadata"]["name"])
            except StateError as error:
                self._log.warning("forgotten", what=f"ConfigMap {error}; it does not tell what gateways serve")
        return found

    def forget(self) -> None:
        """Take nothing for granted that another leader may have concluded: nothing is judged until `remember`."""
        self._remembers, self._applied, self._written = False, {}, {}

    def _keep(self) -> None:
        document = json.dumps({"rollouts": self.now.document}, separators=(",", ":"), ensure_ascii=False).encode()
        self.kept = Kept(document=document, states=dict(self.now.states))
        self._kept_at = self._clock.monotonic()

    def _is_news(self) -> bool:
        """Tell whether anything stands otherwise than it was kept, counts and time aside."""
        now, kept = self.now.states, self.kept.states
        return now.keys() != kept.keys() or any(_gist(now[route]) != _gist(state) for route, state in kept.items())

    # What is asked

    async def settled(self, make: Callable[[Mapping[str, Shares]], Awaitable[Compiled]]) -> Compiled:
        """Compile so that nothing serves that the machine has not seen; `kept` is what is to be written before."""

        async def noted(shares: Mapping[str, Shares]) -> Compiled:
            self._compiled_with = shares  # a verdict may fall while it compiles
            self._applied = {route: one for route, one in self._applied.items() if shares.get(route) == one}
            return await make(shares)

        routes = self._view.of_kind("ModelRoute")
        orders = rollout_orders.read(routes)
        self._restore(routes, orders)
        watch, before = self.now, dict(self.now.states)
        self._note_mistakes(orders)
        compiled, changes = await watch.settle(noted, lambda made: made, self._orders.orders)
        if watch is not self.now or not self._remembers:
            return compiled  # somebody else may lead by now: nothing of it is applied
        if self._is_news():
            self._keep()
        self._say(changes)
        self._decline(before)
        self._metrics.rollouts.show(watch.plans, watch.states)
        return compiled

    def note_applied(self, kept: Kept) -> None:
        """Take note that what was compiled last stands where gateways take it from, and that this is written down."""
        self._applied, self._written = self._compiled_with, kept.states

    def _restore(self, routes: Iterable[Object], orders: Orders) -> None:
        """Let routes that nothing is remembered of go on from their own status, else from what gateways serve."""
        now_ms = int(self._clock.now().timestamp() * 1000)
        for one in routes:
            route = route_of(one)
            if route in self.now.states:
                continue
            if state := rollout_state.restored(one.get("status") or {}, now_ms):
                self.now.states[route] = state
            elif target := self._served.get(route):
                order = orders.orders.get(route)
                self.now.states[route] = transition.kept(target, now_ms, "" if order is None else order.mark)
                what = f"ModelRoute {route}: neither `{memory.rollouts_name(self._context)}` nor its status knows it"
                self._log.warning("forgotten", what=f"{what}; {target}, which gateways serve, is stable")

    # What is judged

    async def step(self, compiled: Compiled | None, moved: Callable[[], None]) -> None:
        """Look, if a verdict is due. `moved`: traffic is to go elsewhere."""
        if compiled is None or not (self._leads() and self._remembers):
            self._metrics.rollouts.fall_silent()
            return
        watch, due_ms = self.now, self.now.due_ms()
        if due_ms is not None and due_ms > self._clock.now().timestamp() * 1000:
            return
        before, shares = dict(watch.states), watch.shares
        served = {region: gateway.ir for region, gateway in compiled.gateways.items()}
        places = metrics_places(ready_pods(self._live.of_kind("Pod")))
        stands_on = ground(compiled, watch.states, self._health.fleet, self._traffic, places=places, served=served)
        changes = await watch.look(self._gateway_metrics, stands_on)
        if due_ms is None or watch is not self.now or not self._leads():
            return
        for route, state in watch.states.items():
            if state is not before.get(route, state):
                self._metrics.rollouts.judged(route, before[route], state)
        self._metrics.rollouts.show(watch.plans, watch.states)
        self._say(changes)
        if self._is_news() or self._clock.monotonic() - self._kept_at >= _KEPT_EVERY_S:
            self._keep()
            self._alarms.reconcile.ring()
        if watch.shares != shares:
            moved()
        self._alarms.status.ring()

    # What people see

    def said(self, key: ObjectKey, compiled: Compiled) -> tuple[Rolling | None, Json]:
        """Return what conditions and status say of a route's rollout: what its traffic does, by what was applied."""
        route, found = f"{key.namespace}/{key.name}", (self._view.get(key) or {}).get("status") or {}
        plan, state = self.now.plans.get(route), self._sayable(route)
        if plan is None:
            return None, {}
        if state is None or self._applied.get(route) != machine.shares(plan, state):
            before = {name: found[name] for name in ("stable", "previous", "rollout") if name in found}
            was = rollout_state.restored(found, 0)
            return (None if was is None else rollout_state.rolling(plan, was)), before
        fields: dict[str, Any] = {"stable": rollout_state.target(state.stable)}
        if state.previous is not None:
            fields["previous"] = rollout_state.target(state.previous)
        if rollout.is_worth_saying(plan, state):
            gateways = (gateway.ir for gateway in compiled.gateways.values())
            document = rollout_state.document(
                route,
                plan,
                state,
                cohort=rollout.small_cohort(gateways, route, machine.shares(plan, state)),
                order=state.done,
            )
            if route in self._orders.mistakes:
                document["declined"] = self._orders.mistakes[route]
            fresh = rollout_state.stored(document, state, now=self._clock.now())
            fields["rollout"] = rollout_state.told(fresh, found.get("rollout"))
        return rollout_state.rolling(plan, state), fields

    def basis(self, key: ObjectKey) -> tuple[object, ...] | None:
        """Return what `said` depends on, beside the object's own status; None while that changes with time."""
        route = f"{key.namespace}/{key.name}"
        plan, state = self.now.plans.get(route), self._sayable(route)
        if plan is not None and state is not None and rollout.is_worth_saying(plan, state):
            return None
        return plan, state, self._applied.get(route)

    def _sayable(self, route: str) -> State | None:
        """Return a state as it is now, or, where it is not written down, as it was when it was."""
        now, written = self.now.states.get(route), self._written.get(route)
        return now if now is not None and written is not None and _gist(now) == _gist(written) else written

    async def tell(self) -> None:
        """Write the Events that wait."""
        await self._events.tell()

    def _say(self, changes: Iterable[Change]) -> None:
        for one in changes:
            if one.before is None:
                continue  # nothing changes for a route that is seen for the first time
            self._metrics.rollouts.count(one.route, one.after)
            self._note(one.route, rollout_state.happening(self.now.plans[one.route], one.after))

    def _decline(self, before: Mapping[str, State]) -> None:
        """Say of orders that changed nothing why, once each."""
        for route, state in self.now.states.items():
            if state.declined and route in before and state.done != before[route].done:
                self._note(route, Happening(reason="RolloutOrderDeclined", message=state.declined, warning=True))

    def _note_mistakes(self, orders: Orders) -> None:
        """Say of each annotation that cannot be followed why, once."""
        for route, why in orders.mistakes.items():
            if self._orders.mistakes.get(route) != why:
                self._metrics.errors.labels("rollout").inc()
                self._note(route, Happening(reason="RolloutOrderDeclined", message=why, warning=True))
        self._orders = orders

    def _note(self, route: str, one: Happening) -> None:
        namespace, _, name = route.partition("/")
        self._events.note(self._view.get(ObjectKey("ModelRoute", namespace, name)), one, route)


def _gist(state: State) -> Any:
    """Return what a restart must not lose: all but counts and time."""
    return (
        state.phase,
        state.reason,
        state.stable,
        state.candidate,
        state.previous,
        state.refused,
        state.step,
        state.step_since_ms,
        state.done,
    )
