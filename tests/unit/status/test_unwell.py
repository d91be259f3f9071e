"""What a provider or a route fails at."""

from typing import Any

import pytest

from fairlead.api.conditions import Reason
from fairlead.api.meta import ObjectKey
from fairlead.health.endpoint import State
from fairlead.health.standing import Evidence, Standing
from fairlead.status import CompiledStatus, traffic, troubles, unwell
from fairlead.status.standing import EndpointStanding
from fairlead.status.traffic import Failing, Gateways
from fairlead.translate import Report, Served
from served_targets import gateways, target

WELL = Standing(well_ms=1)


def failed(status: int) -> Standing:
    return Standing(outcome=(status, "-"), failed=1, since_ms=1)


def told(standings: dict[tuple[str, str], Standing], served: Gateways) -> tuple[Failing, ...]:
    return traffic.failing(Evidence(standings=standings), served, now_ms=1_000_000)


def compiled(kind: str, name: str, **ladders: tuple[str, ...]) -> CompiledStatus:
    key = ObjectKey(kind, "team", name)
    report = Report(key=key, generation=1, conditions=(), problems=(), warnings=(), served=Served.CURRENT)
    return CompiledStatus(report=report, ladders=ladders)


@pytest.mark.parametrize(
    ("ladders", "down"),
    [
        ({"eu": ("p/e/a",)}, True),
        ({"eu": ("p/e/a", "q/e/a")}, False),
        ({"eu": ("p/e/*",)}, True),
        ({"eu": ("q/e/a",), "us": ("p/e/a",)}, False),
        ({"eu": ("q/e/a", "p/e/a")}, False),
        ({"eu": ()}, False),
        ({}, False),
    ],
)
def test_a_route_is_unwell_where_nothing_of_a_region_s_ladder_is_well(
    ladders: dict[str, tuple[str, ...]], down: bool
) -> None:
    failing = told({("eu", "p/e/a"): failed(401), ("eu", "q/e/a"): WELL}, gateways(target("p/e/a"), target("q/e/a")))
    found = unwell(compiled("ModelRoute", "chat", **ladders), troubles(failing, ()))
    assert (found is not None) is down
    if found is not None:
        assert (found.reason, "in eu; p/e: answers 401" in found.message) == (Reason.ALL_TARGETS_DOWN, True)


def test_a_provider_is_unwell_by_its_own_endpoints_alone() -> None:
    served = gateways(target("p/e/a"), target("p/f/a"), target("q/e/a"))
    wrong = troubles(told({("eu", "p/e/a"): failed(401), ("eu", "p/f/a"): failed(503)}, served), ())
    found = unwell(compiled("ModelProvider", "p"), wrong)
    assert found is not None
    assert found.reason is Reason.CREDENTIAL_REJECTED
    assert found.message.endswith("; 1 more of its endpoints or models fail")
    assert unwell(compiled("ModelProvider", "q"), wrong) is None
    assert unwell(compiled("ModelConsumer", "p"), wrong) is None


def standing(**values: Any) -> EndpointStanding:
    plain: dict[str, Any] = {
        "provider": "p",
        "endpoint": "e",
        "region": "eu",
        "used": True,
        "state": State.DOWN,
        "share": 0,
        "since_ms": 1,
        "reason": "ConnectionFailed",
        "message": "connection refused",
    }
    return EndpointStanding(**{**plain, **values})


def test_what_probes_alone_found_down_makes_its_provider_and_its_routes_unwell() -> None:
    wrong = troubles((), [standing(), standing(provider="q", state=State.HEALTHY, share=100, reason="Healthy")])
    of_provider = unwell(compiled("ModelProvider", "p"), wrong)
    assert of_provider is not None
    assert of_provider.reason is Reason.CONNECTION_FAILED
    assert of_provider.message == "p/e: Down, 0% of its traffic: connection refused"
    of_route = unwell(compiled("ModelRoute", "chat", eu=("p/e/a",), us=("p/e/a", "q/e/a")), wrong)
    assert of_route is not None
    assert of_route.message.startswith("every target fails in eu; p/e: Down")
    assert unwell(compiled("ModelRoute", "chat", us=("p/e/a", "q/e/a")), wrong) is None


@pytest.mark.parametrize(
    "values",
    [
        {"state": State.SUSPECT, "share": 100},
        {"state": State.DRAINED, "reason": "Drained"},
        {"state": State.RECOVERING, "share": 10, "reason": "Returning"},
        {"state": State.HEALTHY, "share": 0, "reason": "RegionDown"},
        {"used": False},
    ],
)
def test_one_failed_probe_a_drain_and_a_return_are_no_trouble(values: dict[str, Any]) -> None:
    assert troubles((), [standing(**values)]) == ()


def test_a_lowered_share_is_a_trouble_of_the_provider_and_not_of_its_routes() -> None:
    wrong = troubles((), [standing(state=State.SUSPECT, share=50, reason="ErrorRate", message="")])
    found = unwell(compiled("ModelProvider", "p"), wrong)
    assert found is not None
    assert (found.reason, found.message) == (Reason.ERROR_RATE, "p/e: Suspect, 50% of its traffic")
    assert unwell(compiled("ModelRoute", "chat", eu=("p/e/a",)), wrong) is None


def test_traffic_that_fails_is_said_once_and_in_its_own_words() -> None:
    failing = told({("eu", "p/e/a"): failed(401)}, gateways(target("p/e/a")))
    (one,) = troubles(failing, [standing()])
    assert one.message.startswith("answers 401")
