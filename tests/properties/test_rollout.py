"""Laws of the rollout machine, whatever is seen, asked and done."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from examples import times
from fairlead.rollout.machine import ask, shares, step
from fairlead.rollout.observation import Act, Observation, Order
from fairlead.rollout.plan import Bounds, Plan, Step
from fairlead.rollout.state import RUNNING, Phase, State, decode, encode
from fairlead.rollout.tally import ArmCounts, Tally
from fairlead.rollout.transition import TABLE
from fairlead.rollout.verdict import Outcome

INTERVAL = 30_000
TARGETS = ("p/a", "p/b", "p/c")
HOLDS = st.sampled_from([0, INTERVAL, 10 * INTERVAL])
MOMENT = tuple[Plan, Observation, int, Order | None]


@st.composite
def plans(draw: DrawFn, *, always_reachable: bool = False) -> Plan:
    shadows = draw(st.lists(st.builds(Step, shadow=st.just(500), hold_ms=HOLDS), max_size=1))
    growing = sorted(draw(st.sets(st.integers(1, 10_000), min_size=1, max_size=3)))
    traffic = [Step(traffic=share, hold_ms=draw(st.none() | HOLDS)) for share in growing]
    return Plan(
        primary=draw(st.sampled_from(TARGETS)),
        steps=(*shadows, *traffic) if draw(st.integers(0, 9)) else (),
        bounds=Bounds(error_rate=0.01, min_requests=50, interval_ms=INTERVAL, failure_limit=draw(st.integers(0, 2))),
        reachable=always_reachable or draw(st.booleans()),
        stable_reachable=always_reachable or bool(draw(st.integers(0, 3))),
    )


COUNTS = st.integers(0, 200).flatmap(
    lambda attempts: st.builds(
        ArmCounts, attempts=st.just(attempts), failed=st.integers(0, attempts), nano_usd=st.integers(0, 10**12)
    )
)
OBSERVATIONS = st.builds(
    Observation,
    counted=st.builds(Tally, stable=COUNTS, candidate=COUNTS),
    problem=st.sampled_from(["", "", "", "no answer"]),
    candidate_down=st.booleans(),
    candidate_ejected=st.booleans(),
    ejections_read_ms=st.sampled_from([None, 0, 10**9]),
    probes=st.booleans(),
)
ORDERS = st.none() | st.builds(Order, act=st.sampled_from(Act), mark=st.text("xyz", min_size=1, max_size=3))


@st.composite
def lives(draw: DrawFn) -> list[MOMENT]:
    """Draw some looks; the plan changes now and then."""
    plan, now_ms, moments = draw(plans()), 0, []
    for _ in range(draw(st.integers(1, 12))):
        if not draw(st.integers(0, 7)):
            plan = draw(plans())
        now_ms += draw(st.sampled_from([0, 1_000, INTERVAL, 20 * INTERVAL]))
        moments.append((plan, draw(OBSERVATIONS), now_ms, draw(ORDERS)))
    return moments


def live(moments: list[MOMENT]) -> list[tuple[State | None, State, MOMENT]]:
    state, told = None, []
    for moment in moments:
        plan, observation, now_ms, order = moment
        after = step(plan, state, observation, now_ms, order)
        told.append((state, after, moment))
        state = after
    return told


@given(lives())
def test_only_a_successful_verdict_or_a_person_promotes(moments: list[MOMENT]) -> None:
    for before, after, (plan, _, _, order) in live(moments):
        if before is None or before.candidate is None or not plan.steps:
            continue
        onward = after.candidate == before.candidate and after.step > before.step
        made_stable = after.stable == before.candidate != before.previous
        by_hand = order is not None and order.act is Act.PROMOTE and order.mark != before.done
        if (onward or made_stable) and not by_hand:
            assert after.verdicts[-1].outcome is Outcome.SUCCESSFUL
            assert after.verdicts[-1].at_ms == after.clock_ms


@given(lives())
def test_nothing_becomes_stable_by_itself_where_steps_are_asked_for(moments: list[MOMENT]) -> None:
    for before, after, (plan, _, _, order) in live(moments):
        if before is None or not plan.steps or order is not None or after.stable in (before.stable, before.previous):
            continue
        assert plan.stable_reachable
        assert after.verdicts[-1].outcome is Outcome.SUCCESSFUL


@given(lives(), st.integers(0, 10**12))
def test_a_clock_that_goes_back_promotes_nothing(moments: list[MOMENT], back_ms: int) -> None:
    *_, (_, state, (plan, observation, now_ms, _)) = live(moments)
    after = step(replace(plan, primary=state.candidate or state.stable), state, observation, now_ms - back_ms)
    if state.candidate is not None and back_ms > 0 and after.candidate is not None:
        assert (after.step, after.held_ms) == (state.step, state.held_ms)


@given(lives())
def test_shares_are_none_or_what_the_step_says(moments: list[MOMENT]) -> None:
    for _, after, (plan, _, _, _) in live(moments):
        told = shares(plan, after)
        if after.phase in RUNNING and plan.steps:
            at = plan.steps[min(after.step, len(plan.steps)) - 1]
            assert (told.traffic, told.shadow) == (at.traffic, at.shadow)
        else:
            assert (told.candidate, told.traffic, told.shadow) == (None, 0, 0)


@given(lives())
def test_a_restart_at_any_point_changes_nothing(moments: list[MOMENT]) -> None:
    state: State | None = None
    for plan, observation, now_ms, order in moments:
        on = step(plan, state, observation, now_ms, order)
        again = None if state is None else decode(encode(state))
        assert step(plan, again, observation, now_ms, order) == on
        state = on


@given(lives())
def test_flipping_back_to_stable_or_previous_is_immediate(moments: list[MOMENT]) -> None:
    for _, after, (plan, observation, now_ms, _) in live(moments):
        for target in (after.stable, after.previous):
            if target is not None:
                back = step(replace(plan, primary=target, reachable=True), after, observation, now_ms)
                assert (back.phase, back.stable, back.candidate) == (Phase.STABLE, target, None)


@given(lives())
def test_a_target_that_was_sent_back_does_not_serve_until_it_is_asked_for_anew(moments: list[MOMENT]) -> None:
    for before, after, (plan, _, _, order) in live(moments):
        if before is None or before.refused is None or order is not None or plan.primary != before.refused:
            continue
        assert (after.refused, after.stable) == (before.refused, before.stable)


@given(lives())
def test_inconclusive_and_error_move_nothing(moments: list[MOMENT]) -> None:
    for before, after, (plan, _, _, order) in live(moments):
        if before is None or order is not None or not after.verdicts or after.verdicts == before.verdicts:
            continue
        if after.verdicts[-1].outcome in {Outcome.INCONCLUSIVE, Outcome.ERROR} and before.candidate == plan.primary:
            assert (after.step, after.stable, shares(plan, after)) == (before.step, before.stable, shares(plan, before))


@given(plans(always_reachable=True), st.booleans())
def test_every_rollout_ends_under_a_fair_clock(plan: Plan, good: bool) -> None:
    plan = replace(plan, primary="p/new")
    state = step(plan, step(replace(plan, primary="p/old"), None, Observation(), 0), Observation(), 0)
    counted = Tally(candidate=ArmCounts(attempts=100, failed=0 if good else 50))
    for look in range(1, 60):
        awaits = state.phase is Phase.AWAITING_PROMOTION
        order = Order(act=Act.PROMOTE, mark=str(look)) if awaits else None
        state = step(plan, state, Observation(counted=counted), look * INTERVAL, order)
    assert state.phase is (Phase.STABLE if good or not plan.steps else Phase.ROLLED_BACK)
    assert state.stable == ("p/new" if good or not plan.steps else "p/old")


@times(4)
@given(lives())
def test_every_transition_is_in_the_table_that_people_read(moments: list[MOMENT]) -> None:
    edges = {(Phase(one), Phase(other)) for one, _, other in TABLE}
    state: State | None = None
    for plan, observation, now_ms, order in moments:
        asked = ask(plan, state, now_ms)
        ordered = ask(plan, asked, now_ms, order)
        seen = step(plan, ordered, observation, now_ms)
        phases = [one.phase for one in (state, asked, ordered, seen) if one is not None]
        hops = {(one, other) for one, other in pairwise(phases) if one is not other and other is not Phase.STABLE}
        assert hops <= edges, hops - edges
        state = seen
