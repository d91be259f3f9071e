"""Given traffic, what happens to the control plane costs no request; what happens to pods costs none either."""

import time

import pytest
from harness import operator
from harness.cluster import Cluster
from harness.install import NAMESPACE, gateway_pods, operator_pods
from harness.load import Load
from harness.provider import Provider
from harness.team import Team
from harness.waiting import eventually

REGION = "us-east-1"
API_SERVER_AWAY_S = 30
"""Twice as long as the operator's lease lasts. The kubelet tries again the more seldom the longer it is away."""


@pytest.fixture
def load(provider: Provider, team: Team, url: str) -> Load:
    """Fifty requests per second to a route that serves."""
    key = f"{team.namespace}-key"
    team.kubectl.apply(team.key("alice", key), team.consumer("alice"), team.route("chat", provider.name, "model-a"))
    team.is_ready("modelroute", "chat")
    team.is_ready("modelconsumer", "alice")
    return Load(url=url, key=key, model="chat", rate=50)


def _answers(load: Load, number: int = 50) -> None:
    """Wait for so many more answers."""
    wanted = len(load.answers) + number
    eventually("more answers", lambda: len(load.answers) >= wanted)


def test_the_operator_is_killed_under_load(load: Load, team: Team, provider: Provider) -> None:
    cluster = team.cluster
    with load:
        _answers(load)
        # When the operator's pod is taken away without a warning
        pod = operator_pods(cluster)[0]["metadata"]["name"]
        team.kubectl("-n", NAMESPACE, "delete", "pod", pod, "--grace-period=0", "--force")
        _answers(load, 200)
        eventually("another leader", lambda: operator.leaders(cluster) not in ([], [pod]))
        # then the next one goes on: a change is in effect
        team.kubectl.apply(team.route("chat", provider.name, "model-b"))
        eventually("the change", lambda: load.answers[-1].target == "sim/main/model-b")
    assert load.failed == []


def test_nothing_hangs_while_the_operator_is_away(load: Load, team: Team, provider: Provider) -> None:
    cluster = team.cluster
    operator.scale(cluster, 0)
    try:
        with load:
            # When objects are made, changed and deleted meanwhile
            team.kubectl.apply(team.route("made-meanwhile", provider.name, "model-a"))
            team.kubectl.apply(team.route("gone-meanwhile", provider.name, "model-a"))
            team.kubectl("delete", "modelroute", "gone-meanwhile", "-n", team.namespace, "--timeout=60s")
            # and a gateway pod is replaced: it serves the last good configuration, from its ConfigMap
            pod = gateway_pods(cluster, REGION)[0]["metadata"]["name"]
            team.kubectl("-n", NAMESPACE, "delete", "pod", pod, "--wait=false")
            eventually("two ready pods", lambda: _ready(cluster) == 2 and pod not in _names(cluster))
            _answers(load, 100)
            if cluster.name is not None:  # the host has a route to pods
                _each_pod_answers(cluster, load)
        assert load.failed == []
    finally:
        operator.scale(cluster, 1)
    team.is_ready("modelroute", "made-meanwhile")


def _each_pod_answers(cluster: Cluster, load: Load) -> None:
    for pod in gateway_pods(cluster, REGION):
        with Load(url=f"http://{pod['status']['podIP']}:8080", key=load.key, model=load.model, rate=5) as direct:
            _answers(direct, 3)
        assert direct.failed == []


def _names(cluster: Cluster) -> list[str]:
    return [pod["metadata"]["name"] for pod in gateway_pods(cluster, REGION)]


def _ready(cluster: Cluster) -> int:
    return sum(
        any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", ()))
        for pod in gateway_pods(cluster, REGION)
    )


def test_one_of_two_gateway_pods_is_deleted_under_load(load: Load, team: Team) -> None:
    load.stream = True
    with load:
        _answers(load)
        pod = gateway_pods(team.cluster, REGION)[0]["metadata"]["name"]
        team.kubectl("-n", NAMESPACE, "delete", "pod", pod)  # waits until it is gone
        _answers(load, 200)
    assert load.failed == []


def test_a_rolling_update_of_the_gateways_cuts_no_stream(load: Load, team: Team, provider: Provider) -> None:
    load.stream, load.rate = True, 20
    provider.control("POST", "/_control/settings", {"chunk_gap_ms": 250})  # a stream of about three seconds
    try:
        with load:
            _answers(load, 20)
            team.kubectl("-n", NAMESPACE, "rollout", "restart", f"deployment/fairlead-gateway-{REGION}")
            team.kubectl(
                "-n", NAMESPACE, "rollout", "status", f"deployment/fairlead-gateway-{REGION}", "--timeout=300s"
            )
            _answers(load, 20)
    finally:
        provider.control("POST", "/_control/settings", {"chunk_gap_ms": 0})
    assert load.failed == []


def test_two_operators_never_fight(load: Load, team: Team, provider: Provider) -> None:
    cluster = team.cluster
    operator.scale(cluster, 2)
    try:
        with load:
            # One leads; when it ends, the other takes over; at no time both
            overlaps: list[list[str]] = []
            first = eventually("one leader", lambda: operator.leaders(cluster))
            assert len(first) == 1
            team.kubectl("-n", NAMESPACE, "delete", "pod", first[0], "--wait=false")

            def second() -> list[str]:
                found = operator.leaders(cluster)
                # Pods are asked one after the other: two lead only if the first still does after the second did
                if len(found) > 1 and operator.leaders(cluster) == found:
                    overlaps.append(found)
                return [name for name in found if name != first[0]]

            eventually("the other to lead", second)
            assert overlaps == []
            team.kubectl.apply(team.route("chat", provider.name, "model-b"))
            eventually("the change", lambda: load.answers[-1].target == "sim/main/model-b")
        assert load.failed == []
    finally:
        operator.scale(cluster, 1)


def test_the_api_server_is_away_for_half_a_minute_under_load(load: Load, team: Team, provider: Provider) -> None:
    cluster = team.cluster
    if cluster.name is None:
        pytest.skip("the API server of a given cluster is not ours to stop")
    with load:
        _answers(load)
        cluster.component("apiserver", "kill")
        try:
            time.sleep(API_SERVER_AWAY_S)  # the outage itself, no synchronisation
        finally:
            cluster.component("apiserver", "start")
        eventually("the API server", lambda: team.kubectl("get", "--raw", "/readyz") == "ok")
        # then the operator finds its way back by itself
        eventually("a leader", lambda: operator.leaders(cluster))
        team.kubectl.apply(team.route("chat", provider.name, "model-b"))
        # and a change is in effect as soon as the kubelet watches again, which takes it up to a minute
        eventually("the change", lambda: load.answers[-1].target == "sim/main/model-b", within_s=300)
    assert len(load.answers) > 50 * API_SERVER_AWAY_S * 0.7
    assert load.failed == []
