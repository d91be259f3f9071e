"""A rollout's life, look by look: what moves it, what does not."""

from dataclasses import replace

import pytest

from fairlead.rollout.machine import Shares, ask, due_ms, shares, step
from fairlead.rollout.observation import Act, Observation, Order
from fairlead.rollout.plan import Bounds, Plan, Step
from fairlead.rollout.state import Phase, Reason, State
from fairlead.rollout.tally import ArmCounts, Tally
from fairlead.rollout.verdict import Outcome

INTERVAL, HOLD = 30_000, 60_000
BOUNDS = Bounds(error_rate=0.005, min_requests=100, interval_ms=INTERVAL)
STEPS = (Step(shadow=500, hold_ms=HOLD), Step(traffic=100, hold_ms=HOLD), Step(traffic=5_000))
OLD, NEW = Plan(primary="p/old", steps=STEPS, bounds=BOUNDS), Plan(primary="p/new", steps=STEPS, bounds=BOUNDS)
OTHER = replace(NEW, primary="p/other")
NOTHING = Observation()


def seen(attempts: int, failed: int = 0) -> Observation:
    return Observation(counted=Tally(candidate=ArmCounts(attempts=attempts, failed=failed)))


def started(plan: Plan = NEW) -> State:
    return step(plan, step(OLD, None, NOTHING, 0), NOTHING, 0)


def seen_well() -> State:
    return step(NEW, started(), Observation(ejections_read_ms=1), 1)


def looks(state: State, count: int, observation: Observation, *, plan: Plan = NEW) -> State:
    for _ in range(count):
        state = step(plan, state, observation, state.clock_ms + INTERVAL)
    return state


def ordered(state: State, act: Act, *, plan: Plan = NEW) -> State:
    return step(plan, state, NOTHING, state.clock_ms, Order(act=act, mark=f"{act}@{state.clock_ms}"))


def awaiting() -> State:
    return looks(started(), 5, seen(100))


def promoted() -> State:
    return ordered(awaiting(), Act.PROMOTE)


def rolled_back() -> State:
    return looks(started(), 1, seen(10, 10))


class TestTheWayIn:
    def test_where_nothing_rolls_out_the_state_is_the_same_one(self) -> None:
        state = ask(OLD, None, 5)
        assert ask(OLD, state, 5_000_000) is state

    def test_a_rollout_holds_from_its_beginning_on_however_long_nothing_rolled_out_before(self) -> None:
        late = 3_600_000
        assert ask(NEW, ask(OLD, None, 5), late).held_ms == 0

    def test_a_route_that_was_never_seen_serves_what_it_asks_for(self) -> None:
        state = step(NEW, None, NOTHING, 5)
        assert (state.phase, state.stable, shares(NEW, state)) == (
            Phase.STABLE,
            "p/new",
            Shares(stable="p/new", candidate=None),
        )

    def test_an_edit_begins_at_the_first_step(self) -> None:
        state = started()
        assert (state.phase, state.step, state.stable, state.candidate) == (Phase.PROGRESSING, 1, "p/old", "p/new")
        assert shares(NEW, state) == Shares(stable="p/old", candidate="p/new", shadow=500)

    def test_an_edit_that_adds_the_rollout_and_the_target_rolls_out(self) -> None:
        before = step(Plan(primary="p/old"), None, NOTHING, 0)
        assert step(NEW, before, NOTHING, 1).phase is Phase.PROGRESSING

    def test_an_edit_without_a_rollout_acts_at_once(self) -> None:
        state = step(Plan(primary="p/new"), step(OLD, None, NOTHING, 0), NOTHING, 1)
        assert (state.phase, state.stable, state.previous) == (Phase.STABLE, "p/new", "p/old")

    def test_what_was_kept_outside_the_object_is_where_a_restored_route_begins(self) -> None:
        kept = step(OLD, None, NOTHING, 0)
        assert step(NEW, kept, NOTHING, 1).step == 1

    def test_an_order_that_stands_at_a_route_that_nobody_remembers_is_an_old_one(self) -> None:
        state = step(NEW, None, NOTHING, 0, Order(act=Act.ABORT, mark="1"))
        assert step(OTHER, state, NOTHING, 1, Order(act=Act.ABORT, mark="1")).phase is Phase.PROGRESSING


