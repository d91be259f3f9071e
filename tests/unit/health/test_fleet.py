"""Endpoints and regions together: what each kind of endpoint does, and what is told of it."""

from dataclasses import replace

import pytest

from fairlead.health.endpoint import Cause, Endpoint, Probe, State, Traffic
from fairlead.health.fleet import Fleet, judge, shares, transitions
from fairlead.health.region import DrainKind, DrainOrder
from fairlead.statuses import Failure
from health_stage import DEAD, OK, REFUSED, WELL, Behaviour, Stage, endpoint

I = 10_000  # noqa: E741  as the documents call it


def played(endpoints: list[Endpoint], dead: tuple[str, ...], seconds: int = 60, *drains: DrainOrder) -> Fleet:
    def script(name: str, second: int) -> Behaviour:
        return DEAD if name.startswith(dead) and second > 20 else WELL

    return Stage(endpoints=endpoints, script=script, drains=drains).run(seconds).fleet


def test_a_region_with_a_gateway_and_no_endpoint_is_no_region_of_health() -> None:
    order = DrainOrder(kind=DrainKind.REGION, name="ap-south-1", began_ms=0, until_ms=100_000)
    fleet = played([endpoint("a/us")], ("none",), 60, order)
    assert set(fleet.regions) == {"us-east-1"}
    assert shares(fleet) == {}


def test_an_anycast_endpoint_belongs_to_no_region_and_goes_down_alone() -> None:
    fleet = played([endpoint("a/any", ""), endpoint("b/us"), endpoint("b/eu", "eu-west-1")], ("a/any",))
    assert shares(fleet) == {"a/any": 0}
    assert not any(one.down for one in fleet.regions.values())


def test_of_a_spread_over_two_endpoints_of_one_region_one_goes_down_alone() -> None:
    pair = [endpoint("a/one"), endpoint("a/two"), endpoint("a/eu", "eu-west-1")]
    fleet = played(pair, ("a/one",))
    assert shares(fleet) == {"a/one": 0}
    assert not fleet.regions["us-east-1"].down, "half is not more than half"


def test_a_region_is_down_when_most_endpoints_of_most_of_its_providers_are() -> None:
    here = [endpoint(name) for name in ("a/1", "a/2", "a/3", "b/1", "c/1")]
    far = [endpoint(f"{name}/eu", "eu-west-1") for name in ("a", "b", "c", "d", "e", "f")]
    one = played([*here, *far], ("a/1", "a/2"))
    assert not one.regions["us-east-1"].down, "one of three providers"
    two = played([*here, *far], ("a/1", "a/2", "b/1"))
    assert two.regions["us-east-1"].down
    assert two.regions["us-east-1"].reason == "most endpoints of a, b there are down"
    assert {name: two.endpoints[name].state for name in ("a/3", "c/1")} == {"a/3": "Healthy", "c/1": "Healthy"}
    assert {two.endpoints[name].reason for name in ("a/3", "c/1")} == {Cause.REGION_DOWN}
    assert shares(two) == dict.fromkeys(("a/1", "a/2", "a/3", "b/1", "c/1"), 0)


def test_a_region_is_drained_with_all_that_is_there() -> None:
    order = DrainOrder(kind=DrainKind.REGION, name="us-east-1", began_ms=10_000, until_ms=40_000)
    all_of_it = [endpoint("a/us"), endpoint("b/us"), endpoint("a/eu", "eu-west-1"), endpoint("a/any", "")]
    during, after = played(all_of_it, ("none",), 30, order), played(all_of_it, ("none",), 200, order)
    assert shares(during) == {"a/us": 0, "b/us": 0}
    assert {during.endpoints[name].state for name in ("a/us", "b/us")} == {State.DRAINED}
    assert during.endpoints["a/us"].message == "drained until 1970-01-01T00:00:40Z"
    assert shares(after) == {}


def test_what_dies_while_it_is_drained_stays_away_when_the_drain_ends() -> None:
    order = DrainOrder(kind=DrainKind.ENDPOINT, name="a/us", began_ms=10_000, until_ms=100_000)
    fleet = played([endpoint("a/us"), endpoint("a/eu", "eu-west-1"), endpoint("b/us")], ("a/us",), 110, order)
    assert (fleet.endpoints["a/us"].state, fleet.endpoints["a/us"].share) == (State.DOWN, 0)


def test_a_drain_that_is_undone_on_its_way_comes_back_from_where_it_was() -> None:
    order = DrainOrder(kind=DrainKind.ENDPOINT, name="a/us", began_ms=0, until_ms=10 * I, over_ms=6 * I)
    one = [endpoint("a/us")]
    drained = judge(one, Fleet(), drains=[order], now_ms=I)
    undone = judge(one, drained, now_ms=2 * I)
    assert (drained.endpoints["a/us"].share, undone.endpoints["a/us"].share) == (50, 50)
    assert undone.endpoints["a/us"].state is State.RECOVERING


def test_a_drain_ends_at_the_first_look_after_an_absence() -> None:
    order = DrainOrder(kind=DrainKind.ENDPOINT, name="a/us", began_ms=0, until_ms=10 * I)
    drained = judge([endpoint("a/us")], Fleet(), drains=[order], now_ms=I)
    back = judge([endpoint("a/us")], drained, drains=[order], now_ms=5_000 * I)
    assert (back.endpoints["a/us"].state, back.endpoints["a/us"].share) == (State.RECOVERING, 10)


