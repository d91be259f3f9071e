"""`fairlead rollout` beside a state folder: what it shows, what it refuses, how an order is given and answered."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import run

from fairlead.adapters.lock import StateLock
from fairlead.cli import rollout as command
from fairlead.cli import rollout_view
from fairlead.rollout import machine
from fairlead.rollout.observation import Act, Observation, Order
from fairlead.rollout.plan import Bounds, Plan, Step
from fairlead.rollout.state import State
from fairlead.rollout.tally import ArmCounts, Tally
from fairlead.standalone import rollout_orders
from fairlead.standalone.state import StateFolder
from fairlead.standalone.status_document import decode
from fairlead.status import rollout

ROUTE = "team/chat"
OTHERS = ("regions", "drainedRegions", "consumers", "objects", "diagnostics", "endpoints", "failing")
OLD = Plan(primary="p/old")
NEW = Plan(
    primary="p/new",
    steps=(Step(traffic=1_000, hold_ms=3_600_000), Step(traffic=5_000)),
    bounds=Bounds(error_rate=0.01, interval_ms=30_000),
)


def started(attempts: int = 40, failed: int = 0) -> State:
    state = machine.ask(NEW, machine.ask(OLD, None, 0), 0)
    mine = ArmCounts(
        attempts=attempts,
        failed=failed,
        unended=attempts // 40,
        first_bytes={250.0: 40},
        input_tokens=1_000,
        nano_usd=2_000_000,
        finish_reasons={"stop": 36, "length": 4},
    )
    stable = ArmCounts(attempts=360, failed=1, nano_usd=36_000_000)
    return machine.step(NEW, state, Observation(counted=Tally(candidate=mine, stable=stable)), 30_000)


def entry(state: State, cohort: str = "") -> dict[str, Any]:
    return {
        "route": ROUTE,
        **rollout.standing(NEW, state),
        "degraded": rollout.is_degraded(state),
        "order": state.done,
        "declined": state.declined,
        "cohort": cohort,
        "progress": rollout.progress(NEW, state),
    }


def say(folder: Path, *states: State) -> None:
    """Write what `up` would."""
    document: dict[str, Any] = {
        **{one: [] for one in OTHERS},
        "rollouts": [entry(state) for state in states],
    }
    decode(document)
    StateFolder(root=folder).status.write_text(json.dumps(document))


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Path]:
    """Hold a state folder as a running `fairlead up` does."""
    with StateLock(tmp_path):
        say(tmp_path, started())
        yield tmp_path


def test_both_arms_stand_side_by_side(tmp_path: Path) -> None:
    say(tmp_path, started())
    told = run("rollout", "status", ROUTE, "--state", tmp_path)
    assert told.exit_code == 0, told.output
    assert told.output.splitlines() == [
        "team/chat  Progressing (Started) since 1970-01-01T00:00:00Z",
        "  [###############...............] step 1 of 2  10% to p/new",
        "  40 of 100 requests that a verdict needs",
        "                            p/old                 p/new",
        "  requests                    360                    40",
        "  failed                        1                     0",
        "  error rate                0.28%                 0.00%",
        "  no whole answer           0.28%                 2.50%",
        "  first byte p95, ms            -                   250",
        "  USD per request     0.000100279           0.000050000",
        "  tokens per request            0                    25",
        "  ended with                    -  10% length, 90% stop",
        "  1970-01-01T00:00:30Z  Inconclusive: 40 of 100 requests that a verdict needs",
        "  waits for 59m 30s of its hold and 60 requests at the candidate, about 45s at this rate",
        "  this step takes about 59m 30s yet",
    ]


def test_what_was_sent_back_is_red_and_says_what_git_asks(tmp_path: Path) -> None:
    say(tmp_path, started(5, 5))
    told = run("rollout", "status", ROUTE, "--state", tmp_path)
    assert (told.exit_code, "Git asks for p/new, p/old serves: 5 of 5" in told.output) == (1, True)
    overall = run("status", "--state", tmp_path)
    assert "rollout team/chat RolledBack" in overall.output


def test_a_declined_order_has_a_line_of_its_own(tmp_path: Path) -> None:
    say(tmp_path, machine.ask(NEW, started(), 40_000, Order(act=Act.RESUME, mark="1")))
    told = run("rollout", "status", ROUTE, "--state", tmp_path).output.splitlines()
    assert told[2:4] == ["  40 of 100 requests that a verdict needs", "  last order: cannot resume: Progressing"]


def test_the_words_of_the_contract_are_there_for_machines(tmp_path: Path) -> None:
    say(tmp_path, started())
    one = json.loads(run("rollout", "status", ROUTE, "--state", tmp_path, "-o", "json").output)
    assert one == entry(started())
    assert json.loads(run("rollout", "status", "--state", tmp_path, "-o", "json").output) == [one]


def test_a_view_ends_when_nothing_is_under_way(tmp_path: Path) -> None:
    say(tmp_path, started(5, 5))
    assert run("rollout", "status", "--watch", "--state", tmp_path).exit_code == 1
    assert run("rollout", "status", "--watch", "-o", "json", "--state", tmp_path).exit_code == 2


def test_where_there_is_none_it_says_so(tmp_path: Path) -> None:
    say(tmp_path)
    assert run("rollout", "status", "--state", tmp_path).output == "no route has a rollout\n"
    assert "is not there, or has no rollout" in run("rollout", "status", ROUTE, "--state", tmp_path).output
    assert run("rollout", "abort", "chat", "--state", tmp_path).exit_code == 2
    assert run("rollout", "abort", ROUTE, "--state", tmp_path, "--context", "there").exit_code == 2


def test_nothing_is_ordered_where_nobody_would_carry_it_out(tmp_path: Path) -> None:
    say(tmp_path, started())
    told = run("rollout", "abort", ROUTE, "--state", tmp_path)
    assert (told.exit_code, "`fairlead up` does not run, so nothing was ordered" in told.output) == (1, True)
    assert not StateFolder(root=tmp_path).rollout_orders.exists()


@pytest.mark.parametrize("act", Act)
def test_an_order_is_given_once_and_its_answer_is_told(running: Path, act: Act) -> None:
    folder = StateFolder(root=running)
    ended = threading.Event()

    def answer() -> None:
        while not (orders := rollout_orders.read(folder)) and not ended.wait(0.01):
            pass
        say(running, machine.ask(NEW, started(), 40_000, orders[ROUTE]))

    answering = threading.Thread(target=answer)
    answering.start()
    try:
        told = run("rollout", act.value, ROUTE, "--state", running)
    finally:
        ended.set()
        answering.join()
    order = rollout_orders.read(folder)[ROUTE]
    after = machine.ask(NEW, started(), 40_000, order)
    assert order.act is act
    assert told.exit_code == int(act in (Act.RESUME, Act.RETRY, Act.UNDO)), told.output
    assert told.output.startswith(f"{ROUTE}: {after.declined or after.phase}")


def test_two_orders_are_two(running: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "PATIENCE_S", 0.0)
    marks = set()
    for _ in range(2):
        told = run("rollout", "pause", ROUTE, "--state", running)
        assert (told.exit_code, "has not answered" in told.output) == (1, True)
        marks.add(rollout_orders.read(StateFolder(root=running))[ROUTE].mark)
    assert len(marks) == 2


def test_an_order_for_another_route_stays(running: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "PATIENCE_S", 0.0)
    other = Order(act=Act.PAUSE, mark="1")
    rollout_orders.write(StateFolder(root=running), {"team/other": other})
    run("rollout", "abort", ROUTE, "--state", running)
    assert rollout_orders.read(StateFolder(root=running))["team/other"] == other


def test_a_damaged_file_of_orders_stops_no_order(running: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "PATIENCE_S", 0.0)
    StateFolder(root=running).rollout_orders.write_text("xx")
    told = run("rollout", "abort", ROUTE, "--state", running)
    assert "rollout-orders.json: got something that Fairlead did not write" in told.output
    assert "written anew with this order alone" in told.output
    assert rollout_orders.read(StateFolder(root=running))[ROUTE].act is Act.ABORT


@pytest.mark.parametrize(("step", "filled"), [(0, 0), (1, 10), (2, 20), (3, 30)])
def test_the_bar_grows_with_the_steps(step: int, filled: int) -> None:
    assert rollout_view.bar(step, 3).count("#") == filled