class TestEvidence:
    def test_good_requests_promote_step_by_step_and_the_last_waits_for_a_person(self) -> None:
        state = looks(started(), 2, seen(100))
        assert (state.step, shares(NEW, state).traffic) == (2, 100)
        state = looks(state, 3, seen(100))
        assert (state.phase, state.step, shares(NEW, state).traffic) == (Phase.AWAITING_PROMOTION, 3, 5_000)
        done = ordered(state, Act.PROMOTE)
        assert (done.phase, done.stable, done.previous) == (Phase.STABLE, "p/new", "p/old")

    def test_a_step_lasts_as_long_as_it_holds(self) -> None:
        assert looks(started(), 1, seen(10_000)).step == 1

    def test_too_few_requests_pause_the_end_of_a_hold_and_it_goes_on_by_itself(self) -> None:
        state = looks(started(), 2, seen(10))
        assert (state.phase, state.reason, state.step) == (Phase.PAUSED, Reason.INCONCLUSIVE, 1)
        assert shares(NEW, state).shadow == 500
        assert looks(state, 1, seen(100)).step == 2

    def test_five_failures_of_five_need_no_more_requests(self) -> None:
        state = looks(started(), 1, seen(5, 5))
        assert (state.phase, state.refused, state.stable) == (Phase.ROLLED_BACK, "p/new", "p/old")
        assert "5 of 5 requests failed" in state.message
        assert shares(NEW, state) == Shares(stable="p/old", candidate=None)

    def test_single_failures_are_no_broken_bound(self) -> None:
        assert looks(started(), 1, seen(200, 1)).phase is Phase.PROGRESSING

    def test_failed_verdicts_below_the_limit_are_survived(self) -> None:
        plan = replace(NEW, bounds=replace(BOUNDS, failure_limit=1))
        state = looks(started(plan), 1, seen(10, 10), plan=plan)
        assert (state.phase, state.failures) == (Phase.PROGRESSING, 1)
        assert looks(state, 1, NOTHING, plan=plan).phase is Phase.ROLLED_BACK

    def test_a_source_that_fails_is_an_error_and_moves_nothing(self) -> None:
        state = looks(started(), 2, Observation(problem="gateway a: no answer"))
        assert (state.phase, state.reason, state.step) == (Phase.PAUSED, Reason.ERROR, 1)
        assert state.verdicts[-1].outcome is Outcome.ERROR

    def test_counts_beside_a_problem_say_nothing(self) -> None:
        observation = replace(seen(10, 10), problem="gateway a: no answer")
        assert looks(started(), 1, observation).phase is Phase.PROGRESSING

    def test_evidence_of_one_step_is_not_the_next_ones(self) -> None:
        assert looks(started(), 2, seen(100)).tally == Tally()

    def test_what_fails_at_a_candidate_whose_endpoints_are_down_is_not_its_doing(self) -> None:
        state = looks(started(), 3, replace(seen(50, 50), candidate_down=True))
        assert (state.phase, state.step, state.tally) == (Phase.PAUSED, 1, Tally())


class TestEjection:
    def test_waits_for_a_probe_that_began_after_it(self) -> None:
        observation = Observation(candidate_ejected=True, probes=True, probed_ms=0)
        assert looks(seen_well(), 1, observation).phase is Phase.PROGRESSING

    def test_is_the_candidates_when_its_endpoint_answers(self) -> None:
        state = looks(seen_well(), 1, Observation(candidate_ejected=True, probes=True))
        later = step(
            NEW,
            state,
            Observation(candidate_ejected=True, probes=True, probed_ms=state.clock_ms + 1),
            state.clock_ms + INTERVAL,
        )
        assert (later.phase, later.reason) == (Phase.ROLLED_BACK, Reason.BOUND_BROKEN)

    def test_is_the_candidates_when_nobody_probes(self) -> None:
        assert looks(seen_well(), 1, Observation(candidate_ejected=True)).phase is Phase.ROLLED_BACK

    def test_is_the_candidates_when_no_probe_answers_for_long(self) -> None:
        state = looks(seen_well(), 6, Observation(candidate_ejected=True, probes=True))
        assert state.phase is Phase.ROLLED_BACK

    def test_is_forgotten_when_the_endpoint_is_found_down(self) -> None:
        state = looks(seen_well(), 1, Observation(candidate_ejected=True, probes=True))
        assert looks(state, 1, Observation(candidate_ejected=True, candidate_down=True)).ejected_ms is None

    def test_before_the_rollout_began_says_nothing_of_it(self) -> None:
        ejected = Observation(candidate_ejected=True)
        back = rolled_back()
        state = looks(ask(NEW, back, back.clock_ms, Order(act=Act.RETRY, mark="1")), 3, ejected)
        assert (state.phase, state.reason) == (Phase.PAUSED, Reason.INCONCLUSIVE)
        assert "since before this rollout" in state.message
        stale = replace(seen(0), ejections_read_ms=state.step_since_ms)
        assert looks(looks(state, 1, stale), 3, ejected).phase is Phase.PAUSED, "read before the target was in use"
        well = looks(state, 1, replace(seen(100), ejections_read_ms=state.clock_ms))
        assert (well.step, well.phase) == (2, Phase.PROGRESSING)
        assert looks(well, 1, ejected).phase is Phase.ROLLED_BACK


