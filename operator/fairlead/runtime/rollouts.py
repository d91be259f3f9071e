"""Keeps the rollouts of all routes: plans, orders and counts go in, who serves with which share comes out.

The whole of it for the operator and for `fairlead up`, which read resources, write files and tell people.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from fairlead import ir
from fairlead.adapters.clock import Clock
from fairlead.adapters.gateway_metrics import GatewayMetrics
from fairlead.adapters.prometheus import HttpPrometheus, Measuring
from fairlead.budget.price import Price
from fairlead.compiler import Compiled
from fairlead.ir import word
from fairlead.rollout import machine
from fairlead.rollout.machine import Shares
from fairlead.rollout.observation import Observation, Order
from fairlead.rollout.plan import Plan
from fairlead.rollout.state import RUNNING, State, encode
from fairlead.rollout.tally import ArmCounts, Tally
from fairlead.runtime.arms import ArmReader, Side
from fairlead.runtime.measurements import AT_ONCE, Measured, measured
from fairlead.runtime.parallel import each
from fairlead.runtime.readings import GatewayPlace

MOST_REMEMBERED = 10_000
"""Routes that are gone and may come back; of more the first are forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A rollout that stands otherwise than before."""

    route: str
    before: State | None
    after: State


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What health says of a rollout's candidate at this moment."""

    down: bool = False
    ejected: bool = False
    read_ms: int | None = None
    """When the reading began that says whether it is ejected."""
    probes: bool = False
    probed_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a look stands on."""

    places: Sequence[GatewayPlace]
    served: Mapping[str, ir.Gateway]
    """By region, what is served."""
    prices: Mapping[str, Price]
    """By target."""
    health: Mapping[str, Candidate]
    """By route; one that is not named has nothing against it."""


_Begun = tuple[str, str | None, int, int]
Made = TypeVar("Made")


class RolloutWatch:
    """All rollouts. One task calls `take_in`, the same or one other `look`; both are done at once."""

    def __init__(
        self, clock: Clock, remembered: Mapping[str, State] | None = None, measuring: Measuring | None = None
    ) -> None:
        self._measuring = measuring or HttpPrometheus()
        self._clock = clock
        self.states: dict[str, State] = dict(remembered or {})
        """By route, `namespace/name`; of routes that are gone too: one that is restored goes on where it was."""
        self.plans: Mapping[str, Plan] = {}
        self.applied: Mapping[str, str] = {}
        """By route, the mark of the last order whose traffic has moved."""
        self._reader = ArmReader()
        self._counting: dict[str, _Begun] = {}
        """Of each route the step since whose beginning its gateways' counters are known."""

    @property
    def shares(self) -> Mapping[str, Shares]:
        """`Observed.rollouts`."""
        return {
            route: machine.shares(self.plans[route], state)
            if route in self.plans
            else Shares(stable=state.stable, candidate=None)
            for route, state in self.states.items()
        }

    @property
    def document(self) -> Mapping[str, Any]:
        """What is to be kept over a restart, by route; of JSON's types only, and no secrets.

        It is the same from one look to the next where nothing rolls out.
        """
        return {
            route: encode(state if state.phase in RUNNING else replace(state, clock_ms=state.since_ms))
            for route, state in sorted(self.states.items())
        }

    def take_in(self, plans: Mapping[str, Plan], orders: Mapping[str, Order]) -> tuple[Change, ...]:
        """Take in what resources and people ask now; returns what that changed.

        Whoever compiles asks it before anything is applied, and compiles again where `shares` are others then: what
        was written serves nobody before the machine has seen it.
        """
        self.plans = plans
        now_ms = self._now_ms()
        changes = [
            self._set(route, machine.ask(plan, self.states.get(route), now_ms, orders.get(route)))
            for route, plan in plans.items()
        ]
        self._forget()
        return tuple(change for change in changes if change is not None)

    async def settle(
        self,
        make: Callable[[Mapping[str, Shares]], Awaitable[Made]],
        compiled: Callable[[Made], Compiled],
        orders: Mapping[str, Order],
    ) -> tuple[Made, tuple[Change, ...]]:
        """Compile so that nothing serves that the machine has not seen: twice, where what is written moves traffic.

        `make` compiles with these shares, `compiled` finds what it compiled. What is to be kept over a restart is to be
        written before anything of it is applied.
        """
        before = self.shares
        made = await make(before)
        changes = self.take_in(compiled(made).rollouts, orders)
        return (made if self.shares == before else await make(self.shares)), changes

    def note_applied(self) -> None:
        """Take note that gateways serve what was taken in last."""
        self.applied = {route: state.done for route, state in self.states.items()}

    async def look(self, metrics: GatewayMetrics, ground: Ground) -> tuple[Change, ...]:
        """Count, and judge what is due. Gateways are read only while something rolls out, once per interval.

        A step that has just begun is due at once: what gateways counted before it is not its own.
        """
        now_ms = self._now_ms()
        running = {route: _begun(self.states[route]) for route in self._running()}
        if not running:
            self._reader, self._counting = ArmReader(), {}
            return ()
        if not any(self._due_ms(route) <= now_ms for route in running):
            return ()
        # Those that are not due are counted too: what a reading shows is told once.
        sides = [side for route in running for side in self._sides(route, ground)]
        asked = {route: (self.plans[route], self.states[route]) for route in running}
        counts, problem = await self._reader.read(metrics, ground.places, sides)
        elsewhere = await self._measured(asked)
        changes = []
        for number, (route, begun) in enumerate(running.items()):
            if route not in self.plans or _begun(self.states[route]) != begun:
                continue  # somebody edited it meanwhile: this is about what was before
            stable, mine = counts[2 * number : 2 * number + 2]
            if self._counting.get(route) != begun:
                stable, mine = ArmCounts(), ArmCounts()
            observation = _observation(stable, mine, problem, ground.health.get(route), elsewhere[route])
            after = machine.step(self.plans[route], self.states[route], observation, self._now_ms())
            changes.append(self._set(route, after))
            self._counting[route] = _begun(after)
        return tuple(change for change in changes if change is not None)

    def due_ms(self) -> int | None:
        """Return when the next look is due; None while nothing rolls out."""
        return min(map(self._due_ms, self._running()), default=None)

    def _running(self) -> Sequence[str]:
        return [route for route in self.plans if route in self.states and self.states[route].phase in RUNNING]

    def _due_ms(self, route: str) -> int:
        state = self.states[route]
        if machine.is_ahead(state, self._now_ms()):
            return 0
        due_ms = machine.due_ms(self.plans[route], state)
        return due_ms if due_ms is not None and self._counting.get(route) == _begun(state) else 0

    def _set(self, route: str, after: State) -> Change | None:
        before = self.states.get(route)
        self.states[route] = after
        return Change(route=route, before=before, after=after) if _differ(before, after) else None

    def _sides(self, route: str, ground: Ground) -> tuple[Side, Side]:
        state = self.states[route]
        copies = bool(machine.shares(self.plans[route], state).shadow)
        return (
            _side(route, ir.Side.STABLE, state.stable, ground),
            _side(route, ir.Side.CANDIDATE, state.candidate or state.stable, ground, copies=copies),
        )

    async def _measured(self, asked: Mapping[str, tuple[Plan, State]]) -> Mapping[str, Measured]:
        async def one(route: str) -> tuple[str, Measured]:
            plan, state = asked[route]
            return route, await measured(self._measuring, plan, route, state)

        return dict(await each(list(asked), one, at_once=AT_ONCE))

    def _forget(self) -> None:
        gone = [route for route in self.states if route not in self.plans]
        for route in gone[: max(0, len(gone) - MOST_REMEMBERED)]:
            del self.states[route]

    def _now_ms(self) -> int:
        return int(self._clock.now().timestamp() * 1000)


