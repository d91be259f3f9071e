"""Endpoints that die, regions that are drained: where traffic goes, what is said, and that no request fails by it."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from harness.cluster import Cluster
from harness.gateway import reach
from harness.install import NAMESPACE, gateway_pods
from harness.load import Load
from harness.provider import NAMESPACE as MODELS
from harness.provider import Provider
from harness.team import Team
from harness.waiting import eventually

from fairlead.adapters.clock import SystemClock

US, EU = "us-east-1", "eu-west-1"
CHECK = {"interval": "1s", "timeout": "500ms", "unhealthyThreshold": 2, "healthyThreshold": 2}
LABEL = "fairlead.dev/in-rotation"


@pytest.fixture(scope="module")
def frail(release: Cluster) -> Iterator[Provider]:
    """A provider that may be killed; it stands before the session's own."""
    found = Provider(release, "frail", "sk-frail", "model-a")
    found.start()
    release.kubectl.apply(found.secret(), found.resource(healthCheck=CHECK))
    yield found
    release.kubectl.delete(found.resource())


def _scale(cluster: Cluster, name: str, replicas: int) -> None:
    cluster.kubectl("-n", MODELS, "scale", f"deployment/{name}", f"--replicas={replicas}")


def _endpoint(cluster: Cluster, provider: str) -> dict[str, Any]:
    found: dict[str, Any] = cluster.kubectl.get("modelprovider", provider, NAMESPACE)["status"]["endpoints"][0]
    return found


def _state(cluster: Cluster, provider: str) -> tuple[str, str]:
    found = _endpoint(cluster, provider)
    return found["state"], found["share"]


def _route(team: Team, key: str, frail: Provider, provider: Provider) -> None:
    fallbacks = [{"provider": provider.name, "model": "model-a"}]
    team.kubectl.apply(
        team.key("alice", key), team.consumer("alice"), team.route("chat", frail.name, "model-a", fallbacks=fallbacks)
    )
    team.is_ready("modelroute", "chat")
    team.is_ready("modelconsumer", "alice")


def test_traffic_leaves_an_endpoint_that_is_gone_and_comes_back_by_steps(
    release: Cluster, frail: Provider, provider: Provider, team: Team, url: str
) -> None:
    key = "alice-key-regions-1"
    _route(team, key, frail, provider)
    team.is_let_in(url, key)
    eventually("the endpoint to be well", lambda: _state(release, frail.name) == ("Healthy", "100%"))
    with Load(url, key, "chat", rate=20) as load:
        eventually("answers of the primary", lambda: load.by_target["frail/main/model-a"] > 20)
        _scale(release, frail.name, 0)
        eventually("it to be down", lambda: _state(release, frail.name) == ("Down", "0%"))
        ready = eventually(
            "the route to say so",
            lambda: (one := team.state("modelroute", "chat", "Ready"))["message"][:6] == "served" and one,
        )
        assert ready["status"] == "True"
        assert ready["message"].startswith("served by sim/main since ")
        table = release.kubectl("-n", NAMESPACE, "get", "mp", frail.name).splitlines()
        assert table[0].split()[:3] == ["NAME", "READY", "HEALTHY"]
        assert table[1].split()[:3] == [frail.name, "False", "0/1"]
        _scale(release, frail.name, 1)
        eventually("it to come back", lambda: _state(release, frail.name) == ("Healthy", "100%"))
        count = load.by_target["frail/main/model-a"]
        eventually("answers of the primary again", lambda: load.by_target["frail/main/model-a"] > count + 20)
    assert load.failed == []
    said = [
        one["reason"] for one in release.kubectl.list("events", NAMESPACE) if one["involvedObject"]["name"] == "frail"
    ]
    assert [reason for reason in ("EndpointDown", "EndpointRecovering", "EndpointHealthy") if reason not in said] == []


def test_a_wrong_key_is_known_before_a_request_meets_it(
    release: Cluster, frail: Provider, provider: Provider, team: Team
) -> None:
    _route(team, "alice-key-regions-4", frail, provider)
    release.kubectl.apply(frail.secret("sk-wrong"), frail.resource(healthCheck={**CHECK, "credential": "Send"}))
    try:
        eventually("the key to be refused", lambda: _state(release, frail.name) == ("Down", "0%"))
        assert _endpoint(release, frail.name)["reason"] == "CredentialRejected"
    finally:
        release.kubectl.apply(frail.secret())
        release.kubectl.command("fairlead", "refresh", frail.name)
    eventually("the key to be taken", lambda: _state(release, frail.name) == ("Healthy", "100%"))
    release.kubectl.apply(frail.resource(healthCheck=CHECK))