class TestTheWayBack:
    def test_flipping_back_in_the_middle_acts_at_once(self) -> None:
        state = step(OLD, looks(started(), 2, seen(100)), NOTHING, HOLD)
        assert (state.phase, state.stable, state.candidate) == (Phase.STABLE, "p/old", None)

    def test_flipping_to_the_previous_acts_at_once_and_leaves_none(self) -> None:
        state = step(OLD, promoted(), NOTHING, 10 * HOLD)
        assert (state.phase, state.stable, state.previous) == (Phase.STABLE, "p/old", None)
        assert step(NEW, state, NOTHING, 11 * HOLD).phase is Phase.PROGRESSING

    def test_a_target_that_was_rolled_back_stays_back_until_it_is_asked_for_anew(self) -> None:
        state = looks(rolled_back(), 50, seen(100))
        assert (state.phase, state.stable) == (Phase.ROLLED_BACK, "p/old")
        flipped = step(OLD, state, NOTHING, state.clock_ms)
        assert (flipped.phase, flipped.previous) == (Phase.STABLE, None)
        assert step(NEW, flipped, NOTHING, state.clock_ms).step == 1

    def test_retry_begins_again(self) -> None:
        state = ordered(rolled_back(), Act.RETRY)
        assert (state.phase, state.step, state.candidate, state.verdicts) == (Phase.PROGRESSING, 1, "p/new", ())

    def test_taking_the_rollout_away_does_not_let_a_bad_target_in(self) -> None:
        state = step(Plan(primary="p/new"), rolled_back(), NOTHING, HOLD)
        assert (state.phase, state.stable) == (Phase.ROLLED_BACK, "p/old")

    def test_an_edit_in_the_middle_starts_from_stable(self) -> None:
        state = step(OTHER, looks(started(), 2, seen(100)), NOTHING, HOLD)
        assert (state.step, state.stable, state.candidate) == (1, "p/old", "p/other")

    def test_a_candidate_that_is_served_nowhere_is_aborted(self) -> None:
        state = step(replace(NEW, reachable=False), started(), NOTHING, 1)
        assert (state.phase, state.reason, state.refused) == (Phase.ABORTED, Reason.CANDIDATE_GONE, "p/new")

    def test_nothing_is_judged_nor_promoted_while_the_stable_target_is_served_nowhere(self) -> None:
        alone, before = replace(NEW, stable_reachable=False), looks(started(), 1, seen(100))
        state = looks(before, 20, seen(100), plan=alone)
        assert (state.phase, state.reason) == (Phase.PAUSED, Reason.STABLE_GONE)
        kept = (before.stable, before.candidate, before.step, before.held_ms, before.tally, before.verdicts)
        assert (state.stable, state.candidate, state.step, state.held_ms, state.tally, state.verdicts) == kept
        assert due_ms(alone, state) == state.clock_ms + INTERVAL
        assert looks(state, 1, seen(100)).step == 1
        assert looks(state, 2, seen(100)).step == 2

    def test_an_edit_while_the_stable_target_is_served_nowhere_replaces_it_step_by_step(self) -> None:
        alone = replace(NEW, stable_reachable=False)
        state = step(alone, step(OLD, None, NOTHING, 0), NOTHING, 1)
        assert (state.stable, state.candidate, state.step, state.reason) == ("p/old", "p/new", 1, Reason.STABLE_GONE)

    def test_what_a_person_paused_stays_so_without_a_stable_target(self) -> None:
        alone, before = replace(NEW, stable_reachable=False), ordered(started(), Act.PAUSE)
        assert looks(looks(before, 1, NOTHING, plan=alone), 3, seen(100)).reason is Reason.BY_HAND

    def test_a_candidate_that_is_served_nowhere_cannot_be_promoted(self) -> None:
        nothing = replace(NEW, reachable=False, stable_reachable=False)
        state = ordered(awaiting(), Act.PROMOTE, plan=nothing)
        assert (state.stable, state.candidate, state.step) == ("p/old", "p/new", 3)
        assert state.declined == "cannot promote: p/new is served nowhere"

    def test_undo_takes_a_finished_rollout_back_and_says_that_git_asks_otherwise(self) -> None:
        state = ordered(promoted(), Act.UNDO)
        assert (state.phase, state.reason, state.stable, state.refused) == (
            Phase.ABORTED,
            Reason.UNDONE,
            "p/old",
            "p/new",
        )
        assert "Git asks for p/new" in state.message
        assert looks(state, 20, seen(100)).stable == "p/old"


