"""How endpoints stand in a provider's status, and what of their changes is an Event."""

from dataclasses import replace
from typing import Any

import pytest

from builders import installation, provider, route
from fairlead.api.crd import definition
from fairlead.api.provider import ModelProvider
from fairlead.compiler import DeclaredEndpoint, Manifest, Observed, Snapshot
from fairlead.compiler import compile as compile_all
from fairlead.health.endpoint import Cause, EndpointHealth, State
from fairlead.health.fleet import Fleet, Transition
from fairlead.status import Failing, diverted, happening, provider_state, standings
from fairlead.statuses import Failure

SINCE_MS = 1_767_225_600_000


def declared(*objects: dict[str, Any]) -> tuple[DeclaredEndpoint, ...]:
    snapshot = Snapshot(manifests=tuple(Manifest(content=one) for one in objects), secrets={})
    return compile_all(snapshot, installation(), Observed()).endpoints


ONE = declared(provider("p"), route("chat"))
DOWN = EndpointHealth(
    state=State.DOWN, since_ms=SINCE_MS, reason=Failure.CONNECTION_FAILED, message="connection refused", share=0
)


def state(health: EndpointHealth | None = None, *failing: Failing) -> Any:
    fleet = Fleet(endpoints={} if health is None else {"p/us": health})
    return provider_state("p", ONE, standings(ONE, fleet, failing))


def test_nothing_is_known_at_first_and_that_is_no_fault() -> None:
    found = state()
    assert found["endpoints"] == [
        {"name": "us", "region": "us-east-1", "state": "Unknown", "share": "100%", "reason": "Pending"}
    ]
    assert (found["healthy"], found["unwell"], found["probeUSD"]) == ("1/1", "-", "0")


def test_what_is_down_says_since_when_and_why() -> None:
    found = state(DOWN)
    assert found["endpoints"] == [
        {
            "name": "us",
            "region": "us-east-1",
            "state": "Down",
            "share": "0%",
            "since": "2026-01-01T00:00:00Z",
            "reason": "ConnectionFailed",
            "message": "connection refused",
        }
    ]
    assert (found["healthy"], found["unwell"]) == ("0/1", "us Down 0%")


def test_a_region_that_is_down_takes_the_share_of_who_is_well() -> None:
    found = state(EndpointHealth(state=State.HEALTHY, since_ms=1, reason=Cause.REGION_DOWN, share=0))
    assert (found["healthy"], found["unwell"]) == ("0/1", "us Healthy 0%")


def test_an_endpoint_that_no_route_uses_counts_for_nothing() -> None:
    unused = declared(provider("p"))
    found = provider_state("p", unused, standings(unused, Fleet(), ()))
    assert (found["healthy"], found["unwell"]) == ("0/0", "-")
    assert provider_state("other", ONE, standings(ONE, Fleet(), ())) == {}


def test_what_a_probe_costs_is_known_unless_it_asks_something_else_by_name() -> None:
    path = f"{ONE[0].upstream.base_path}/chat/completions"
    for one, cost in (
        (replace(ONE[0], sends_credential=True), "0"),
        (replace(ONE[0], path=path), "0"),
        (replace(ONE[0], sends_credential=True, path=path), None),
    ):
        assert provider_state("p", [one], standings([one], Fleet(), ())).get("probeUSD") == cost


def test_every_field_is_in_the_schema() -> None:
    (version,) = definition(ModelProvider)["spec"]["versions"]
    known = version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]
    found = state(DOWN)
    assert set(found) <= set(known)
    assert set(found["endpoints"][0]) == set(known["endpoints"]["items"]["properties"])


def transition(before: State, after: State, shares: tuple[int, int], **values: Any) -> Transition:
    told: dict[str, Any] = {
        "subject": "p/us",
        "is_region": False,
        "reason": Failure.CONNECTION_FAILED,
        "message": "connection refused",
        **values,
    }
    return Transition(before=before, after=after, share_before=shares[0], share_after=shares[1], **told)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (transition(State.UNKNOWN, State.HEALTHY, (100, 100)), None),
        (transition(State.HEALTHY, State.UNKNOWN, (100, 100)), None),
        (
            transition(State.HEALTHY, State.SUSPECT, (100, 100)),
            ("EndpointSuspect", "us is Suspect: connection refused", True),
        ),
        (
            transition(State.SUSPECT, State.DOWN, (100, 0)),
            ("EndpointDown", "us is Down, has 0% of its traffic, 100% before: connection refused", True),
        ),
        (
            transition(State.RECOVERING, State.RECOVERING, (10, 50), message="", reason=Cause.RETURNING),
            ("EndpointRecovering", "us is Recovering, has 50% of its traffic, 10% before (Returning)", False),
        ),
        (
            transition(State.RECOVERING, State.HEALTHY, (100, 100), message="", reason=Cause.HEALTHY),
            ("EndpointHealthy", "us is Healthy", False),
        ),
        (
            transition(State.HEALTHY, State.HEALTHY, (100, 0), message="", reason=Cause.REGION_DOWN),
            ("EndpointHealthy", "us is Healthy, has 0% of its traffic, 100% before (RegionDown)", False),
        ),
        (
            transition(State.HEALTHY, State.DOWN, (100, 0), subject="eu-west-1", is_region=True, message="p/us, q/us"),
            (
                "RegionDown",
                "eu-west-1 is down, all endpoints there stand at the end of every ladder: p/us, q/us",
                True,
            ),
        ),
    ],
)
def test_an_event_says_what_moved_and_why(one: Transition, said: tuple[str, str, bool] | None) -> None:
    found = happening(one)
    assert (found and (found.reason, found.message, found.warning)) == said


def test_a_route_that_is_diverted_is_an_event_once_and_so_is_its_end() -> None:
    by_other = "served by eu-west-1 since 2026-01-01T00:00:00Z, primary us-east-1 Down: connection refused"
    (began,) = diverted(None, by_other)
    assert (began.reason, began.message, began.warning) == ("Diverted", by_other, True)
    (ended,) = diverted(by_other, "-")
    assert (ended.reason, ended.warning) == ("Undiverted", False)
    assert diverted(None, "-") == diverted("-", "-") == diverted(by_other, by_other + "!") == ()