def _begun(state: State) -> _Begun:
    """Name the step that is under way: two that are equal count the same requests."""
    return state.stable, state.candidate, state.step, state.step_since_ms


def _side(route: str, arm: ir.Side, target: str, ground: Ground, *, copies: bool = False) -> Side:
    provider, _, model = target.partition("/")
    found = frozenset(
        one.name
        for gateway in ground.served.values()
        for one in gateway.targets
        if (one.provider, one.model) == (provider, word.encode(model))
    )
    prices = {name: ground.prices[name] for name in found if name in ground.prices}
    return Side(route=route, arm=arm, targets=found, copies=copies, prices=prices)


def _observation(
    stable: ArmCounts, mine: ArmCounts, problem: str, health: Candidate | None, elsewhere: Measured
) -> Observation:
    seen = health or Candidate()
    return Observation(
        counted=Tally(stable=stable, candidate=mine),
        problem=problem,
        measured=elsewhere.values,
        unmeasured=elsewhere.problem,
        candidate_down=seen.down,
        candidate_ejected=seen.ejected,
        ejections_read_ms=seen.read_ms,
        probes=seen.probes,
        probed_ms=seen.probed_ms,
    )


def _differ(before: State | None, after: State) -> bool:
    if before is None:
        return True
    told = [(one.phase, one.reason, one.step, one.stable, one.candidate, one.refused) for one in (before, after)]
    return told[0] != told[1]