def _slices(cluster: Cluster) -> set[str]:
    """Return the addresses behind the Service over all regions."""
    labels = "kubernetes.io/service-name=fairlead-gateway"
    return {
        address
        for found in cluster.kubectl.list("endpointslices", NAMESPACE, labels)
        for one in found.get("endpoints") or ()
        if one["conditions"]["ready"]
        for address in one["addresses"]
    }


def _addresses(cluster: Cluster, region: str) -> set[str]:
    return {pod["status"]["podIP"] for pod in gateway_pods(cluster, region)}


def _healthz(url: str) -> int:
    return httpx.get(f"{url}/healthz", trust_env=False, timeout=5).status_code


def test_a_drained_region_leaves_the_common_service_and_serves_on(
    release: Cluster, frail: Provider, provider: Provider, team: Team, url: str
) -> None:
    key = "alice-key-regions-2"
    _route(team, key, frail, provider)
    team.is_let_in(url, key)
    us, eu = _addresses(release, US), _addresses(release, EU)
    eventually("the Service over all regions to have both", lambda: _slices(release) == us | eu)
    with reach(release, EU) as other, Load(url, key, "chat", rate=20) as load:
        assert _healthz(url) == _healthz(other) == 200
        until = SystemClock().now().replace(microsecond=0) + timedelta(seconds=20)
        drain = f"drain.fairlead.dev/{US}={until:%Y-%m-%dT%H:%M:%SZ}"
        release.kubectl("-n", NAMESPACE, "annotate", "configmap", "fairlead-drains", drain)
        eventually("clients to be sent elsewhere", lambda: _slices(release) == eu)
        eventually("/healthz to say so", lambda: _healthz(url) == 503)
        assert _healthz(other) == 200
        count = len(load.answers)
        eventually("the region to serve on", lambda: len(load.answers) > count + 20)
        eventually("the drain to end by itself", lambda: _slices(release) == us | eu)
        assert SystemClock().now() >= until
        eventually("/healthz to say so, too", lambda: _healthz(url) == 200)
    assert load.failed == []
    release.kubectl("-n", NAMESPACE, "annotate", "configmap", "fairlead-drains", f"drain.fairlead.dev/{US}-")


def _fairlead(cluster: Cluster, *words: str) -> str:
    return cluster.kubectl.command("fairlead", *words)


def test_the_commands_drain_an_endpoint_and_rehearse_a_region(
    release: Cluster, frail: Provider, provider: Provider, team: Team, url: str
) -> None:
    key = "alice-key-regions-3"
    _route(team, key, frail, provider)
    team.is_let_in(url, key)
    eventually("the endpoint to be well", lambda: _state(release, frail.name) == ("Healthy", "100%"))
    with Load(url, key, "chat", rate=20) as load:
        drained = _fairlead(release, "drain", "endpoint", "frail/main", "--for", "10m")
        assert drained.startswith("endpoint frail/main: drained until ")
        assert _state(release, frail.name) == ("Drained", "0%")
        assert _fairlead(release, "drain", "--list") == drained
        with pytest.raises(AssertionError, match="region mars is not there"):
            _fairlead(release, "drain", "region", "mars", "--for", "1m")
        assert "comes back by steps" in _fairlead(release, "drain", "endpoint", "frail/main", "--undo")
        eventually("it to be back", lambda: _state(release, frail.name) == ("Healthy", "100%"))
        told = json.loads(_fairlead(release, "rehearse", "region", US, "--for", "20s", "-o", "json"))
    assert (told["outcome"], told["drained"]["errors"], told["before"]["requests"] > 10) == ("Held", 0, True), told
    assert told["drained"]["requests"] > 100
    assert load.failed == []
    eventually("the region to be back", lambda: _healthz(url) == 200)


def test_a_drain_of_nothing_is_an_event(release: Cluster) -> None:
    words = ("-n", NAMESPACE, "annotate", "configmap", "fairlead-drains")
    release.kubectl(*words, "drain.fairlead.dev/mars=2026-03-01T10:00:00Z")
    told = eventually(
        "an Event", lambda: [one for one in release.kubectl.list("events", NAMESPACE) if one["reason"] == "NotDrained"]
    )
    assert f"want one of: {EU}, {US}" in told[0]["message"]
    release.kubectl(*words, "drain.fairlead.dev/mars-")
