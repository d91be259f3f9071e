"""The operator's metrics of rollouts. Labels hold names of routes, and words of ours."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge

from fairlead.budget.price import USD
from fairlead.rollout import machine
from fairlead.rollout.plan import WHOLE, Plan
from fairlead.rollout.state import Phase, State
from fairlead.rollout.tally import ArmCounts
from fairlead.status import rollout

Route = str
_LATE, _MS = 0.95, 1000
_SIDES = ("stable", "candidate")


class RolloutMetrics:
    """Instruments that say what is so now: of what is gone they say nothing any more."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._phase = Gauge(
            "fairlead_rollout_phase",
            "1 for the phase in which a route's rollout is.",
            ["route", "phase"],
            registry=registry,
        )
        self._step = Gauge(
            "fairlead_rollout_step",
            "The step that is under way, counted from 1; 0 while nothing rolls out.",
            ["route"],
            registry=registry,
        )
        self._share = Gauge(
            "fairlead_rollout_share_ratio",
            "The part of a route's requests that the candidate answers (traffic) or gets copies of (shadow), 0 to 1.",
            ["route", "kind"],
            registry=registry,
        )
        self._requests = Gauge(
            "fairlead_rollout_step_requests",
            "Attempts that were counted in the step that is under way, by side and by what came of them.",
            ["route", "side", "result"],
            registry=registry,
        )
        self._first_bytes = Gauge(
            "fairlead_rollout_step_first_byte_seconds",
            "95th percentile of streams' first bytes in the step that is under way, by side: the bound of its bucket.",
            ["route", "side"],
            registry=registry,
        )
        self._costs = Gauge(
            "fairlead_rollout_step_usd_per_request",
            "Dollars that an answered attempt cost in the mean in the step that is under way, by side.",
            ["route", "side"],
            registry=registry,
        )
        self._transitions = Counter(
            "fairlead_rollout_transitions",
            "How often a rollout came into a phase, or took a step.",
            ["route", "phase", "reason"],
            registry=registry,
        )
        self._verdicts = Counter(
            "fairlead_rollout_verdicts", "Verdicts on steps.", ["route", "outcome"], registry=registry
        )

    def show(self, plans: Mapping[Route, Plan], states: Mapping[Route, State]) -> None:
        """Say how every rollout stands now."""
        for gauge in (self._phase, self._step, self._share, self._requests, self._first_bytes, self._costs):
            gauge.clear()
        for route, plan in plans.items():
            state = states[route]
            if not rollout.is_worth_saying(plan, state):
                continue
            for phase in Phase:
                self._phase.labels(route, phase.value).set(phase is state.phase)
            self._step.labels(route).set(state.step)
            shares = machine.shares(plan, state)
            self._share.labels(route, "traffic").set(shares.traffic / WHOLE)
            self._share.labels(route, "shadow").set(shares.shadow / WHOLE)
            if state.candidate is not None:
                for side in _SIDES:
                    self._show_side(route, side, getattr(state.tally, side))

    def _show_side(self, route: Route, side: str, counts: ArmCounts) -> None:
        self._requests.labels(route, side, "failed").set(counts.failed)
        self._requests.labels(route, side, "answered").set(counts.attempts - counts.failed)
        late, mean = counts.quantile_ms(_LATE), counts.mean_nano_usd
        if late is not None:
            self._first_bytes.labels(route, side).set(late / _MS)
        if mean is not None:
            self._costs.labels(route, side).set(mean / USD)

    def count(self, route: Route, state: State) -> None:
        """Count a transition."""
        self._transitions.labels(route, state.phase.value, state.reason.value).inc()

    def judged(self, route: Route, before: State, after: State) -> None:
        """Count a verdict, if there is a new one."""
        if after.verdicts and after.verdicts[-1:] != before.verdicts[-1:]:
            self._verdicts.labels(route, after.verdicts[-1].outcome.value).inc()

    def fall_silent(self) -> None:
        """Say nothing more: another operator leads, and knows better."""
        self.show({}, {})