class TestHands:
    def test_pause_keeps_the_share_and_stops_the_hold(self) -> None:
        state = ordered(looks(started(), 2, seen(100)), Act.PAUSE)
        later = looks(state, 20, seen(100))
        assert (later.phase, later.reason, later.step, later.held_ms) == (Phase.PAUSED, Reason.BY_HAND, 2, 0)
        assert shares(NEW, later).traffic == 100
        assert looks(ordered(later, Act.RESUME), 2, seen(100)).step == 3

    def test_a_broken_bound_ends_also_what_a_person_paused(self) -> None:
        assert looks(ordered(started(), Act.PAUSE), 1, seen(10, 10)).phase is Phase.ROLLED_BACK

    def test_abort_goes_back_now(self) -> None:
        state = ordered(started(), Act.ABORT)
        assert (state.phase, state.reason, state.refused) == (Phase.ABORTED, Reason.BY_HAND, "p/new")

    def test_promote_overrides_too_few_requests_and_not_a_failed_verdict(self) -> None:
        assert ordered(started(), Act.PROMOTE).step == 2
        plan = replace(NEW, bounds=replace(BOUNDS, failure_limit=5))
        failing = looks(started(plan), 1, seen(10, 10), plan=plan)
        after = ordered(failing, Act.PROMOTE, plan=plan)
        assert (after.step, after.declined[:12]) == (1, "not promoted")
        assert after.message == failing.message

    def test_an_order_is_carried_out_once(self) -> None:
        order = Order(act=Act.PROMOTE, mark="1")
        state = step(NEW, started(), NOTHING, 1, order)
        assert step(NEW, state, NOTHING, 2, order).step == state.step == 2

    @pytest.mark.parametrize("act", Act)
    def test_an_order_that_makes_no_sense_says_so_and_changes_nothing_else(self, act: Act) -> None:
        before = step(OLD, None, NOTHING, 0)
        after = ordered(before, act, plan=OLD)
        assert after.declined.startswith(f"cannot {act}")
        assert replace(after, declined="", done="") == before


def test_the_next_look_is_due_when_the_next_verdict_is() -> None:
    assert due_ms(NEW, started()) == INTERVAL
    assert due_ms(OLD, step(OLD, None, NOTHING, 0)) is None


def test_a_clock_that_was_far_ahead_once_stops_no_judging_and_holds_nothing() -> None:
    month = 30 * 86_400_000
    ahead = step(NEW, started(), NOTHING, month)
    assert (ahead.judged_ms, ahead.clock_ms) == (month, month)
    back = step(NEW, ahead, NOTHING, INTERVAL)
    assert (back.clock_ms, back.judged_ms, back.step) == (INTERVAL, INTERVAL, 1)
    assert back.held_ms == ahead.held_ms
    assert step(NEW, back, seen(10, 10), 2 * INTERVAL).phase is Phase.ROLLED_BACK


def test_a_clock_that_went_back_moves_nothing() -> None:
    state = looks(started(), 1, seen(100))
    assert step(NEW, state, NOTHING, 0) == state
