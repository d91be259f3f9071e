"""Rollouts from one look to the next: plans, orders and counts in, shares out."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from fairlead.errors import AnswerError
from fairlead.rollout.machine import Shares
from fairlead.rollout.observation import Act, Order
from fairlead.rollout.plan import Bounds, Plan, Query, Source, Step
from fairlead.rollout.state import Phase, Reason, State, decode
from fairlead.rollout.tally import ArmCounts
from fairlead.rollout.verdict import Outcome
from fairlead.runtime.measurements import expression
from fairlead.runtime.readings import GatewayPlace
from fairlead.runtime.rollouts import Candidate, Change, Ground, RolloutWatch
from fast_clock import FastClock
from served_targets import gateways, target

ROUTE = "team/chat"
OLD = Plan(primary="p/old")
NEW = Plan(
    primary="p/new",
    steps=(Step(traffic=100, hold_ms=60_000), Step(traffic=5_000)),
    bounds=Bounds(error_rate=0.01, min_requests=20, interval_ms=30_000),
)
GROUND = Ground(
    places=[GatewayPlace(name="eu-1", region="eu", address="1")],
    served=gateways(target("p/e/old"), target("p/e/new")),
    prices={},
    health={},
)


class Metrics:
    """A gateway whose candidate has so many attempts, of which so many failed."""

    def __init__(self) -> None:
        self.well, self.failed, self.asked, self.target = 0, 0, 0, "p/e/new"
        self.meanwhile: Callable[[], object] = lambda: None
        """What happens while it is read."""

    async def read(self, address: str, *, only: str) -> str:
        assert address
        assert only
        self.asked += 1
        self.meanwhile()
        form = 'envoy_fairlead_attempt_total{arm="@team/chat/1-candidate",target="%s",code="%d",flags="-"} %d'
        return "\n".join((form % (self.target, 200, self.well), form % (self.target, 500, self.failed)))


class World:
    def __init__(self) -> None:
        self.clock = FastClock()
        self.metrics = Metrics()
        self.watch = RolloutWatch(self.clock)

    def ask(self, plan: Plan, order: Order | None = None) -> tuple[Change, ...]:
        return self.watch.take_in({ROUTE: plan}, {} if order is None else {ROUTE: order})

    def look(self, *, well: int = 0, failed: int = 0, ground: Ground = GROUND) -> tuple[Change, ...]:
        self.metrics.well += well
        self.metrics.failed += failed
        self.clock.ahead(30)
        return asyncio.run(self.watch.look(self.metrics, ground))

    def started(self) -> None:
        self.ask(OLD)
        self.ask(NEW)
        self.look()  # the first reading says nothing


def test_what_is_written_serves_nobody_before_the_machine_has_seen_it() -> None:
    world = World()
    assert world.ask(OLD)[0].after.phase is Phase.STABLE
    (change,) = world.ask(NEW)
    assert (change.after.phase, change.after.candidate) == (Phase.PROGRESSING, "p/new")
    assert world.watch.shares == {ROUTE: Shares(stable="p/old", candidate="p/new", traffic=100)}


def test_nothing_is_read_while_nothing_rolls_out() -> None:
    world = World()
    world.ask(OLD)
    assert world.look() == ()
    assert (world.metrics.asked, world.watch.due_ms()) == (0, None)


def test_a_candidate_with_an_odd_name_is_counted() -> None:
    world, served = World(), target("p/e/new%20%5B1m%5D")
    world.metrics.target = served.name
    world.ask(OLD)
    world.ask(replace(NEW, primary="p/new [1m]"))
    ground = replace(GROUND, served=gateways(target("p/e/old"), served))
    world.look(ground=ground)
    (change,) = world.look(well=50, ground=ground)
    assert (change.after.candidate, change.after.step) == ("p/new [1m]", 2)


def test_good_counts_take_it_on_and_bad_ones_back() -> None:
    world = World()
    world.started()
    (change,) = world.look(well=50)
    assert (change.after.step, change.after.reason) == (2, Reason.STEPPED)
    (change,) = world.look(well=5, failed=20)
    assert (change.after.phase, world.watch.shares) == (
        Phase.ROLLED_BACK,
        {ROUTE: Shares(stable="p/old", candidate=None)},
    )


def test_a_restart_goes_on_where_it_was() -> None:
    world = World()
    world.started()
    kept = json.loads(json.dumps(world.watch.document))
    again = RolloutWatch(world.clock, {route: decode(one) for route, one in kept.items()})
    assert again.states == world.watch.states
    assert again.take_in({ROUTE: NEW}, {}) == ()
    assert again.states[ROUTE].step_since_ms == world.watch.states[ROUTE].step_since_ms


def test_a_route_that_is_restored_does_not_jump() -> None:
    world = World()
    world.started()
    world.watch.take_in({}, {})
    assert world.watch.shares == {ROUTE: Shares(stable="p/old", candidate=None)}
    world.ask(NEW)
    assert world.watch.states[ROUTE].stable == "p/old"


def test_an_order_is_carried_out_once() -> None:
    world = World()
    world.started()
    order = Order(act=Act.ABORT, mark="1")
    assert world.ask(NEW, order)[0].after.phase is Phase.ABORTED
    assert world.ask(NEW, order) == ()


def test_what_fails_at_an_endpoint_that_is_down_is_not_the_candidates() -> None:
    world = World()
    world.started()
    down = replace(GROUND, health={ROUTE: Candidate(down=True)})
    (change,) = world.look(failed=20, ground=down)
    assert (change.after.phase, change.after.reason) == (Phase.PAUSED, Reason.INCONCLUSIVE)


def test_a_rollout_that_begins_is_counted_from_then_on() -> None:
    world = World()
    world.ask(OLD)
    world.metrics.well, world.metrics.failed = 1_000, 1_000  # long before
    world.ask(NEW)
    due_ms = world.watch.due_ms()
    assert due_ms is not None
    assert due_ms <= world.clock.now().timestamp() * 1000, "at once, not after an interval"
    asyncio.run(world.watch.look(world.metrics, GROUND))
    (change,) = world.look(well=5, failed=20)
    assert change.after.phase is Phase.ROLLED_BACK
    assert "20 of 25" in change.after.message


def test_what_was_counted_between_two_rollouts_is_nobodys() -> None:
    world = World()
    world.started()
    world.ask(OLD)
    world.look(failed=100)  # nothing rolls out: as a fallback, say
    world.ask(NEW)
    asyncio.run(world.watch.look(world.metrics, GROUND))
    assert world.look(well=50) == ()
    assert world.watch.states[ROUTE].tally.candidate == ArmCounts(attempts=50)


def test_an_edit_while_gateways_are_read_is_not_judged_by_what_was_before() -> None:
    world = World()
    world.started()
    world.metrics.meanwhile = lambda: world.ask(replace(NEW, primary="p/other"))
    assert world.look(failed=100) == ()
    assert (world.watch.states[ROUTE].candidate, world.watch.states[ROUTE].phase) == ("p/other", Phase.PROGRESSING)


def test_a_route_that_goes_while_gateways_are_read_ends_nothing() -> None:
    world = World()
    world.started()
    world.metrics.meanwhile = lambda: world.watch.take_in({}, {})
    assert world.look(failed=100) == ()
    assert world.watch.due_ms() is None


def test_a_rollout_that_is_not_asked_for_any_more_ends_at_once() -> None:
    world = World()
    world.started()
    (change,) = world.ask(Plan(primary="p/new"))
    assert (change.after.phase, change.after.stable) == (Phase.STABLE, "p/new")


class Prometheus:
    """Says one number, or that it cannot."""

    def __init__(self, said: float | str | None) -> None:
        self.said, self.asked = said, list[tuple[str, str, float]]()

    async def value(self, url: str, query: str, *, timeout_s: float) -> float | None:
        self.asked.append((url, query, timeout_s))
        if isinstance(self.said, str):
            raise AnswerError(f"{url}: {self.said}")
        return self.said


SOURCE = Source(url="http://prometheus:9090", timeout_ms=2_000)
THUMBS = Query(name="thumbs", expression='avg(thumbs{model="{{candidateModel}}",of="{{other}}"})', at_least=0.9)
MEASURED = replace(NEW, source=SOURCE, bounds=replace(NEW.bounds, queries=(THUMBS,)))


def measured(said: float | str | None, plan: Plan = MEASURED) -> tuple[World, State]:
    """Look once at a candidate that keeps every bound of the gateways, long enough for the next step."""
    world, prometheus = World(), Prometheus(said)
    world.watch = RolloutWatch(world.clock, measuring=prometheus)
    world.ask(OLD)
    world.ask(plan)
    world.look()
    world.clock.ahead(60)
    world.look(well=50)
    expected = (SOURCE.url, 'avg(thumbs{model="new",of="{{other}}"})', 2.0)
    assert set(prometheus.asked) <= {expected}
    return world, world.watch.states[ROUTE]


@pytest.mark.parametrize(
    ("said", "phase", "step", "message"),
    [
        (0.95, Phase.PROGRESSING, 2, ""),
        (0.4, Phase.ROLLED_BACK, 0, "`thumbs` is 0.4, at least 0.9 must be"),
        (None, Phase.PAUSED, 1, "`thumbs` has no data"),
        ("no answer within 2 s", Phase.PAUSED, 1, "`thumbs`: http://prometheus:9090: no answer within 2 s"),
    ],
)
def test_what_is_measured_elsewhere_can_fail_a_step_and_never_passes_one_alone(
    said: float | str | None, phase: Phase, step: int, message: str
) -> None:
    _, state = measured(said)
    assert (state.phase, state.step, state.message) == (phase, step, message)


def test_a_source_that_fails_is_an_error_and_it_goes_on_by_itself() -> None:
    world, state = measured("connection refused")
    assert (state.reason, state.verdicts[-1].outcome) == (Reason.ERROR, Outcome.ERROR)
    world.watch._measuring = Prometheus(1.0)
    world.look(well=5)
    assert world.watch.states[ROUTE].step == 2


def test_queries_that_nobody_answers_pass_nothing() -> None:
    _, state = measured(1.0, replace(MEASURED, source=None))
    assert (state.phase, state.message) == (Phase.PAUSED, "the installation names no `prometheus`")


def test_names_stand_in_a_query_as_its_strings_have_them() -> None:
    names = {"candidate": 'p/a"b\\c'}
    assert expression('x{a="{{candidate}}"}', names) == 'x{a="p/a\\"b\\\\c"}'
