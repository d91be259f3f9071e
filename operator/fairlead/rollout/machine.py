"""The rollout machine: `step(plan, state, observation, now)` gives the next state, `shares` what it means for traffic.

Looking often changes nothing: a state moves on evidence that was counted, on time that passed, on an order, or on a
changed plan. Nothing but a person or a Successful verdict promotes. A state without evidence moves nothing.
"""

from dataclasses import dataclass, replace

from fairlead.rollout import transition
from fairlead.rollout.observation import Act, Observation, Order
from fairlead.rollout.plan import Plan, Step
from fairlead.rollout.state import KEPT_VERDICTS, REFUSED, RUNNING, Phase, Reason, State
from fairlead.rollout.verdict import Measure, Outcome, Verdict, judge, judge_measured

_PAUSES = {Outcome.INCONCLUSIVE: Reason.INCONCLUSIVE, Outcome.ERROR: Reason.ERROR}
_STOPPED = frozenset({Reason.BY_HAND, Reason.STABLE_GONE})
"""Pauses in which the hold does not run."""
EJECTION_WAIT = 3
"""So many intervals an ejection waits for a probe that began after it; without an answer it is the candidate's own."""

AHEAD_MS = 60_000
"""A clock that goes back by more was wrong before: waiting until it is as late again would stop all judging."""

