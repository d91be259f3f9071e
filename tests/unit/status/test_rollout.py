"""What is said of a rollout: the words that machines read, and the sentences."""

from dataclasses import replace

import pytest

from fairlead.rollout import machine
from fairlead.rollout.forecast import forecast
from fairlead.rollout.observation import Act, Observation, Order
from fairlead.rollout.plan import Bounds, Plan, Step
from fairlead.rollout.state import State
from fairlead.rollout.tally import ArmCounts, Tally
from fairlead.status import rollout

HOUR = 3_600_000
OLD = Plan(primary="p/old")
NEW = Plan(
    primary="p/new",
    steps=(Step(shadow=500, hold_ms=HOUR), Step(traffic=100, hold_ms=HOUR), Step(traffic=5_000)),
    bounds=Bounds(error_rate=0.01, min_requests=100, interval_ms=30_000),
)


def started() -> State:
    return machine.ask(NEW, machine.ask(OLD, None, 0), 0)


def counted(state: State, attempts: int, failed: int = 0, *, after_ms: int = 30_000) -> State:
    mine = ArmCounts(attempts=attempts, failed=failed, nano_usd=2_000 * (attempts - failed))
    seen = Observation(counted=Tally(candidate=mine, stable=ArmCounts(attempts=1_000)))
    return machine.step(NEW, state, seen, state.clock_ms + after_ms)


def ordered(state: State, act: Act, plan: Plan = NEW) -> State:
    return machine.ask(plan, state, state.clock_ms, Order(act=act, mark=f"{act} {state.clock_ms} {state.step}"))


def test_the_words_are_those_of_the_contract() -> None:
    told = rollout.standing(NEW, counted(started(), 40))
    assert list(told) == [
        *("phase", "reason", "step", "steps", "traffic", "shadow", "stable", "candidate", "previous", "since"),
        *("verdicts", "message"),
    ]
    assert (told["phase"], told["step"], told["steps"]) == ("Progressing", 1, 3)
    assert (told["traffic"], told["shadow"], told["since"]) == ("0%", "5%", "1970-01-01T00:00:00Z")
    assert told["verdicts"] == [
        {
            "outcome": "Inconclusive",
            "measure": "Requests",
            "message": "40 of 100 requests that a verdict needs",
            "at": "1970-01-01T00:00:30Z",
        }
    ]


def test_both_arms_and_the_time_that_is_left_are_told() -> None:
    state = counted(started(), 40, 1)
    mine = replace(
        state.tally.candidate,
        unended=2,
        input_tokens=1_000,
        output_tokens=170,
        finish_reasons={"stop": 27, "length": 9},
    )
    told = rollout.progress(NEW, replace(state, tally=replace(state.tally, candidate=mine)))
    assert told["candidate"] == {
        "requests": 40,
        "failed": 1,
        "errorRate": "2.50%",
        "worseRate": "7.50%",
        "firstByteP95Ms": None,
        "usdPerRequest": "0.000002000",
        "tokensPerRequest": 30,
        "finishReasons": [{"reason": "length", "share": "25%"}, {"reason": "stop", "share": "75%"}],
    }
    assert told["stable"]["requests"] == 1_000
    assert (told["holdLeftSeconds"], told["leftSeconds"]) == (3570, 3570)
    assert told["waitsFor"] == "59m 30s of its hold and 60 requests at the candidate, about 45s at this rate"


def test_where_nothing_comes_no_time_is_made_up() -> None:
    told = rollout.progress(NEW, counted(started(), 0))
    assert told["leftSeconds"] is None
    assert "100 requests at the candidate, which has had none in this step" in told["waitsFor"]


def test_a_slow_rate_outlasts_the_hold() -> None:
    ahead = forecast(NEW, counted(started(), 1, after_ms=HOUR // 2))
    assert ahead is not None
    assert ahead.left_ms == ahead.requests_ms == 99 * HOUR // 2


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (started(), "Progressing (Started), step 1 of 3, 5% copied to p/new beside p/old"),
        (ordered(started(), Act.PROMOTE), "Progressing (ByHand), step 2 of 3, 1% of traffic to p/new beside p/old"),
        (
            ordered(started(), Act.PAUSE),
            "Paused (ByHand), step 1 of 3, 5% copied to p/new beside p/old: paused by hand",
        ),
        (
            counted(started(), 5, 5),
            "RolledBack (BoundBroken): Git asks for p/new, p/old serves: 5 of 5 requests failed (100.0%), 1.0% may",
        ),
        (
            ordered(started(), Act.ABORT),
            "Aborted (ByHand): Git asks for p/new, p/old serves: aborted by hand",
        ),
    ],
)
def test_a_sentence_says_who_serves_and_what_git_asks(state: State, said: str) -> None:
    assert rollout.sentence(NEW, state) == said


def test_an_order_that_was_not_carried_out_is_no_part_of_what_is_now() -> None:
    back = counted(started(), 5, 5)
    declined = ordered(back, Act.PAUSE)
    assert declined.declined == "cannot pause: RolledBack"
    assert rollout.message(declined) == rollout.message(back)
    assert rollout.message(back).endswith("5 of 5 requests failed (100.0%), 1.0% may")


def test_what_git_asks_and_does_not_get_is_degraded_until_it_is_asked_otherwise() -> None:
    back = counted(started(), 5, 5)
    assert rollout.is_degraded(back)
    assert not rollout.is_degraded(machine.ask(OLD, back, 1))
    assert rollout.is_worth_saying(OLD, back)
    assert not rollout.is_worth_saying(OLD, machine.ask(OLD, None, 0))


@pytest.mark.parametrize(
    ("state", "waits"),
    [
        (ordered(started(), Act.PAUSE), "resume"),
        (ordered(ordered(started(), Act.PROMOTE), Act.PROMOTE), "fairlead rollout promote"),
        (counted(started(), 5, 5), "fairlead rollout retry"),
        (replace(counted(started(), 100), held_ms=HOUR), "the next verdict"),
    ],
)
def test_it_says_why_it_waits(state: State, waits: str) -> None:
    assert waits in rollout.waits_for(state, forecast(NEW, state))


@pytest.mark.parametrize(
    ("milliseconds", "written"),
    [(0, "0s"), (1, "1s"), (61_000, "1m 1s"), (HOUR, "1h"), (25 * HOUR + 59_000, "1d 1h"), (24 * HOUR, "1d")],
)
def test_durations_have_two_units(milliseconds: int, written: str) -> None:
    assert rollout.duration(milliseconds) == written
