"""What a step still waits for, and how long that takes at the rate of now. Pure."""

from dataclasses import dataclass

from fairlead.rollout.plan import Plan
from fairlead.rollout.state import RUNNING, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Of the step that is under way."""

    hold_ms: int | None
    """How long its hold has to run yet; None: until a person promotes."""
    requests: int
    """How many more of the candidate a Successful verdict needs."""
    requests_ms: int | None
    """How long they take at the rate since the step began; None while there were none to tell a rate from."""

    @property
    def left_ms(self) -> int | None:
        """Return how long the step takes yet; None where a person, or nobody, knows."""
        if self.hold_ms is None or self.requests_ms is None:
            return None
        return max(self.hold_ms, self.requests_ms)


def forecast(plan: Plan, state: State) -> Forecast | None:
    """Look ahead; None where nothing is under way."""
    if state.phase not in RUNNING or not plan.steps:
        return None
    step = plan.steps[min(state.step, len(plan.steps)) - 1]
    counted = state.tally.candidate.attempts
    missing = max(0, plan.bounds.min_requests - counted)
    passed_ms = max(0, state.clock_ms - state.step_since_ms)
    return Forecast(
        hold_ms=None if step.hold_ms is None else max(0, step.hold_ms - state.held_ms),
        requests=missing,
        requests_ms=_needed_ms(missing, counted, passed_ms),
    )


def _needed_ms(missing: int, counted: int, passed_ms: int) -> int | None:
    if not missing:
        return 0
    return -(-missing * passed_ms // counted) if counted else None
