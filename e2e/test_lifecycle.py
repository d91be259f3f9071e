"""Given an empty cluster: install, use, upgrade, uninstall. In a cluster of its own: nothing else is in the way."""

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import audit, operator
from harness.cluster import Cluster, boot
from harness.gateway import reach
from harness.install import CHART, NAMESPACE, VALUES, gateway_pods, gateways_ready, install
from harness.kubectl import CommandError
from harness.load import Load
from harness.provider import Provider
from harness.team import Team
from harness.waiting import always, eventually

KEY = "sk-lifecycle"
COMPONENTS = ("operator", "gateway", "budget-server", "budget-store")


@pytest.fixture(scope="module")
def own() -> Iterator[Cluster]:
    if os.environ.get("E2E_KUBECONFIG"):
        pytest.skip("installs, upgrades and uninstalls: not on a cluster that somebody else uses")
    with boot("life") as found:
        yield found


@pytest.fixture(scope="module")
def installed(own: Cluster) -> Cluster:
    """The chart's defaults: one region, two gateway pods."""
    said = install(own, values={"gateway": VALUES["gateway"]})
    assert "What to do next" in said
    gateways_ready(own, ("local",))
    return own


@pytest.fixture(scope="module")
def provider(installed: Cluster) -> Provider:
    found = Provider(installed, "sim", KEY, "model-a,model-b")
    found.start()
    installed.kubectl.apply(found.secret(), found.resource())
    return found


@pytest.fixture(scope="module")
def team(installed: Cluster, provider: Provider) -> Team:
    found = Team(installed, "team-web")
    found.join()
    found.kubectl.apply(
        found.key("alice", "alice-key"), found.consumer("alice"), found.route("chat", provider.name, "model-a")
    )
    found.is_ready("modelroute", "chat")
    found.is_ready("modelconsumer", "alice")
    return found


def test_wrong_values_are_refused_before_anything_is_made(own: Cluster) -> None:
    for wrong, said in [
        ({"installation": {"regions": []}}, "minItems"),
        ({"installation": {"regions": [{"name": "a", "geo": "a"}], "serve": ["b"]}}, "got `b`"),
        ({"consumerNamespaces": [NAMESPACE]}, "want other namespaces than the release's"),
        ({"regions": {"nowhere": {"replicas": 1}}}, "got `nowhere`"),
        ({"gateway": {"replica": 2}}, "replica"),
        ({"budgetStore": {"enabled": False}}, "got 2 with a file of counters each"),
    ]:
        values = Path(f"/tmp/fairlead-wrong-{own.name}.json")  # noqa: S108  one file, in this test
        values.write_text(json.dumps(wrong))
        with pytest.raises(CommandError) as refused:
            own.kubectl.helm("template", "fairlead", str(CHART), "-n", NAMESPACE, "--values", str(values))
        assert said in str(refused.value), refused.value
        values.unlink()


def test_what_is_installed_is_what_the_chart_says(installed: Cluster) -> None:
    pods = gateway_pods(installed, "local")
    for pod in pods:
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"]
        assert not spec.get("automountServiceAccountToken", True)
        for container in spec["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"]
            assert security["capabilities"] == {"drop": ["ALL"]}
    # every pod passed Pod Security `restricted`, which the namespace enforces; nothing else was made
    kinds = "deployments,services,configmaps,poddisruptionbudgets,networkpolicies,serviceaccounts"
    for found in installed.kubectl.list(kinds, NAMESPACE):
        name = found["metadata"]["name"]
        if name in ("kube-root-ca.crt", "default"):
            continue
        assert found["metadata"]["labels"]["app.kubernetes.io/part-of"] == "fairlead", name
        assert found["metadata"]["labels"]["app.kubernetes.io/component"] in COMPONENTS, name


def test_a_chart_of_routes_becomes_ready_for_helm(team: Team, provider: Provider, tmp_path: Path) -> None:
    # Helm 4 waits by kstatus, as Argo CD and Flux do
    chart = _chart_of(tmp_path, team.route("from-a-chart", provider.name, "model-a"))
    team.kubectl.helm("install", "routes", str(chart), "-n", team.namespace, "--wait", "--timeout", "300s")
    assert team.state("modelroute", "from-a-chart", "Ready")["status"] == "True"
    team.kubectl.helm("uninstall", "routes", "-n", team.namespace, "--wait")


def test_a_chart_with_a_broken_route_says_why(team: Team, provider: Provider, tmp_path: Path) -> None:
    chart = _chart_of(tmp_path, team.route("broken", provider.name, "no-such-model"))
    with pytest.raises(CommandError) as refused:
        team.kubectl.helm("install", "broken", str(chart), "-n", team.namespace, "--wait", "--timeout", "30s")
    assert "no-such-model" in str(refused.value)
    team.kubectl.helm("uninstall", "broken", "-n", team.namespace)


def _chart_of(folder: Path, *objects: dict[str, Any]) -> Path:
    chart = folder / "routes"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text(yaml.safe_dump({"apiVersion": "v2", "name": "routes", "version": "0.1.0"}))
    (chart / "templates" / "routes.yaml").write_text("\n---\n".join(json.dumps(one) for one in objects))
    return chart