UNWATCHED = 10
"""Of a longer time without a look so many intervals count for the hold: nobody counted what happened in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """What a state means for traffic, in basis points of the requests."""

    stable: str
    candidate: str | None
    traffic: int = 0
    """That the candidate answers."""
    shadow: int = 0
    """That are copied to it."""


def shares(plan: Plan, state: State) -> Shares:
    """Say who has which traffic. A step that the plan no longer has is its last one."""
    if state.phase not in RUNNING or state.candidate is None or not plan.steps:
        return Shares(stable=state.stable, candidate=None)
    at = _step(plan, state)
    return Shares(stable=state.stable, candidate=state.candidate, traffic=at.traffic, shadow=at.shadow)


def step(plan: Plan, state: State | None, observation: Observation, now_ms: int, order: Order | None = None) -> State:
    """Look once: take in what is asked, count, and give a verdict when one is due."""
    state = ask(plan, state, now_ms, order)
    return state if state.phase not in RUNNING else _watched(plan, state, observation, state.clock_ms)


def ask(plan: Plan, state: State | None, now_ms: int, order: Order | None = None) -> State:
    """Take in what Git and people ask, without a verdict.

    `state` is None for a route that was never seen: what it asks for is stable then, and an order that stands there
    was about something that nobody remembers. A clock that went back moves nothing, one that
    was far ahead is forgotten. Every order in every phase has an
    answer: one that cannot be carried out changes nothing but `declined`.
    """
    if state is None:
        return replace(transition.initial(plan.primary, now_ms), done="" if order is None else order.mark)
    state = transition.set_back(state, now_ms) if is_ahead(state, now_ms) else state
    now_ms = max(now_ms, state.clock_ms)
    state = _asked(plan, state, now_ms)
    if order is not None and order.mark != state.done:
        state = _ordered(plan, replace(state, done=order.mark, declined=""), order.act, now_ms)
    state = _elapsed(plan, state, now_ms)
    if state.phase in RUNNING and not plan.stable_reachable:
        return _alone(plan, state, now_ms)
    if state.phase in RUNNING and not plan.reachable:
        gone = f"{state.candidate} is served nowhere"
        return transition.end(state, Phase.ABORTED, Reason.CANDIDATE_GONE, gone, now_ms)
    if state.reason is Reason.STABLE_GONE:
        return replace(state, message=f"{state.stable} is back; waits for the next verdict")
    return state


def is_ahead(state: State, now_ms: int) -> bool:
    """Tell whether the last look was at a moment that is far from having come: the clock was wrong then."""
    return max(state.clock_ms, state.judged_ms) - now_ms > AHEAD_MS


def due_ms(plan: Plan, state: State) -> int | None:
    """Return when the next look can change anything by itself; None where only an edit or an order can."""
    if state.phase not in RUNNING:
        return None
    return state.judged_ms + plan.bounds.interval_ms


def _asked(plan: Plan, state: State, now_ms: int) -> State:
    """Take in what Git asks for."""
    wanted = plan.primary
    if wanted == state.stable:
        return state if state.phase is Phase.STABLE else transition.settle(state, Reason.AT_ONCE, now_ms)
    refused = state.phase in REFUSED and wanted == state.refused
    under_way = state.phase in RUNNING and wanted == state.candidate and bool(plan.steps)
    if refused or under_way:
        return state
    return _changed(plan, state, wanted, now_ms)


def _changed(plan: Plan, state: State, wanted: str, now_ms: int) -> State:
    """Turn to another target than the one that is stable, under way, or was sent back."""
    if not plan.reachable:
        return _unreached(state, wanted, now_ms)
    if wanted == state.previous:
        return transition.flip(state, wanted, now_ms)
    return transition.start(state, wanted, now_ms) if plan.steps else transition.switch(state, wanted, now_ms)


def _alone(plan: Plan, state: State, now_ms: int) -> State:
    """Stay where it is while there is no stable target to compare with, nor to go back to: it may be gone for a moment.

    The candidate answers meanwhile, since nothing else can.
    """
    serves = f"; until it is back, {state.candidate} serves" if plan.reachable else ""
    message = f"{state.stable}, which is stable, is served nowhere{serves}"
    if state.phase is Phase.PAUSED and state.reason is Reason.BY_HAND:
        return replace(state, message=message)
    return transition.pause(state, Reason.STABLE_GONE, message, now_ms)


def _unreached(state: State, wanted: str, now_ms: int) -> State:
    """Begin nothing with a target that is served nowhere; what another candidate had goes back to stable."""
    message = f"waits for {wanted}, which is served nowhere"
    settled = transition.settle(state, Reason.AT_ONCE, now_ms) if state.phase is not Phase.STABLE else state
    return replace(settled, message=message)


def _ordered(plan: Plan, state: State, act: Act, now_ms: int) -> State:
    running = state.phase in RUNNING
    match act:
        case Act.PROMOTE if running:
            after = _promoted_by_hand(plan, state, now_ms)
        case Act.PAUSE if running:
            after = transition.move(state, Phase.PAUSED, Reason.BY_HAND, "paused by hand", now_ms)
        case Act.RESUME if state.phase is Phase.PAUSED:
            after = transition.move(state, Phase.PROGRESSING, Reason.RESUMED, "", now_ms)
        case Act.ABORT if running:
            after = transition.end(state, Phase.ABORTED, Reason.BY_HAND, "aborted by hand", now_ms)
        case Act.RETRY if state.refused is not None and not plan.reachable:
            after = _declined(state, f"cannot retry: {state.refused} is served nowhere")
        case Act.RETRY if state.refused is not None and plan.steps:
            after = transition.start(state, state.refused, now_ms)
        case Act.RETRY if state.refused is not None:
            after = transition.switch(state, state.refused, now_ms)
        case Act.UNDO if state.phase is Phase.STABLE and state.previous is not None:
            after = transition.undo(state, now_ms)
        case _:
            what = "nothing was stable before" if act is Act.UNDO and state.phase is Phase.STABLE else state.phase.value
            after = _declined(state, f"cannot {act}: {what}")
    return after


def _promoted_by_hand(plan: Plan, state: State, now_ms: int) -> State:
    if state.failures:
        return _declined(state, "not promoted: the last verdict is Failed; abort, or wait for a better one")
    if not plan.reachable:
        return _declined(state, f"cannot promote: {state.candidate} is served nowhere")
    return _promoted(plan, state, now_ms, by_hand=True)


def _declined(state: State, why: str) -> State:
    return replace(state, declined=why)


def _elapsed(plan: Plan, state: State, now_ms: int) -> State:
    """Let the hold run while somebody watches, and can compare: it does not pass while a route is deleted.

    Where nothing rolls out nobody watches: such a state is the same one as long as nothing is asked of it.
    """
    if state.phase not in RUNNING:
        return state
    stopped = state.phase is Phase.PAUSED and state.reason in _STOPPED
    watched_ms = (
        0 if stopped or not plan.stable_reachable else min(now_ms - state.clock_ms, UNWATCHED * plan.bounds.interval_ms)
    )
    held_ms = state.held_ms + watched_ms
    return replace(state, held_ms=held_ms, clock_ms=now_ms)


def _watched(plan: Plan, state: State, observation: Observation, now_ms: int) -> State:
    """Count, and give a verdict when one is due."""
    if not plan.stable_reachable:
        due = now_ms - state.judged_ms >= plan.bounds.interval_ms
        return replace(state, judged_ms=now_ms) if due else state
    if not observation.problem and not observation.candidate_down:
        state = replace(state, tally=state.tally.plus(observation.counted))
    state = _ejected(state, observation, now_ms)
    if now_ms - state.judged_ms < plan.bounds.interval_ms:
        return state
    verdict = replace(_verdict(plan, state, observation, now_ms), at_ms=now_ms)
    failures = state.failures + 1 if verdict.outcome is Outcome.FAILED else 0
    state = replace(
        state,
        judged_ms=now_ms,
        failures=failures,
        verdicts=(*state.verdicts, verdict)[-KEPT_VERDICTS:],
        message=verdict.message,
    )
    if failures > plan.bounds.failure_limit:
        return transition.end(state, Phase.ROLLED_BACK, Reason.BOUND_BROKEN, verdict.message, now_ms)
    if state.phase is Phase.PAUSED and state.reason is Reason.BY_HAND:
        return state
    return _held(plan, state, verdict, now_ms)


def _held(plan: Plan, state: State, verdict: Verdict, now_ms: int) -> State:
    """Go on, wait or pause when the hold is over; before, only watch."""
    hold_ms = _step(plan, state).hold_ms
    if hold_ms is None:
        if state.phase is Phase.AWAITING_PROMOTION:
            return state
        return transition.move(state, Phase.AWAITING_PROMOTION, Reason.NO_HOLD, verdict.message, now_ms)
    if state.held_ms < hold_ms:
        waiting = state.phase is Phase.PROGRESSING
        return state if waiting else transition.move(state, Phase.PROGRESSING, Reason.RESUMED, verdict.message, now_ms)
    if verdict.outcome is Outcome.SUCCESSFUL:
        return _promoted(plan, state, now_ms, by_hand=False)
    reason = _PAUSES.get(verdict.outcome)
    return state if reason is None else transition.pause(state, reason, verdict.message, now_ms)


def _promoted(plan: Plan, state: State, now_ms: int, *, by_hand: bool) -> State:
    """Take the next step; after the last one the candidate is stable."""
    if state.step < len(plan.steps):
        return transition.advance(state, Reason.BY_HAND if by_hand else Reason.STEPPED, now_ms)
    return transition.promote(state, Reason.BY_HAND if by_hand else Reason.PROMOTED, now_ms)


def _ejected(state: State, observation: Observation, now_ms: int) -> State:
    """Remember since when the candidate is ejected: a probe that began later tells whose doing it is."""
    read_ms = observation.ejections_read_ms
    # What was read before the target was in use knows of no ejection, and the next reading would make an old one new.
    if state.ejected_before and (observation.candidate_ejected or read_ms is None or read_ms <= state.step_since_ms):
        return state
    state = replace(state, ejected_before=False)
    if observation.candidate_down or not (observation.candidate_ejected or state.ejected_ms is not None):
        return replace(state, ejected_ms=None)
    return state if state.ejected_ms is not None else replace(state, ejected_ms=now_ms)


def _verdict(plan: Plan, state: State, observation: Observation, now_ms: int) -> Verdict:
    if observation.candidate_down:
        message = "every endpoint of the candidate is down, which is no fault of the model"
        return Verdict(outcome=Outcome.INCONCLUSIVE, measure=Measure.HEALTH, message=message)
    if state.ejected_ms is not None:
        return _of_ejection(plan, state, observation, state.ejected_ms, now_ms)
    if observation.problem:
        return Verdict(outcome=Outcome.ERROR, measure=Measure.SOURCE, message=observation.problem)
    verdict = _judged(plan, state, observation)
    left_out = state.ejected_before and observation.candidate_ejected
    if left_out and verdict.outcome is Outcome.INCONCLUSIVE:
        message = f"gateways leave {state.candidate} out, since before this rollout: {verdict.message}"
        return replace(verdict, measure=Measure.EJECTED, message=message)
    return verdict


def _judged(plan: Plan, state: State, observation: Observation) -> Verdict:
    """Judge what gateways counted, and what was measured elsewhere: each can fail a step, and only both can pass it."""
    verdict = judge(state.tally, plan.bounds, steps=len(plan.steps))
    if verdict.outcome is Outcome.FAILED:
        return verdict
    elsewhere = judge_measured(plan.bounds.queries, observation.measured)
    if elsewhere is not None and elsewhere.outcome is Outcome.FAILED:
        return elsewhere
    if observation.unmeasured:
        return Verdict(outcome=Outcome.ERROR, measure=Measure.SOURCE, message=observation.unmeasured)
    return elsewhere if elsewhere is not None and verdict.outcome is Outcome.SUCCESSFUL else verdict


def _of_ejection(plan: Plan, state: State, observation: Observation, since_ms: int, now_ms: int) -> Verdict:
    waited = now_ms - since_ms >= EJECTION_WAIT * plan.bounds.interval_ms
    well = observation.probed_ms is not None and observation.probed_ms >= since_ms
    if well or waited or not observation.probes:
        message = f"gateways ejected {state.candidate}" + (", and its endpoint answers probes" if well else "")
        return Verdict(outcome=Outcome.FAILED, measure=Measure.EJECTED, message=message)
    message = f"gateways ejected {state.candidate}; waits for a probe of its endpoint"
    return Verdict(outcome=Outcome.INCONCLUSIVE, measure=Measure.EJECTED, message=message)


def _step(plan: Plan, state: State) -> Step:
    return plan.steps[min(state.step, len(plan.steps)) - 1]
