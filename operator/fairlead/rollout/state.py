"""Where a rollout stands: everything that the machine remembers, and its form as a JSON document."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter

from fairlead.rollout.tally import ArmCounts, Tally
from fairlead.rollout.verdict import Verdict

KEPT_VERDICTS = 10
_NOTHING = Tally()
"""One for all states: most routes never roll out."""


class Phase(StrEnum):
    """What a rollout does."""

    STABLE = "Stable"
    """Nothing rolls out: `stable` has all traffic."""
    PROGRESSING = "Progressing"
    AWAITING_PROMOTION = "AwaitingPromotion"
    """A step without `hold` waits for a person."""
    PAUSED = "Paused"
    ROLLED_BACK = "RolledBack"
    """Evidence sent the candidate back; `stable` has all traffic, and Git asks otherwise."""
    ABORTED = "Aborted"
    """A person, or a candidate that does not exist, ended it; as before."""


class Reason(StrEnum):
    """Why a phase is what it is."""

    INITIAL = "Initial"
    PROMOTED = "Promoted"
    AT_ONCE = "AtOnce"
    """No rollout was asked for, or the target was the stable or the previous one."""
    STARTED = "Started"
    STEPPED = "Stepped"
    RESUMED = "Resumed"
    NO_HOLD = "NoHold"
    BY_HAND = "ByHand"
    INCONCLUSIVE = "Inconclusive"
    ERROR = "Error"
    BOUND_BROKEN = "BoundBroken"
    CANDIDATE_GONE = "CandidateGone"
    STABLE_GONE = "StableGone"
    """The stable target cannot be served: nothing is judged until it can, nor promoted but by hand."""
    UNDONE = "Undone"


RUNNING = frozenset({Phase.PROGRESSING, Phase.AWAITING_PROMOTION, Phase.PAUSED})
"""Phases in which a candidate is under way."""
REFUSED = frozenset({Phase.ROLLED_BACK, Phase.ABORTED})
"""Phases in which Git asks for a target that does not serve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One route's rollout. Targets are `provider/model`."""

    phase: Phase
    reason: Reason
    since_ms: int
    """When the phase began."""
    stable: str
    """Serves whoever the candidate does not; the last promoted target."""
    candidate: str | None = None
    """Under way; None in phases that are not `RUNNING`."""
    previous: str | None = None
    """Was stable before, and may be again at once."""
    refused: str | None = None
    """What Git asks for and does not get, in phases `REFUSED`."""
    step: int = 0
    """Counted from 1; 0 where no candidate is under way."""
    step_since_ms: int = 0
    held_ms: int = 0
    """How long this step's hold has run, up to `clock_ms`; not in pauses by hand, nor while stable is gone."""
    clock_ms: int = 0
    """The moment of the last look."""
    judged_ms: int = 0
    """The moment of the last verdict, or of the step's start."""
    failures: int = 0
    """Failed verdicts in a row in this step."""
    tally: Tally = _NOTHING
    """Counted in this step."""
    ejected_ms: int | None = None
    """Since when gateways leave the candidate's target out, while nobody has said yet whose doing it is."""
    ejected_before: bool = False
    """Whether gateways left the candidate's target out already when its rollout began: that says nothing of now."""
    verdicts: tuple[Verdict, ...] = ()
    """The last ones of this rollout, oldest first."""
    done: str = ""
    """The last order of a person that was answered."""
    declined: str = ""
    """Why that order changed nothing; empty where it was carried out."""
    message: str = ""
    """One line without a final period."""

    @property
    def serving(self) -> str:
        """Return what status calls the target that has the traffic that no candidate has."""
        return self.stable


_STATE = TypeAdapter(State)


def encode(state: State) -> dict[str, Any]:
    """Return the document; what a restarted process needs to go on as if nothing had been.

    What is as at the beginning is left out: most of thousands of routes never roll out.
    """
    document: dict[str, Any] = _STATE.dump_python(state, mode="json", exclude_defaults=True)
    return document


def decode(document: Any) -> State:
    """Read a document.

    Raises:
        ValueError: it is none that `encode` made, or a state in which no rollout can be.

    """
    state = _STATE.validate_python(document)
    if (state.phase in RUNNING) != (state.candidate is not None):
        raise ValueError(f"got {state.phase} with the candidate {state.candidate}, want one while one is under way")
    if (state.phase in REFUSED) != (state.refused is not None):
        raise ValueError(f"got {state.phase} with {state.refused} refused, want one where a target was sent back")
    if (state.step >= 1) != (state.phase in RUNNING):
        raise ValueError(f"got step {state.step} in {state.phase}, want one from 1 while a candidate is under way")
    counts = (state.tally.stable, state.tally.candidate)
    if any(_least(one) < 0 for one in counts):
        raise ValueError("got a count below zero, want what was counted")
    return state


def _least(one: ArmCounts) -> int:
    rest = one.attempts - one.failed - one.unended
    counts = (*one.first_bytes.values(), *one.finish_reasons.values())
    return min(
        rest, one.failed, one.unended, one.input_tokens, one.output_tokens, one.nano_usd, one.unpriced_tokens, *counts
    )
