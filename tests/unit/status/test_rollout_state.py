"""A rollout in a ModelRoute's status: what is written when, and the way back from it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fairlead.api.conditions import Reason as ConditionReason
from fairlead.api.status import RolloutPhase, RolloutState
from fairlead.rollout import machine
from fairlead.rollout.observation import Act, Observation, Order
from fairlead.rollout.plan import Bounds, Plan, Step
from fairlead.rollout.state import Phase, State
from fairlead.rollout.tally import ArmCounts, Tally
from fairlead.status import rollout_state

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
OLD = Plan(primary="p/old")
NEW = Plan(
    primary="p/new/v2",
    steps=(Step(traffic=1_000, hold_ms=3_600_000), Step(traffic=5_000)),
    bounds=Bounds(error_rate=0.01, interval_ms=1_000),
)


def started() -> State:
    return machine.ask(NEW, machine.ask(OLD, None, NOW_MS), NOW_MS)


def looked(state: State, attempts: int = 40, failed: int = 0, *, after_ms: int = 1_000) -> State:
    mine = ArmCounts(attempts=attempts, failed=failed, first_bytes={250.0: attempts}, nano_usd=attempts)
    counted = Tally(stable=ArmCounts(attempts=9 * attempts), candidate=mine)
    return machine.step(NEW, state, Observation(counted=counted), state.clock_ms + after_ms)


def ordered(state: State, act: Act) -> State:
    return machine.ask(NEW, state, state.clock_ms + 1, Order(act=act, mark=f"{act} 1"))


def stored(state: State, *, later_s: float = 0) -> dict[str, Any]:
    document = rollout_state.document("team/chat", NEW, state, cohort="", order=state.done)
    return rollout_state.stored(document, state, now=NOW + timedelta(seconds=later_s))


STATES = {
    "stable": machine.ask(OLD, None, NOW_MS),
    "started": started(),
    "looked": looked(started()),
    "paused": ordered(looked(started()), Act.PAUSE),
    "rolled back": looked(started(), failed=40),
    "aborted": ordered(looked(started()), Act.ABORT),
    "declined": ordered(started(), Act.UNDO),
    "second": looked(ordered(looked(started()), Act.PROMOTE)),
}


def test_the_schema_has_the_phases_of_the_machine() -> None:
    assert [one.value for one in RolloutPhase] == [one.value for one in Phase]


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_what_is_written_is_what_the_schema_has(state: State) -> None:
    RolloutState.model_validate(stored(state))


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_what_is_shown_is_what_was_said(state: State) -> None:
    document = rollout_state.document("team/chat", NEW, state, cohort="few", order=state.done)
    shown = rollout_state.shown("team/chat", rollout_state.stored(document, state, now=NOW))
    assert shown.pop("observedAt") == "2026-11-21T12:00:00Z"
    assert shown == document


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_a_route_goes_on_from_its_status_where_nothing_else_was_kept(state: State) -> None:
    found = rollout_state.restored({"rollout": stored(state)}, NOW_MS + 60_000)
    assert found is not None
    for field in ("phase", "reason", "stable", "candidate", "previous", "refused", "step", "done", "declined"):
        assert getattr(found, field) == getattr(state, field), field
    assert stored(found)["message"] == stored(state)["message"]
    assert [one.message for one in found.verdicts] == [one.message for one in state.verdicts]
    assert found.tally == Tally()
    assert machine.ask(NEW, found, NOW_MS + 61_000).phase is machine.ask(NEW, state, NOW_MS + 61_000).phase


def test_a_status_whose_message_has_the_declined_order_too_goes_on_without_it() -> None:
    looking = ordered(looked(started()), Act.UNDO)
    said = stored(looking)
    older = {**said, "message": f"{said['message']}; {said['declined']}"}
    found = rollout_state.restored({"rollout": older}, NOW_MS + 60_000)
    assert found is not None
    assert (found.message, found.declined) == (looking.message, looking.declined)


@pytest.mark.parametrize(
    "rollout", [{"phase": "Dancing"}, {"phase": "Progressing"}, {"since": "soon"}, {"verdicts": 5}, {"step": "1"}, {}]
)
def test_a_status_that_cannot_be_followed_says_what_was_stable(rollout: dict[str, Any]) -> None:
    status = {"stable": {"provider": "p", "model": "old"}, "rollout": rollout}
    found = rollout_state.restored(status, NOW_MS)
    assert found is not None
    assert (found.stable, found.phase) == ("p/old", Phase.STABLE)


def test_a_status_that_says_nothing_restores_nothing() -> None:
    assert rollout_state.restored({}, NOW_MS) is None
    assert rollout_state.restored({"conditions": []}, NOW_MS) is None


def test_numbers_are_told_once_a_minute_and_what_a_person_waits_for_at_once() -> None:
    first = looked(started())
    before = stored(first)
    more = looked(first)
    assert rollout_state.told(stored(more, later_s=59), before) is before
    assert rollout_state.told(stored(more, later_s=61), before)["progress"]["candidate"]["requests"] == 80
    idle = looked(first, attempts=0)
    assert rollout_state.told(stored(idle, later_s=600), before) is before, "nothing happened"
    for changed in (ordered(first, Act.PAUSE), looked(first, failed=40), ordered(first, Act.UNDO)):
        assert rollout_state.told(stored(changed, later_s=1), before) is not before
    assert rollout_state.told(stored(more), None) == stored(more)


def test_conditions_do_not_move_with_counts() -> None:
    first = looked(started())
    assert rollout_state.rolling(NEW, first) == rollout_state.rolling(NEW, looked(first))
    assert rollout_state.rolling(NEW, STATES["stable"]) is None
    reasons = {
        "started": ConditionReason.ROLLING_OUT,
        "paused": ConditionReason.PAUSED_BY_HAND,
        "rolled back": ConditionReason.ROLLED_BACK,
        "aborted": ConditionReason.ABORTED,
    }
    for name, reason in reasons.items():
        found = rollout_state.rolling(NEW, STATES[name])
        assert found is not None
        assert found.reason is reason
        assert found.stalled is (reason in {ConditionReason.ROLLED_BACK, ConditionReason.ABORTED})


@pytest.mark.parametrize(
    ("state", "reason", "warning"),
    [
        (started(), "RolloutStarted", False),
        (ordered(started(), Act.PROMOTE), "RolloutStepped", False),
        (ordered(started(), Act.PAUSE), "RolloutPaused", True),
        (ordered(ordered(started(), Act.PAUSE), Act.RESUME), "RolloutResumed", False),
        (STATES["rolled back"], "RolloutRolledBack", True),
        (STATES["aborted"], "RolloutAborted", True),
        (machine.ask(OLD, started(), NOW_MS), "PrimaryChanged", False),
        (ordered(replace(STATES["second"], done=""), Act.PROMOTE), "RolloutPromoted", False),
    ],
)
def test_each_transition_has_an_event(state: State, reason: str, *, warning: bool) -> None:
    found = rollout_state.happening(NEW, state)
    assert (found.reason, found.warning) == (reason, warning)
    assert "\n" not in found.message