def test_an_upgrade_adds_a_region_and_loses_no_request(team: Team) -> None:
    own = team.cluster
    values = {
        "gateway": VALUES["gateway"],
        "installation": {"regions": [{"name": "local", "geo": "local"}, {"name": "second", "geo": "local"}]},
    }
    pods = {pod["metadata"]["name"] for pod in gateway_pods(own, "local")}
    with reach(own, "local") as url, Load(url=url, key="alice-key", model="chat") as load:
        eventually("answers", lambda: len(load.answers) > 50)
        install(own, values=values, verb="upgrade")
        gateways_ready(own, ("local", "second"))
        wanted = len(load.answers) + 100
        eventually("more answers", lambda: len(load.answers) > wanted)
    assert load.failed == []
    # the first region's pods are still the same: nothing in their template changed
    assert {pod["metadata"]["name"] for pod in gateway_pods(own, "local")} == pods
    with reach(own, "second") as url, Load(url=url, key="alice-key", model="chat") as load:
        eventually("answers of the second region", lambda: len(load.answers) > 20)
    assert load.failed == []
    gateways = eventually(
        "both regions in the status",
        lambda: (
            found
            if len(found := team.kubectl.get("modelroute", "chat", team.namespace)["status"]["gateways"]) == 2
            else None
        ),
    )
    assert [gateway["region"] for gateway in gateways] == ["local", "second"]


def test_a_region_that_is_not_served_any_more_is_pruned(team: Team) -> None:
    own = team.cluster
    install(own, values={"gateway": VALUES["gateway"]}, verb="upgrade")
    for kind in ("deployment", "service", "poddisruptionbudget"):
        eventually(
            f"no {kind} of the second region",
            lambda kind=kind: not own.kubectl.exists(kind, "fairlead-gateway-second", NAMESPACE),
        )
    assert own.kubectl.exists("deployment", "fairlead-gateway-local", NAMESPACE)


def test_a_scale_down_and_an_eviction_cut_no_stream(team: Team, provider: Provider) -> None:
    own = team.cluster
    values = {"gateway": {**VALUES["gateway"], "replicas": 3}}
    install(own, values=values, verb="upgrade")
    eventually("three replicas", lambda: _available(own) == 3)
    provider.control("POST", "/_control/settings", {"chunk_gap_ms": 250})  # streams of about three seconds
    try:
        with reach(own, "local") as url, Load(url=url, key="alice-key", model="chat", rate=20, stream=True) as load:
            eventually("answers", lambda: len(load.answers) > 20)
            # When a pod is evicted, as a drain of its node does it, a second eviction waits for the first
            first, second, *_ = [pod["metadata"]["name"] for pod in gateway_pods(own, "local")]
            _evict(own, first)
            with pytest.raises(CommandError):
                _evict(own, second)
            eventually("three replicas", lambda: _available(own) == 3)
            # and when the number of replicas goes down
            install(own, values={"gateway": {**VALUES["gateway"], "replicas": 1}}, verb="upgrade")
            eventually("one pod", lambda: len(gateway_pods(own, "local")) == 1)
            wanted = len(load.answers) + 80
            eventually("more answers", lambda: len(load.answers) > wanted)
    finally:
        provider.control("POST", "/_control/settings", {"chunk_gap_ms": 0})
    assert load.failed == []


def _available(cluster: Cluster) -> int:
    status = cluster.kubectl.get("deployment", "fairlead-gateway-local", NAMESPACE)["status"]
    return int(status.get("availableReplicas", 0))


def _evict(cluster: Cluster, pod: str) -> None:
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": NAMESPACE}}
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}/eviction"
    cluster.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))


def test_configmaps_in_gzip_and_back_lose_no_request(team: Team, provider: Provider) -> None:
    own = team.cluster
    packed = {"gateway": {**VALUES["gateway"], "configMaps": "Gzip"}}
    with reach(own, "local") as url, Load(url=url, key="alice-key", model="chat") as load:
        eventually("answers", lambda: len(load.answers) > 50)
        install(own, values=packed, verb="upgrade")
        eventually("pods that unpack", lambda: _unpacking(own) == [True])
        maps = {one["metadata"]["name"] for one in own.kubectl.list("configmaps", NAMESPACE)}
        assert {name for name in maps if name.startswith("fairlead-gateway-local")} == {
            "fairlead-gateway-local-bootstrap",
            *(f"fairlead-gateway-local-packed-{part}" for part in ("clusters", "listeners", "routes")),
        }
        team.kubectl.apply(team.route("chat", provider.name, "model-b"))
        eventually("the change", lambda: load.first_of("sim/main/model-b"))
        install(own, values={"gateway": VALUES["gateway"]}, verb="upgrade")
        eventually("pods that need not", lambda: _unpacking(own) == [False])
        team.kubectl.apply(team.route("chat", provider.name, "model-a"))
        changed_at = time.monotonic()
        eventually("the change back", lambda: _asked_after(load, changed_at).get("sim/main/model-a"))
    assert load.failed == []


