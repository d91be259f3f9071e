"""Given an autoscaler of a region, pods come under load and go after it, and no request or stream is lost by that."""

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from harness.cluster import Cluster
from harness.gateway import reach
from harness.install import NAMESPACE, VALUES, gateway_pods, install
from harness.load import Load
from harness.pod_metrics import serve_pod_metrics, used
from harness.provider import Provider
from harness.team import Team
from harness.waiting import eventually
from harness.watch import Watch

REGION, OTHER = "eu-west-1", "us-east-1"
DEPLOYMENT = f"fairlead-gateway-{REGION}"
LABELS = f"app.kubernetes.io%2Fcomponent%3Dgateway,fairlead.dev%2Fregion%3D{REGION}"
MOST = 3
GAP_MS = 5_000
"""Between the events of a stream, of which there are a dozen: a minute, in which the autoscaler has to notice."""
FAST: dict[str, Any] = {
    "resources": {"requests": {"cpu": "70m"}},
    "gracePeriodSeconds": 120,
    "autoscaling": {
        "enabled": True,
        "minReplicas": 1,
        "maxReplicas": MOST,
        "targetCPUUtilizationPercentage": 50,  # a pod that has nothing to do takes a third of that
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}},
    },
}
CALM = {**VALUES["regions"][OTHER], "autoscaling": {"enabled": True, "minReplicas": 2, "maxReplicas": 2}}


@pytest.fixture
def scaled(team: Team, provider: Provider) -> Iterator[Cluster]:
    """Autoscalers in both regions, and what pods use; then the release as it was."""
    cluster = team.cluster
    if cluster.name is None:
        pytest.skip("a given cluster's autoscaler has its own pace")
    serve_pod_metrics(cluster)
    with Watch(cluster.kubectl, "deployment", f"fairlead-gateway-{OTHER}", NAMESPACE, "{.spec.replicas}") as calm:
        install(cluster, values={**VALUES, "regions": {REGION: FAST, OTHER: CALM}}, verb="upgrade")
        eventually("its autoscaler", lambda: cluster.kubectl.exists("hpa", f"fairlead-gateway-{OTHER}", NAMESPACE))
    assert calm.seen == ["2"], "the autoscaler took over as many pods as there were"
    try:
        yield cluster
    finally:
        provider.control("POST", "/_control/settings", {"chunk_gap_ms": 0})
        install(cluster, values=VALUES, verb="upgrade")


class Stream(threading.Thread):
    """One stream at one pod, read to its end."""

    def __init__(self, pod: dict[str, Any], key: str) -> None:
        super().__init__(daemon=True)
        self.pod: str = pod["metadata"]["name"]
        self._url, self._key = f"http://{pod['status']['podIP']}:8080/v1/chat/completions", key
        self.text = ""

    def run(self) -> None:
        body = {"model": "chat", "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
        headers = {"authorization": f"Bearer {self._key}"}
        try:
            with httpx.stream("POST", self._url, json=body, headers=headers, timeout=120, trust_env=False) as answer:
                for part in answer.iter_text():
                    self.text += part
        except httpx.HTTPError as error:
            self.text += repr(error)

    @property
    def is_whole(self) -> bool:
        return self.text.rstrip().endswith("data: [DONE]")


def _ready(cluster: Cluster) -> list[dict[str, Any]]:
    return [
        pod
        for pod in gateway_pods(cluster, REGION)
        if any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", ()))
    ]


def test_pods_come_and_go_and_no_request_is_lost(scaled: Cluster, team: Team, provider: Provider) -> None:
    key = f"{team.namespace}-key"
    team.kubectl.apply(team.key("alice", key), team.consumer("alice"), team.route("chat", provider.name, "model-a"))
    team.is_ready("modelroute", "chat")
    team.is_ready("modelconsumer", "alice")
    replicas = Watch(team.kubectl, "deployment", DEPLOYMENT, NAMESPACE, "{.spec.replicas}")
    ready = Watch(team.kubectl, "modelroute", "chat", team.namespace, '{.status.conditions[?(@.type=="Ready")].status}')
    with replicas, ready, reach(scaled, REGION) as url, Load(url=url, key=key, model="chat", rate=3) as few:
        # Given one pod, when more is asked of it than it is to carry, then there are three
        eventually("one pod, of which there are metrics", lambda: len(used(scaled, NAMESPACE, LABELS)) == 1)
        with Load(url=url, key=key, model="chat", rate=200) as many:
            eventually(f"{MOST} ready pods", lambda: len(_ready(scaled)) == MOST)
            assert "2 of 2 objects are ready" in team.kubectl("fairlead", "status", "-n", team.namespace)
            # and an upgrade meanwhile takes none of them away
            changed = {**FAST, "maxUnavailable": 2}
            install(scaled, values={**VALUES, "regions": {REGION: changed, OTHER: CALM}}, verb="upgrade")
            pods = _ready(scaled)
            assert len(pods) == MOST
            provider.control("POST", "/_control/settings", {"chunk_gap_ms": GAP_MS})
            streams = [Stream(pod, key) for pod in pods for _ in range(2)]
            for stream in streams:
                stream.start()
            eventually("all streams to have begun", lambda: all("data:" in stream.text for stream in streams))
        # When the load ends and streams go on, then two pods go, each after its streams
        eventually("pods to go", lambda: len(_ready(scaled)) < MOST)
        left = {pod["metadata"]["name"] for pod in _ready(scaled)}
        going = [stream for stream in streams if stream.pod not in left]
        assert any(stream.is_alive() for stream in going), "streams ended before the autoscaler noticed"
        assert "2 of 2 objects are ready" in team.kubectl("fairlead", "status", "-n", team.namespace)
        for stream in streams:
            stream.join(180)
        assert [stream.text[-300:] for stream in streams if not stream.is_whole] == []
        eventually("one pod", lambda: len(_ready(scaled)) == 1)
    assert (few.failed, many.failed) == ([], [])
    print(f"{len(few.answers) + len(many.answers)} requests and {len(streams)} streams; replicas: {replicas.seen}")
    assert replicas.seen[:2] == ["1", str(MOST)] or replicas.seen[:3] == ["1", "2", str(MOST)]
    assert set(ready.seen) == {"True"}
