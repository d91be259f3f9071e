"""One endpoint, told one thing after another: each rule by itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from fairlead.health.attempts import Outcome
from fairlead.health.endpoint import Cause, Endpoint, Probe, State, Traffic
from fairlead.health.fleet import Fleet, judge
from fairlead.statuses import Failure
from health_stage import BROKEN, OK, REFUSED, WRONG_KEY, endpoint

I = 10_000  # noqa: E741  as the documents call it


@dataclass(kw_only=True)
class Told:
    """An observer, who is told things at moments counted in I."""

    endpoints: list[Endpoint] = field(default_factory=lambda: [endpoint("a/us")])
    fleet: Fleet = field(default_factory=Fleet)

    def probe(self, at: float, *names: str, well: bool = False, took: float = 0) -> "Told":
        now_ms = int(at * I)
        failure = None if well else Failure.TIMED_OUT
        asked = [
            Probe(endpoint=name, began_ms=now_ms - int(took * I), ended_ms=now_ms, failure=failure)
            for name in names or ("a/us",)
        ]
        self.fleet = judge(self.endpoints, self.fleet, probes=asked, now_ms=now_ms)
        return self

    def traffic(self, at: float, outcomes: Mapping[Outcome, int], *, ejected: bool = False) -> "Told":
        seen = Traffic(endpoint="a/us", target="a/us/m", region="us-east-1", outcomes=outcomes, ejected=ejected)
        self.fleet = judge(self.endpoints, self.fleet, traffic=[seen], now_ms=int(at * I))
        return self

    def nothing(self, at: float) -> "Told":
        self.fleet = judge(self.endpoints, self.fleet, now_ms=int(at * I))
        return self

    def stands(self, name: str = "a/us") -> tuple[str, int]:
        health = self.fleet.endpoints[name]
        return str(health.state), health.share


def down() -> Told:
    """Down at 2 I."""
    return Told().probe(1).probe(2)


def returning() -> Told:
    """At 10 % from 4 I on."""
    found = down().probe(3, well=True).probe(4, well=True)
    assert found.stands() == ("Recovering", 10)
    return found


def test_traffic_outweighs_probes_while_more_than_three_of_four_go_well() -> None:
    well = Told().probe(1).traffic(1.5, {OK: 4, REFUSED: 1}).probe(2)
    assert well.stands() == ("Suspect", 100)
    ill = Told().probe(1).traffic(1.5, {OK: 3, REFUSED: 1}).probe(2)
    assert ill.stands() == ("Down", 0)


def test_probes_that_are_faster_than_gateways_are_read_wait_for_these() -> None:
    quick = [replace(endpoint("a/us"), interval_ms=1_000)]

    def falling() -> Told:
        return Told(endpoints=quick).traffic(0.04, {OK: 4}).probe(0.1).probe(0.2)

    assert falling().stands() == ("Suspect", 100), "nobody has read gateways since"
    assert falling().traffic(0.24, {OK: 4}).stands() == ("Suspect", 100), "they say that it serves"
    assert falling().traffic(0.24, {}).probe(0.3).traffic(0.44, {}).stands() == ("Down", 0)
    assert falling().nothing(0.4401).stands() == ("Down", 0), "and nobody reads them any more"


def test_traffic_that_went_well_long_ago_outweighs_nothing() -> None:
    told = Told().probe(1).traffic(1.5, {OK: 4}).probe(2).probe(3).probe(4)
    assert told.stands() == ("Suspect", 100)
    assert told.probe(4.6).stands() == ("Down", 0)


def test_a_single_probe_does_not_outweigh_traffic_even_where_one_is_the_threshold() -> None:
    busy = Told(endpoints=[endpoint("a/us", unhealthy_threshold=1)]).traffic(0.9, {OK: 10}).probe(1)
    assert busy.stands() == ("Suspect", 100)
    assert busy.probe(2).stands() == ("Down", 0), "and none went well since"


def test_a_return_by_good_traffic_is_not_undone_by_the_probe_that_it_outweighed() -> None:
    told = Told(endpoints=[endpoint("a/us", unhealthy_threshold=1)]).probe(1).traffic(1, {OK: 10})
    assert told.stands() == ("Recovering", 10)
    assert told.nothing(1).stands() == ("Recovering", 10)


def test_failed_probes_far_apart_are_no_row() -> None:
    assert Told().probe(1).nothing(4).probe(6.1).stands() == ("Suspect", 100)
    assert Told().probe(1).nothing(4).probe(6).stands() == ("Down", 0)


def test_a_probe_that_began_before_the_fall_says_nothing_of_the_time_after_it() -> None:
    told = Told().traffic(1, {REFUSED: 10}).probe(1.1, well=True, took=0.2).probe(2, well=True)
    assert told.stands() == ("Down", 0)
    assert told.probe(3, well=True).stands() == ("Recovering", 10)


def test_a_brown_out_leaves_ten_percent_so_that_one_hears_when_it_is_over() -> None:
    told = returning().traffic(4.5, {OK: 15, BROKEN: 5})
    assert told.stands() == ("Suspect", 10)
    assert told.traffic(8, {OK: 15, BROKEN: 5}).stands() == ("Suspect", 10)


def test_a_step_waits_for_ten_good_attempts_and_no_longer_than_evidence_counts() -> None:
    few = returning().traffic(6, {OK: 9}).probe(6.5, well=True).probe(7.5, well=True)
    assert few.stands() == ("Recovering", 10)
    assert replace(few).traffic(8, {OK: 1}).stands() == ("Recovering", 50)
    assert few.probe(8.5, well=True).probe(9.1, well=True).stands() == ("Recovering", 50)


def test_a_step_lasts_three_intervals_however_much_goes_well() -> None:
    told = returning().traffic(5, {OK: 1000})
    assert told.traffic(6.9, {OK: 1000}).stands() == ("Recovering", 10)
    assert told.traffic(7, {OK: 1000}).stands() == ("Recovering", 50)


def test_what_gateways_leave_out_does_not_return_yet() -> None:
    told = down().traffic(2.5, {}, ejected=True).probe(3, well=True).traffic(3.5, {}, ejected=True)
    assert told.probe(4, well=True).stands() == ("Down", 0)
    assert told.traffic(4.5, {}).stands() == ("Recovering", 10)


def test_a_step_in_which_gateways_leave_it_out_has_failed() -> None:
    told = returning().traffic(4.5, {OK: 3}).traffic(5, {}, ejected=True)
    assert told.stands() == ("Down", 0)
    assert told.fleet.records["a/us"].wait == 1
    assert told.fleet.endpoints["a/us"].reason is Failure.EJECTED
    told.probe(6, well=True).probe(7, well=True).traffic(8, {}, ejected=True)
    assert told.traffic(9, {}, ejected=True).stands() == ("Down", 0)
    assert told.probe(9.5, well=True).traffic(10, {}).stands() == ("Recovering", 10)


def test_one_region_that_leaves_it_out_fails_no_step() -> None:
    told = returning()
    there = Traffic(endpoint="a/us", target="a/us/m", region="eu-west-1", outcomes={OK: 5})
    here = Traffic(endpoint="a/us", target="a/us/m", region="us-east-1", ejected=True)
    told.fleet = judge(told.endpoints, told.fleet, traffic=[here, there], now_ms=5 * I)
    assert told.stands() == ("Recovering", 10)


def test_a_few_failures_in_a_return_hold_it_however_well_the_probes_are() -> None:
    told = returning().traffic(5, {BROKEN: 1})
    for at in range(6, 60):
        told.traffic(at, {}).probe(at + 0.5, well=True)
    assert told.stands() == ("Recovering", 10), "the last that was heard of it is a failure, and nobody asked since"
    assert told.traffic(60, {OK: 1}).stands() == ("Recovering", 50)


def test_a_return_ends_though_the_last_that_was_heard_is_a_failure() -> None:
    told = returning().traffic(5, {BROKEN: 1})
    for at in range(6, 120):
        told.traffic(at, {}).probe(at + 0.5, well=True)
    assert told.stands() == ("Healthy", 100)


def test_a_step_of_few_attempts_of_which_a_quarter_fails_is_not_good() -> None:
    told = returning()
    for at in range(5, 30, 2):
        told.traffic(at, {OK: 2, BROKEN: 1}).probe(at + 0.5, well=True).probe(at + 1.5, well=True)
    assert told.stands() in {("Recovering", 10), ("Suspect", 10)}


def test_what_nobody_probes_is_whole_only_after_an_attempt_that_went_well_or_a_long_silence() -> None:
    told = Told(endpoints=[endpoint("a/us", probed=False)]).traffic(1, {REFUSED: 10})
    for at in range(2, 7):
        told.traffic(at, {})
    assert told.stands() == ("Recovering", 10)
    for at in range(7, 40):
        told.traffic(at, {})
    assert told.stands() == ("Recovering", 50), "nobody has asked it since it was down"
    assert replace(told).traffic(40, {OK: 1}).stands() == ("Recovering", 100)
    for at in range(40, 130):
        told.traffic(at, {})
    assert told.stands()[1] == 100


def test_a_return_that_failed_waits_and_is_forgiven_after_ten_healthy_steps() -> None:
    told = returning().traffic(4.5, {REFUSED: 10})
    assert told.stands() == ("Down", 0)
    assert told.fleet.records["a/us"].wait == 1
    told.probe(5, well=True).probe(6, well=True).probe(7, well=True)
    assert told.stands() == ("Down", 0), "a step has not passed"
    for at in range(8, 18):
        told.probe(at, well=True)
    assert told.stands() == ("Healthy", 100)
    for at in range(18, 47):
        told.probe(at, well=True)
    assert told.fleet.records["a/us"].wait == 1
    assert told.probe(47, well=True).fleet.records["a/us"].wait == 0


def four() -> list[Endpoint]:
    eu = "eu-west-1"
    return [endpoint("a/us"), endpoint("b/us"), endpoint("a/eu", eu), endpoint("b/eu", eu)]


def test_half_of_all_that_fail_at_once_are_believed() -> None:
    told = Told(endpoints=four()).probe(0.5, "a/us", "b/us", "a/eu", "b/eu", well=True).probe(1, "a/us", "a/eu")
    assert told.fleet.probes_unreliable_since_ms is None
    assert told.probe(1.1, "b/us").fleet.probes_unreliable_since_ms == 1.1 * I


def test_what_probes_moved_before_it_was_clear_that_they_are_cut_off_is_taken_back() -> None:
    quick = [replace(one, unhealthy_threshold=1) for one in four()]
    told = Told(endpoints=quick).probe(0.5, "a/us", "b/us", "a/eu", "b/eu", well=True).probe(1, "a/us", "a/eu")
    assert {told.stands(name) for name in ("a/us", "a/eu")} == {("Down", 0)}
    told.probe(1.1, "b/us")
    assert {told.stands(name) for name in ("a/us", "b/us", "a/eu")} == {("Suspect", 100)}
    assert told.fleet.endpoints["a/us"].reason is Cause.PROBES_UNRELIABLE


def test_what_was_down_before_stays_down_when_probes_become_unreliable() -> None:
    told = Told(endpoints=four()).probe(0.5, "b/us", "a/eu", "b/eu", well=True).probe(1, "a/us").probe(2, "a/us")
    told.probe(2.5, "b/us", "a/eu", "b/eu")
    assert told.fleet.probes_unreliable_since_ms is not None
    assert told.stands() == ("Down", 0)


def test_nobody_who_stopped_asking_is_cut_off_for_ever() -> None:
    told = Told(endpoints=four()).probe(1, "a/us", "b/us", "a/eu", "b/eu")
    assert told.fleet.probes_unreliable_since_ms is not None
    told.endpoints = [replace(one, probed=False) for one in four()]
    assert told.nothing(2).fleet.probes_unreliable_since_ms is None
    assert {told.stands(one.name)[0] for one in four()} == {State.UNKNOWN}


def test_an_endpoint_of_which_gateways_leave_out_one_model_comes_no_further_without_ten_good_answers() -> None:
    told = Told(endpoints=[replace(endpoint("a/us"), models=2)]).traffic(1, {WRONG_KEY: 10}, ejected=True)
    for at in range(2, 12):
        told.traffic(at, {}, ejected=True).probe(at + 0.5, well=True)
    assert told.stands() == ("Down", 0), "that no attempt comes there is no good evidence"
    for at in range(12, 40):
        told.traffic(at, {}).probe(at + 0.5, well=True)
    assert told.stands() == ("Recovering", 10), "nor does a probe without the key say that the key is taken again"
    assert told.traffic(40, {OK: 10}).stands() == ("Recovering", 50)


def test_a_step_in_which_gateways_leave_it_out_comes_to_nothing_though_other_models_are_silent() -> None:
    told = Told(endpoints=[replace(endpoint("a/us"), models=2)]).probe(1).probe(2).probe(3, well=True)
    assert told.probe(4, well=True).stands() == ("Recovering", 10)
    for at in range(5, 14):
        told.traffic(at, {}, ejected=True).probe(at + 0.5, well=True)
    assert told.stands() == ("Recovering", 10)