def _unpacking(cluster: Cluster) -> list[bool]:
    return ["initContainers" in pod["spec"] for pod in gateway_pods(cluster, "local")]


def _asked_after(load: Load, moment: float) -> Counter[str]:
    return Counter(answer.target for answer in list(load.answers) if answer.asked_at > moment)


def test_two_hundred_routes(team: Team, provider: Provider) -> None:
    routes = [team.route(f"many-{number}", provider.name, "model-a") for number in range(200)]
    began = time.monotonic()
    team.kubectl.apply(*routes)

    def ready() -> bool:
        found = team.kubectl.list("modelroutes", team.namespace)
        many = [one for one in found if one["metadata"]["name"].startswith("many-")]
        states = [_ready(one) for one in many]
        return len(states) == 200 and all(states)

    eventually("200 routes", ready, within_s=300, every_s=0.5)
    print(f"200 routes ready {time.monotonic() - began:.1f} s after kubectl began")
    # and one change among them is in effect soon
    with reach(team.cluster, "local") as url, Load(url=url, key="alice-key", model="many-100") as load:
        eventually("answers", lambda: len(load.answers) > 20)
        changed_at = time.monotonic()
        team.kubectl.apply(team.route("many-100", provider.name, "model-b"))
        eventually("the change", lambda: load.first_of("sim/main/model-b"))
        first = load.first_of("sim/main/model-b")
    assert load.failed == []
    assert first is not None
    took = first.asked_at - changed_at
    print(
        f"one change among them in effect after {took:.2f} s"
    )  # `make bench-operator` asks for 2 s of an idle machine
    assert took < 20
    memory = operator.metrics(team.cluster)["process_resident_memory_bytes"]
    print(f"the operator's memory: {memory / 1e6:.0f} MB")
    assert memory < 250e6
    team.kubectl(
        "delete", "modelroutes", "--wait=false", "-n", team.namespace, *(one["metadata"]["name"] for one in routes)
    )


def _ready(found: dict[str, Any]) -> bool:
    conditions = found.get("status", {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def test_only_the_named_namespaces_are_watched(team: Team, provider: Provider) -> None:
    own = team.cluster
    other = Team(own, "team-other")
    other.join()
    values = {"gateway": VALUES["gateway"], "watchNamespaces": [team.namespace]}
    install(own, values=values, verb="upgrade")
    eventually("a leader", lambda: operator.leaders(own))
    team.kubectl.apply(team.route("seen", provider.name, "model-a"))
    other.kubectl.apply(other.route("unseen", provider.name, "model-a"))
    team.is_ready("modelroute", "seen")
    always(
        "nobody to look at the other namespace",
        lambda: "observedGeneration" not in own.kubectl.get("modelroute", "unseen", other.namespace)["status"],
        for_s=3,
    )
    refused = [line for line in operator.log(own) if "forbidden" in str(line.get("what", "")).lower()]
    assert refused == []
    other.leave()
    install(own, values={"gateway": VALUES["gateway"]}, verb="upgrade")


def test_the_operator_has_no_right_that_it_does_not_use(team: Team) -> None:
    # After all that was done above, and a kind of object that was not there yet,
    team.kubectl.apply(team.policy("agents", "5.00"))
    team.is_ready("budgetpolicy", "agents")
    # what it may do and did not do must have its reason here
    without_autoscaling = {
        audit.Right("autoscaling", "horizontalpodautoscalers", verb) for verb in ("create", "patch", "delete")
    }
    # what is read back only when another writer was faster
    without_conflict = {
        audit.Right(group, resource, "get")
        for group, resource in (
            ("", "configmaps"),
            ("", "services"),
            ("apps", "deployments"),
            ("policy", "poddisruptionbudgets"),
            ("autoscaling", "horizontalpodautoscalers"),
        )
    }
    unused = audit.granted(team.cluster) - audit.used(team.cluster)
    assert unused - without_autoscaling - without_conflict == set()


def test_an_uninstall_leaves_crds_and_users_objects(team: Team) -> None:
    own = team.cluster
    own.kubectl.helm("uninstall", "fairlead", "-n", NAMESPACE, "--wait")
    kinds = "deployments,services,configmaps,secrets,poddisruptionbudgets,networkpolicies,serviceaccounts,roles,leases"

    def left() -> list[str]:
        found = own.kubectl.list(kinds, NAMESPACE)
        names = [f"{one['kind']}/{one['metadata']['name']}" for one in found]
        return [name for name in names if name.partition("/")[2] not in ("kube-root-ca.crt", "default", "sim")]

    eventually("nothing of the release", lambda: not left(), within_s=300)
    # users' objects are there, and go when they are told to
    assert own.kubectl.exists("modelroute", "chat", team.namespace)
    team.kubectl("delete", "modelroute", "chat", "-n", team.namespace, "--timeout=60s")
    # and a new install takes up what is there
    install(own, values={"gateway": VALUES["gateway"]})
    gateways_ready(own, ("local",))
    team.is_ready("modelconsumer", "alice")
