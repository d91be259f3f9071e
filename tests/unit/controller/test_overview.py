"""What `fairlead status` says of a cluster, from objects as the operator leaves them."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from fairlead.adapters.kube import ForbiddenError, NotFoundError
from fairlead.controller import load, overview
from fairlead.errors import ClusterError
from fairlead.status.counted import Cache, Classifier
from memory_cluster import MemoryCluster


def _condition(type_: str, status: str, reason: str = "Because", message: str = "so it is") -> dict[str, str]:
    return {"type": type_, "status": status, "reason": reason, "message": message, "lastTransitionTime": "then"}


def _found(
    kind: str, name: str, *conditions: Mapping[str, str], gateways: object = None, observed: int = 3
) -> dict[str, Any]:
    status: dict[str, Any] = {"observedGeneration": observed, "conditions": [*conditions]}
    if gateways is not None:
        status["gateways"] = gateways
    return {
        "kind": kind,
        "metadata": {"name": name, "namespace": "team-web", "generation": 3},
        "spec": {},
        "status": status,
    }


READY = _condition("Ready", "True")
GATEWAYS = [
    {"region": "us-east-1", "geo": "us", "digest": "d1", "ladder": ["p/us/m", "p/eu/m"]},
    {"region": "eu-west-1", "geo": "eu", "digest": "d2", "ladder": ["p/eu/m", "p/us/m"]},
]


def _served(ladder: list[str], digest: str) -> dict[str, Any]:
    told: dict[str, Any] = {"answers": [], "furtherLadders": 0, "shadow": None}
    return {"name": "team-web/chat", "ladder": ladder, "digest": digest, **told}


def test_routes_are_shown_by_region_in_the_order_of_attempts() -> None:
    described = overview.describe([_found("ModelRoute", "chat", READY, gateways=GATEWAYS)])
    assert described["regions"] == [
        {"name": "eu-west-1", "geo": "eu", "routes": [_served(["p/eu/m", "p/us/m"], "d2")]},
        {"name": "us-east-1", "geo": "us", "routes": [_served(["p/us/m", "p/eu/m"], "d1")]},
    ]
    assert overview.lines(described) == [
        "eu-west-1",
        "  team-web/chat  p/eu/m > p/us/m",
        "",
        "us-east-1",
        "  team-web/chat  p/us/m > p/eu/m",
        "",
        "1 of 1 objects are ready",
    ]


def test_gateways_of_other_kinds_are_no_routes() -> None:
    serving = [{"region": "us-east-1", "digest": "d"}]
    described = overview.describe([_found("ModelProvider", "p", READY, gateways=serving)])
    assert described["regions"] == [{"name": "us-east-1", "geo": "", "routes": []}]
    assert overview.lines(described) == ["1 of 1 objects are ready"]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        pytest.param(
            _found("ModelRoute", "chat", _condition("Ready", "False"), _condition("ResolvedRefs", "False", "NoModel")),
            "ResolvedRefs=False NoModel: so it is",
            id="the cause, not what follows from it",
        ),
        pytest.param(
            _found("ModelRoute", "chat", _condition("Accepted", "True"), _condition("Ready", "False", "Expired")),
            "Ready=False Expired: so it is",
            id="not ready although nothing else is wrong",
        ),
        pytest.param(
            _found("ModelRoute", "chat", READY, observed=2),
            "no operator has judged its present generation yet",
            id="what is said is of an older generation",
        ),
        pytest.param(
            _found("ModelRoute", "chat", _condition("Accepted", "True")),
            "its status has no condition Ready",
            id="half a status",
        ),
        pytest.param(
            {"kind": "ModelRoute", "metadata": {"name": "chat", "namespace": "team-web", "generation": 1}},
            "no operator has judged its present generation yet",
            id="no status at all",
        ),
    ],
)
def test_of_an_object_that_is_not_ready_the_cause_is_said(found: dict[str, Any], said: str) -> None:
    described = overview.describe([_found("ModelConsumer", "alice", READY), found])
    assert [one["ready"] for one in described["objects"]] == [True, False]
    assert overview.lines(described) == ["1 of 2 objects are ready", f"  ModelRoute team-web/chat: {said}"]


def test_an_empty_cluster_is_well() -> None:
    assert overview.lines(overview.describe([])) == ["no objects"]


@pytest.mark.parametrize(
    ("namespace", "names"),
    [(None, ["agents", "chat"]), ("team-web", ["agents", "chat"]), ("team-other", [])],
)
def test_all_kinds_are_read_of_all_namespaces_or_of_one(namespace: str | None, names: list[str]) -> None:
    cluster = MemoryCluster(_found("ModelRoute", "chat", READY), _found("BudgetPolicy", "agents", READY))
    described = asyncio.run(overview.read(cluster, namespace=namespace))
    assert [one["name"] for one in described["objects"]] == names


@pytest.mark.parametrize(
    ("refusal", "namespace", "advice"),
    [
        pytest.param(NotFoundError("list"), None, "install the chart", id="no CRDs"),
        pytest.param(ForbiddenError("list"), None, "give -n with a namespace", id="not all namespaces"),
        pytest.param(ForbiddenError("list"), "team-web", "ask for that right", id="not even this one"),
    ],
)
def test_a_refusal_says_what_to_do(refusal: ClusterError, namespace: str | None, advice: str) -> None:
    cluster = MemoryCluster()
    cluster.refusals["list", "*"] = refusal
    with pytest.raises(ClusterError, match=advice):
        asyncio.run(overview.read(cluster, namespace=namespace))


def _provider(**endpoint: str) -> dict[str, Any]:
    found = _found("ModelProvider", "p", READY)
    plain = {"name": "us", "region": "us-east-1", "state": "Healthy", "share": "100%", "reason": "Healthy"}
    found["status"]["endpoints"] = [{**plain, **endpoint}, {**plain, "name": "any", "reason": "NotUsed", **endpoint}]
    return found


def test_endpoints_say_how_they_stand() -> None:
    down = {"state": "Down", "share": "0%", "since": "2026-03-01T10:00:00Z", "reason": "ConnectionFailed"}
    described = overview.describe([_provider(**down, message="connection refused")])
    assert described["endpoints"][0] == {
        "provider": "p",
        "endpoint": "us",
        "region": "us-east-1",
        "used": True,
        **down,
        "message": "connection refused",
    }
    assert overview.lines(described)[:2] == [
        "2 of 2 endpoints have less than their traffic, or fail",
        "  p/us (us-east-1) Down, 0% since 2026-03-01T10:00:00Z: connection refused",
    ]
    assert overview.is_wrong(described)


@pytest.mark.parametrize(
    ("endpoint", "wrong"),
    [
        ({}, False),
        ({"state": "Unknown", "reason": "Pending"}, False),
        ({"share": "50%"}, True),
        ({"state": "Drained", "share": "0%", "reason": "Drained"}, True),
        ({"state": "Suspect", "reason": "TimedOut"}, True),
        ({"state": "Unknown", "reason": "NotUsed"}, False),
    ],
)
def test_an_endpoint_in_use_that_is_not_whole_wants_a_look(endpoint: dict[str, str], wrong: bool) -> None:
    assert overview.is_wrong(overview.describe([_provider(**endpoint)])) is wrong


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (
            {"phase": "Paused", "reason": "ByHand", "step": 1, "steps": 2, "traffic": "10%", "candidate": "p/next"},
            "rollout team-web/chat Paused (ByHand), step 1 of 2, 10% to p/next",
        ),
        (
            {"phase": "RolledBack", "reason": "BoundBroken", "refused": "p/next", "message": "Git asks for p/next"},
            "rollout team-web/chat RolledBack (BoundBroken): Git asks for p/next",
        ),
        ({"phase": "Stable", "reason": "Promoted", "stable": "p/next"}, None),
    ],
)
def test_a_rollout_that_is_under_way_or_was_sent_back_is_a_line(said: dict[str, Any], line: str | None) -> None:
    found = _found("ModelRoute", "chat", READY)
    found["status"]["rollout"] = said
    described = overview.describe([found])
    assert described["rollouts"][0]["route"] == "team-web/chat"
    assert [one for one in overview.lines(described) if one.startswith("rollout")] == ([line] if line else [])


def test_a_region_says_how_full_it_is_and_that_it_refuses_requests() -> None:
    route = _found("ModelRoute", "chat", READY, gateways=GATEWAYS)
    written = load.Load(percents={"us-east-1": 62}, overloaded=frozenset({"us-east-1"}))
    described = overview.describe([route], written)
    assert overview.is_wrong(described)
    lines = overview.lines(described)
    assert lines[0] == "eu-west-1"
    assert lines[3] == "us-east-1  configuration 62 % of a ConfigMap"
    assert "503 `overloaded`" in lines[4]
    assert not overview.is_wrong(overview.describe([route], load.Load(percents={"us-east-1": 99})))


def test_a_classifier_that_is_not_asked_is_no_green() -> None:
    route = _found("ModelRoute", "chat", READY, gateways=GATEWAYS)
    asked = Classifier(route="team-web/chat", asked=1, remembered=2, without={}, openSince=None)
    burning = Classifier(**{**asked, "without": {"open": 3}, "openSince": "2026-11-21T12:00:00Z"})
    assert not overview.is_wrong(overview.describe([route], load.Load(classifiers=(asked,))))
    described = overview.describe([route], load.Load(classifiers=(burning,)))
    assert overview.is_wrong(described)
    assert any("is not asked for a while at a time" in line for line in overview.unwell(described))
    assert "classifier of team-web/chat: 1 asked, 2 remembered, 3 without a category (3 open)" in overview.lines(
        described
    )


def test_kept_answers_are_a_line() -> None:
    route = _found("ModelRoute", "chat", READY, gateways=GATEWAYS)
    cache = Cache(route="team-web/chat", requests=4, hits=1, savedUSD="0.5", estimatedUSD="0", since=None)
    lines = overview.lines(overview.describe([route], load.Load(caches=(cache,))))
    assert "1 of 4 requests (25%), since the gateways started" in lines[lines.index("saved by kept answers:") + 1]
