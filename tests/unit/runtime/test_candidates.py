"""Whose doing it is when a candidate fails: its endpoint's, if probes say so, else its own."""

from dataclasses import replace

import pytest

from fairlead.health import fleet as health
from fairlead.health.endpoint import Endpoint, Probe, State, Traffic
from fairlead.health.fleet import Fleet
from fairlead.rollout import machine
from fairlead.rollout.plan import Plan, Step
from fairlead.runtime.candidates import candidates
from fairlead.runtime.rollouts import Candidate
from fairlead.statuses import Failure
from served_targets import gateways, target

STATES = {
    "team/chat": machine.ask(
        Plan(primary="p/new", steps=(Step(traffic=100),)), machine.ask(Plan(primary="p/old"), None, 0), 0
    ),
    "team/quiet": machine.ask(Plan(primary="p/old"), None, 0),
}
SERVED = gateways(target("p/e/old"), target("q/e/old"), target("p/e/new"))
DECLARED = Endpoint(
    name="p/e", provider="p", region="", interval_ms=1000, timeout_ms=500, unhealthy_threshold=2, healthy_threshold=1
)
FAILED = {(500, "-"): 50}


def probed(*failures: Failure | None, traffic: bool = False, declared: Endpoint = DECLARED) -> Fleet:
    """The fleet after these probes, a second apart, and maybe after traffic that failed."""
    fleet = Fleet()
    for number, failure in enumerate(failures, 1):
        at_ms = 1000 * number
        probe = Probe(endpoint="p/e", began_ms=at_ms - 10, ended_ms=at_ms, failure=failure)
        seen = [Traffic(endpoint="p/e", target="p/e/new", region="eu", outcomes=FAILED)] if traffic else []
        fleet = health.judge([declared], fleet, probes=[probe] if declared.probed else [], traffic=seen, now_ms=at_ms)
    return fleet


def judged(fleet: Fleet, *ejected: str, declared: Endpoint = DECLARED) -> Candidate:
    found = candidates(STATES, SERVED, [declared], fleet, ejected, read={})
    assert list(found) == ["team/chat"], "nobody else rolls out"
    return found["team/chat"]


def test_an_endpoint_that_probes_find_down_is_a_matter_of_health() -> None:
    fleet = probed(*[Failure.CONNECTION_FAILED] * 3)
    assert fleet.endpoints["p/e"].state is State.DOWN
    assert judged(fleet) == Candidate(down=True, probes=True)


@pytest.mark.parametrize("declared", [DECLARED, replace(DECLARED, probed=False)])
def test_what_traffic_alone_found_down_is_the_candidates_doing(declared: Endpoint) -> None:
    fleet = probed(None, None, None, traffic=True, declared=declared)
    assert fleet.endpoints["p/e"].state is State.DOWN
    assert not judged(fleet, declared=declared).down


def test_an_ejection_of_it_is_told_with_the_last_good_probe() -> None:
    assert judged(probed(None), "p/e/new") == Candidate(ejected=True, probes=True, probed_ms=990)
    assert judged(probed(None, Failure.TIMED_OUT), "p/e/new") == Candidate(ejected=True, probes=True)
    assert not judged(probed(None), "p/e/old", "q/e/old").ejected


def test_where_nobody_probes_no_probe_is_waited_for() -> None:
    unasked = replace(DECLARED, probed=False)
    assert judged(probed(None, declared=unasked), "p/e/new", declared=unasked) == Candidate(ejected=True)


def test_probes_that_cannot_be_trusted_say_nothing() -> None:
    fleet = replace(probed(*[Failure.CONNECTION_FAILED] * 3), probes_unreliable_since_ms=1)
    assert judged(fleet, "p/e/new") == Candidate(ejected=True)
