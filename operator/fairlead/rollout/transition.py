"""What each transition of a rollout does to its state. The machine decides which; `TABLE` says which there are."""

from dataclasses import replace

from fairlead.rollout.state import Phase, Reason, State
from fairlead.rollout.tally import Tally

TABLE: tuple[tuple[str, str, str], ...] = (
    ("Stable", "primary is edited, no rollout asked", "Stable"),
    ("Stable", "primary is edited", "Progressing"),
    ("Stable", "the same while stable is served nowhere", "Paused"),
    ("Stable", "undo", "Aborted"),
    ("Progressing", "hold over and Successful, or promote", "Progressing"),
    ("Progressing", "the same at the last step, or rollout is removed", "Stable"),
    ("Progressing", "hold over, Inconclusive or Error", "Paused"),
    ("Progressing", "step without hold", "AwaitingPromotion"),
    ("Progressing", "pause, or stable is served nowhere", "Paused"),
    ("Progressing", "Failed", "RolledBack"),
    ("Progressing", "abort, or candidate gone", "Aborted"),
    ("AwaitingPromotion", "promote, or the step has a hold now", "Progressing"),
    ("AwaitingPromotion", "promote at the last step, or rollout is removed", "Stable"),
    ("AwaitingPromotion", "pause, or stable is served nowhere", "Paused"),
    ("AwaitingPromotion", "Failed", "RolledBack"),
    ("AwaitingPromotion", "abort, or candidate gone", "Aborted"),
    ("Paused", "resume, promote, enough requests, or stable is back", "Progressing"),
    ("Paused", "the same at the last step, or rollout is removed", "Stable"),
    ("Paused", "the step has no hold any more", "AwaitingPromotion"),
    ("Paused", "Failed", "RolledBack"),
    ("Paused", "abort, or candidate gone", "Aborted"),
    ("RolledBack", "retry, or another primary", "Progressing"),
    ("RolledBack", "the same while stable is served nowhere", "Paused"),
    ("RolledBack", "primary is stable or previous again", "Stable"),
    ("Aborted", "retry, or another primary", "Progressing"),
    ("Aborted", "the same while stable is served nowhere", "Paused"),
    ("Aborted", "primary is stable or previous again", "Stable"),
)
"""From, on what, to; the docs' diagram is made from it. Setting `primary` to `stable` leads to Stable always."""


def initial(primary: str, now_ms: int) -> State:
    """Begin: what a route asks for when it is first seen is stable."""
    return State(phase=Phase.STABLE, reason=Reason.INITIAL, since_ms=now_ms, stable=primary, clock_ms=now_ms)


def kept(stable: str, now_ms: int, done: str = "") -> State:
    """Begin with the stable target that was kept outside the object: a restored route does not jump.

    `done`: the mark of an order about something that nobody remembers, which is not carried out on what comes now.
    """
    return replace(initial(stable, now_ms), done=done)


def move(state: State, phase: Phase, reason: Reason, message: str, now_ms: int) -> State:
    """Go to another phase within the same step."""
    since_ms = state.since_ms if phase is state.phase else now_ms
    return replace(state, phase=phase, reason=reason, since_ms=since_ms, message=message)


def pause(state: State, reason: Reason, message: str, now_ms: int) -> State:
    """Pause where the step stands; nothing if it is paused for that already."""
    if (state.phase, state.reason) == (Phase.PAUSED, reason):
        return replace(state, message=message)
    return replace(state, phase=Phase.PAUSED, reason=reason, since_ms=now_ms, message=message)


def start(state: State, candidate: str, now_ms: int) -> State:
    """Begin a rollout from stable, also in the middle of another. An ejection counts once there was none."""
    begun = _without_candidate(state, Phase.PROGRESSING, Reason.STARTED, now_ms)
    return replace(_step(replace(begun, candidate=candidate, verdicts=(), message=""), 1, now_ms), ejected_before=True)


def advance(state: State, reason: Reason, now_ms: int) -> State:
    """Take the next step."""
    onward = replace(state, phase=Phase.PROGRESSING, reason=reason, since_ms=now_ms, message="")
    return _step(onward, state.step + 1, now_ms)


def promote(state: State, reason: Reason, now_ms: int) -> State:
    """Make the candidate stable; the one before can come back at once."""
    promoted = state.candidate or state.stable
    settled = _without_candidate(state, Phase.STABLE, reason, now_ms)
    return replace(settled, stable=promoted, previous=state.stable, message="")


def end(state: State, phase: Phase, reason: Reason, message: str, now_ms: int) -> State:
    """Send the candidate back: stable has all traffic, and the candidate is no way back either."""
    ended = _without_candidate(state, phase, reason, now_ms)
    previous = None if state.previous == state.candidate else state.previous
    return replace(ended, refused=state.candidate, previous=previous, message=message)


def settle(state: State, reason: Reason, now_ms: int) -> State:
    """Git asks for what is stable: whatever was under way is over."""
    return replace(_without_candidate(state, Phase.STABLE, reason, now_ms), message="")


def flip(state: State, previous: str, now_ms: int) -> State:
    """Git asks for what was stable before: at once, and what is left is no way back."""
    flipped = _without_candidate(state, Phase.STABLE, Reason.AT_ONCE, now_ms)
    return replace(flipped, stable=previous, previous=None, message="")


def switch(state: State, target: str, now_ms: int) -> State:
    """Git asks for another target and for no rollout: at once. A target that was sent back leaves no way back."""
    switched = _without_candidate(state, Phase.STABLE, Reason.AT_ONCE, now_ms)
    return replace(switched, stable=target, previous=state.stable, message="")


def undo(state: State, now_ms: int) -> State:
    """Take a finished rollout back: what was stable before is again, and Git asks otherwise."""
    undone = _without_candidate(state, Phase.ABORTED, Reason.UNDONE, now_ms)
    message = f"undone by hand: {state.previous} serves, Git asks for {state.stable}"
    return replace(undone, stable=state.previous or state.stable, previous=None, refused=state.stable, message=message)


def set_back(state: State, now_ms: int) -> State:
    """Let nothing be later than now: the clock was ahead. What was held and counted stays as it is."""
    return replace(
        state,
        since_ms=min(state.since_ms, now_ms),
        step_since_ms=min(state.step_since_ms, now_ms),
        clock_ms=min(state.clock_ms, now_ms),
        judged_ms=min(state.judged_ms, now_ms),
        ejected_ms=None if state.ejected_ms is None else min(state.ejected_ms, now_ms),
    )


def _without_candidate(state: State, phase: Phase, reason: Reason, now_ms: int) -> State:
    return State(
        phase=phase,
        reason=reason,
        since_ms=now_ms,
        stable=state.stable,
        previous=state.previous,
        verdicts=state.verdicts,
        clock_ms=state.clock_ms,
        done=state.done,
    )


def _step(state: State, number: int, now_ms: int) -> State:
    return replace(
        state,
        step=number,
        step_since_ms=now_ms,
        held_ms=0,
        clock_ms=now_ms,
        judged_ms=now_ms,
        failures=0,
        tally=Tally(),
        ejected_ms=None,
        ejected_before=False,
    )