def test_of_a_time_in_which_nobody_looked_nothing_is_concluded() -> None:
    one = [endpoint("a/us")]
    fleet = Fleet()
    for number in (1, 2):
        bad = Probe(endpoint="a/us", began_ms=number * I, ended_ms=number * I, failure=Failure.TIMED_OUT)
        fleet = judge(one, fleet, probes=[bad], now_ms=number * I)
    absent_ms = 10_000 * I
    back = judge(one, fleet, now_ms=absent_ms)
    assert shares(back) == {"a/us": 0}
    again = judge(
        one,
        back,
        probes=[Probe(endpoint="a/us", began_ms=absent_ms, ended_ms=absent_ms, failure=Failure.TIMED_OUT)],
        now_ms=absent_ms + 1,
    )
    assert shares(judge(one, again, now_ms=absent_ms + 4 * I)) == {"a/us": 0}
    looking = judge(one, back, now_ms=absent_ms + 3 * I)
    assert shares(judge(one, looking, now_ms=absent_ms + 5 * I)) == {"a/us": 10}, "nothing is told although one looks"


def test_probes_that_end_together_are_one_judgement() -> None:
    bad = [Probe(endpoint="a/us", began_ms=at, ended_ms=at, failure=Failure.TIMED_OUT) for at in (1 * I, 2 * I)]
    at_once = judge([endpoint("a/us")], Fleet(), probes=bad[::-1], now_ms=2 * I)
    one_by_one = judge(
        [endpoint("a/us")], judge([endpoint("a/us")], Fleet(), probes=bad[:1], now_ms=I), probes=bad[1:], now_ms=2 * I
    )
    assert at_once.endpoints == one_by_one.endpoints
    assert shares(at_once) == {"a/us": 0}


def test_a_probe_that_comes_late_or_twice_is_heard_once() -> None:
    bad = Probe(endpoint="a/us", began_ms=I, ended_ms=I, failure=Failure.TIMED_OUT)
    fleet = judge([endpoint("a/us")], Fleet(), probes=[bad, bad], now_ms=I)
    fleet = judge([endpoint("a/us")], fleet, probes=[bad], now_ms=2 * I)
    assert shares(fleet) == {}
    assert fleet.records["a/us"].row.bad == 1


def test_a_clock_that_is_set_back_freezes_nothing() -> None:
    one = [endpoint("a/us")]
    ahead = 1_000_000 * I
    fleet = Fleet()
    for number in (1, 2):
        at = ahead + number * I
        fleet = judge(
            one,
            fleet,
            probes=[Probe(endpoint="a/us", began_ms=at, ended_ms=at, failure=Failure.TIMED_OUT)],
            now_ms=at,
        )
    assert shares(fleet) == {"a/us": 0}
    for number in range(1, 15):
        at = number * I
        fleet = judge(one, fleet, probes=[Probe(endpoint="a/us", began_ms=at, ended_ms=at, failure=None)], now_ms=at)
    assert shares(fleet) == {}


def test_transitions_name_endpoints_and_regions() -> None:
    before = judge([endpoint("a/us")], Fleet(), now_ms=0)
    dead = [Traffic(endpoint="a/us", target="a/us/m", region="us-east-1", outcomes={REFUSED: 10})]
    after = judge([endpoint("a/us")], before, traffic=dead, now_ms=1)
    found = [(one.subject, one.is_region, one.before, one.after, one.share_after) for one in transitions(before, after)]
    assert found == [
        ("a/us", False, State.UNKNOWN, State.DOWN, 0),
        ("us-east-1", True, State.HEALTHY, State.DOWN, 0),
    ]
    assert transitions(after, after) == ()


@pytest.mark.parametrize("threshold", [1, 2, 5])
def test_it_is_down_after_as_many_failed_probes_as_are_written(threshold: int) -> None:
    one = [endpoint("a/us", unhealthy_threshold=threshold)]
    fleet = Fleet()
    for number in range(1, threshold + 1):
        at = number * I
        assert shares(fleet) == {}
        fleet = judge(
            one,
            fleet,
            probes=[Probe(endpoint="a/us", began_ms=at, ended_ms=at, failure=Failure.SERVER_ERROR, status=503)],
            now_ms=at,
        )
    assert (fleet.endpoints["a/us"].state, fleet.endpoints["a/us"].message) == (State.DOWN, "answers 503")


@pytest.mark.parametrize("threshold", [1, 2, 5])
def test_it_returns_after_as_many_good_probes_as_are_written(threshold: int) -> None:
    one = [endpoint("a/us", unhealthy_threshold=1, healthy_threshold=threshold)]
    bad = Probe(endpoint="a/us", began_ms=I, ended_ms=I, failure=Failure.TIMED_OUT)
    fleet = judge(one, Fleet(), probes=[bad], now_ms=I)
    for number in range(threshold):
        at = (number + 2) * I
        assert shares(fleet) == {"a/us": 0}
        fleet = judge(one, fleet, probes=[Probe(endpoint="a/us", began_ms=at, ended_ms=at, failure=None)], now_ms=at)
    assert shares(fleet) == {"a/us": 10}


def test_good_traffic_that_reaches_an_endpoint_that_is_down_brings_it_back_without_probes() -> None:
    one = [endpoint("a/us", probed=False)]
    dead = [Traffic(endpoint="a/us", target="a/us/m", region="us-east-1", outcomes={REFUSED: 10})]
    well = [replace(dead[0], outcomes={OK: 10})]
    fleet = judge(one, Fleet(), traffic=dead, now_ms=I)
    assert shares(judge(one, fleet, traffic=well, now_ms=2 * I)) == {"a/us": 10}
