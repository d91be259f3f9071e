"""A state comes back from its document as it was; what is none is refused."""

import json
from dataclasses import replace
from math import inf
from typing import Any

import pytest

from fairlead.rollout.state import Phase, Reason, State, decode, encode
from fairlead.rollout.tally import ArmCounts, Tally
from fairlead.rollout.verdict import Measure, Outcome, Verdict

STABLE = State(phase=Phase.STABLE, reason=Reason.INITIAL, since_ms=1, stable="p/old")
RUNNING = replace(
    STABLE,
    phase=Phase.PAUSED,
    reason=Reason.INCONCLUSIVE,
    candidate="p/new",
    step=2,
    tally=Tally(candidate=ArmCounts(attempts=7, failed=1, first_bytes={10.0: 3, inf: 1}, finish_reasons={"stop": 6})),
    verdicts=(Verdict(outcome=Outcome.INCONCLUSIVE, measure=Measure.REQUESTS, message="7 of 100", at_ms=4),),
)


@pytest.mark.parametrize("state", [STABLE, RUNNING])
def test_a_state_comes_back_as_it_was(state: State) -> None:
    assert decode(json.loads(json.dumps(encode(state)))) == state


def test_what_never_rolled_out_takes_little() -> None:
    assert encode(STABLE) == {"phase": "Stable", "reason": "Initial", "since_ms": 1, "stable": "p/old"}


def test_a_document_that_says_everything_is_read_as_well() -> None:
    arm = {**dict.fromkeys(("attempts", "failed", "unended", "nano_usd"), 0), "first_bytes": {}, "finish_reasons": {}}
    said = {"candidate": None, "previous": None, "step": 0, "clock_ms": 0, "tally": {"stable": arm, "candidate": arm}}
    assert decode({**encode(STABLE), **said, "verdicts": [], "done": "", "message": ""}) == STABLE


@pytest.mark.parametrize(
    "damage",
    [
        {"phase": "Happy"},
        {"step": "second"},
        {"candidate": None},
        {"refused": "p/bad"},
        {"step": 0},
        {"since_ms": None},
        {"tally": {"candidate": {"attempts": -1}}},
        {"tally": {"candidate": {"attempts": 1, "failed": 2}}},
        {"verdicts": {}},
    ],
)
def test_what_is_none_is_refused(damage: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        decode({**encode(RUNNING), **damage})


@pytest.mark.parametrize("found", [None, [], "Stable", 7, {}])
def test_another_shape_is_refused(found: Any) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        decode(found)
