"""What `fairlead status` says of a cluster, from objects as the operator leaves them."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from fairlead.adapters.kube import ForbiddenError, NotFoundError
from fairlead.controller import overview
from fairlead.errors import ClusterError
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
    {"region": "us-east-1", "digest": "d1", "ladder": ["p/us/m", "p/eu/m"]},
    {"region": "eu-west-1", "digest": "d2", "ladder": ["p/eu/m", "p/us/m"]},
]


def test_routes_are_shown_by_region_in_the_order_of_attempts() -> None:
    described = overview.describe([_found("ModelRoute", "chat", READY, gateways=GATEWAYS)])
    assert described["regions"] == [
        {"name": "eu-west-1", "routes": [{"name": "team-web/chat", "ladder": ["p/eu/m", "p/us/m"], "digest": "d2"}]},
        {"name": "us-east-1", "routes": [{"name": "team-web/chat", "ladder": ["p/us/m", "p/eu/m"], "digest": "d1"}]},
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
    assert overview.describe([_found("ModelProvider", "p", READY, gateways=serving)])["regions"] == []


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
