"""Given objects, the operator makes the cluster so, once, and leaves alone what is not its own."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from harness import operator
from harness.cluster import Cluster
from harness.install import NAMESPACE, REGIONS, VALUES, gateway_pods, install, operator_pods
from harness.kubectl import CommandError, Object
from harness.provider import Provider
from harness.team import Team
from harness.waiting import always, eventually

OWNED = "configmaps,services,deployments,poddisruptionbudgets"
US = REGIONS[0]
WRITES = "fairlead_api_writes_total"
PASSES = "fairlead_reconciles_total"


def _owned(cluster: Cluster) -> dict[str, Object]:
    found = cluster.kubectl.list(OWNED, NAMESPACE, "app.kubernetes.io/component=gateway,fairlead.dev/region")
    return {f"{one['kind']}/{one['metadata']['name']}": one for one in found}


def _versions(cluster: Cluster) -> dict[str, str]:
    """Return what changes with every write; a Deployment's status is not ours, so its generation counts."""
    return {
        name: str(one["metadata"].get("generation", one["metadata"]["resourceVersion"]))
        for name, one in _owned(cluster).items()
    }


def _settled(cluster: Cluster) -> None:
    """Wait until the operator has nothing left to write."""
    seen: list[float] = []

    def is_settled() -> bool:
        seen.append(operator.total(operator.metrics(cluster), WRITES))
        return len(seen) > 5 and len(set(seen[-5:])) == 1

    eventually("the operator to have written everything", is_settled, every_s=0.5)


def _tidied(cluster: Cluster) -> None:
    """Wait until nothing is left of what routes of the tests before led to: that goes a minute after them."""

    def leftovers() -> list[str]:
        clusters, routes = (
            cluster.kubectl.get("configmap", f"fairlead-gateway-{REGIONS[0]}-{part}", NAMESPACE)["data"][file]
            for part, file in (("clusters", "cds.json"), ("routes", "rds.json"))
        )
        ladders = (one["name"] for one in json.loads(clusters)["resources"] if one["name"].startswith("@"))
        return [name for name in ladders if name not in routes]

    eventually("what old routes led to to be gone", lambda: not leftovers(), every_s=1.0)
    _settled(cluster)


@pytest.fixture(scope="class")
def tidy(release: Cluster, provider: Provider) -> Iterator[Team]:
    """A team with a route, when nothing is left to write: what was there before has gone, a minute after its end."""
    team = Team(release, "team-tidy")
    team.join()
    team.kubectl.apply(team.route("chat", provider.name, "model-a"))
    team.is_ready("modelroute", "chat")
    _tidied(team.cluster)
    yield team
    team.leave()


class TestAllIsInOrder:
    """One minute for all three: they change nothing."""

    def test_a_second_pass_changes_nothing(self, tidy: Team) -> None:
        before, writes = _versions(tidy.cluster), operator.total(operator.metrics(tidy.cluster), WRITES)
        # When something changes that means nothing to the gateways: a pass runs
        passes = operator.total(operator.metrics(tidy.cluster), PASSES)
        tidy.kubectl("label", "namespace", tidy.namespace, "unrelated=yes")
        eventually("a pass", lambda: operator.total(operator.metrics(tidy.cluster), PASSES) > passes)
        # then nothing is written
        always("nothing written", lambda: operator.total(operator.metrics(tidy.cluster), WRITES) == writes, for_s=3)
        assert _versions(tidy.cluster) == before

    def test_a_restarted_operator_changes_nothing(self, tidy: Team) -> None:
        before = _everything(tidy)
        operator.scale(tidy.cluster, 0)
        operator.scale(tidy.cluster, 1)
        _settled(tidy.cluster)
        assert _everything(tidy) == before

    def test_an_upgraded_operator_changes_nothing(self, tidy: Team) -> None:
        before, pods = _everything(tidy), {pod["metadata"]["name"] for pod in operator_pods(tidy.cluster)}
        # When an upgrade brings another operator
        upgraded = {**VALUES, "operator": {**VALUES["operator"], "podAnnotations": {"example.com/version": "next"}}}
        install(tidy.cluster, values=upgraded, verb="upgrade")
        eventually("the next operator alone", lambda: _replaced(tidy.cluster, pods))
        eventually("it to lead", lambda: operator.leaders(tidy.cluster))
        _settled(tidy.cluster)
        # then no gateway, no object and no status was written, and no Event told anything
        assert _everything(tidy) == before
        install(tidy.cluster, verb="upgrade")


def _replaced(cluster: Cluster, before: set[str]) -> bool:
    now = {pod["metadata"]["name"] for pod in operator_pods(cluster)}
    return len(now) == 1 and not now & before


def _everything(team: Team) -> dict[str, Any]:
    """Return what an operator that finds all in order leaves alone: what it owns, users' objects, Events, pods."""
    return {
        "owned": _versions(team.cluster),
        "route": team.kubectl.get("modelroute", "chat", team.namespace),
        "events": sorted(event["metadata"]["name"] for event in team.kubectl.list("events", team.namespace)),
        "pods": sorted(pod["metadata"]["name"] for region in REGIONS for pod in gateway_pods(team.cluster, region)),
    }


def test_ten_changes_in_a_burst_are_not_ten_passes(provider: Provider, team: Team) -> None:
    _settled(team.cluster)
    before = operator.metrics(team.cluster)
    # kubectl on a busy machine takes its time between them; what is one pass without that, a unit test shows
    team.kubectl.apply(*(team.route(f"chat-{number}", provider.name, "model-a") for number in range(10)))
    for number in range(10):
        team.is_ready("modelroute", f"chat-{number}")
    after = operator.metrics(team.cluster)
    compiled = after["fairlead_compile_seconds_count"] - before["fairlead_compile_seconds_count"]
    assert 1 <= compiled < 10, f"{compiled} compilations for ten changes"


def test_users_objects_get_status_and_nothing_else(provider: Provider, team: Team) -> None:
    wanted = team.route("chat", provider.name, "model-a")
    team.kubectl.apply(wanted)
    team.is_ready("modelroute", "chat")
    metadata = team.kubectl.get("modelroute", "chat", team.namespace)["metadata"]
    assert "finalizers" not in metadata
    assert set(metadata.get("annotations", {})) <= {"kubectl.kubernetes.io/last-applied-configuration"}
    assert "labels" not in metadata


def test_drift_is_undone_and_what_others_add_stays(provider: Provider, cluster: Cluster) -> None:  # noqa: ARG001
    kubectl, name = cluster.kubectl, f"fairlead-gateway-{REGIONS[1]}"
    kubectl("-n", NAMESPACE, "scale", f"deployment/{name}", "--replicas=3")
    kubectl("-n", NAMESPACE, "annotate", f"service/{name}", "their.example.com/note=stays")
    eventually("one replica again", lambda: kubectl.get("deployment", name, NAMESPACE)["spec"]["replicas"] == 1)
    kubectl("-n", NAMESPACE, "delete", "service", name)
    eventually("the service again", lambda: kubectl.exists("service", name, NAMESPACE))
    kubectl("-n", NAMESPACE, "annotate", f"service/{name}", "their.example.com/note=stays")
    always(
        "their annotation",
        lambda: "their.example.com/note" in kubectl.get("service", name, NAMESPACE)["metadata"]["annotations"],
        for_s=2,
    )


def test_everything_is_owned_and_labelled(provider: Provider, cluster: Cluster) -> None:  # noqa: ARG001
    owner = cluster.kubectl.get("configmap", "fairlead-installation", NAMESPACE)["metadata"]["uid"]
    found = _owned(cluster)
    assert found
    for name, one in found.items():
        metadata = one["metadata"]
        assert [reference["uid"] for reference in metadata["ownerReferences"]] == [owner], name
        assert metadata["labels"]["app.kubernetes.io/part-of"] == "fairlead", name
        assert metadata["labels"]["fairlead.dev/region"] in REGIONS, name
        managers = {entry["manager"] for entry in _managed(cluster, one) if entry.get("subresource") != "status"}
        assert "fairlead" in managers, name
    service = found[f"Service/fairlead-gateway-{REGIONS[0]}"]
    assert [port["name"] for port in service["spec"]["ports"]] == ["http"]


def _managed(cluster: Cluster, one: Object) -> list[dict[str, Any]]:
    text = cluster.kubectl(
        "get", one["kind"].lower(), one["metadata"]["name"], "-n", NAMESPACE, "-o", "json", "--show-managed-fields"
    )
    managed: list[dict[str, Any]] = json.loads(text)["metadata"]["managedFields"]
    return managed


def test_a_bad_object_hurts_nobody_and_keeps_its_last_good_version(provider: Provider, team: Team, url: str) -> None:
    from test_serving import _served_by  # noqa: PLC0415  the same client

    # Given two routes that serve
    team.kubectl.apply(
        team.key("alice", "alice-key-0101"),
        team.consumer("alice"),
        team.route("good", provider.name, "model-a"),
        team.route("turns-bad", provider.name, "model-a"),
    )
    for name in ("good", "turns-bad"):
        team.is_ready("modelroute", name)
    eventually("answers", lambda: _served_by(url, "alice-key-0101", "good") == "sim/main/model-a")
    # when one of them names a model that the provider does not have, and the other is changed in the same write
    team.kubectl.apply(
        team.route("turns-bad", provider.name, "no-such-model"), team.route("good", provider.name, "model-b")
    )
    # then the bad one says so and is answered as before, and the good one is changed
    eventually("ResolvedRefs=False", lambda: team.state("modelroute", "turns-bad", "ResolvedRefs")["status"] == "False")
    said = team.state("modelroute", "turns-bad", "ResolvedRefs")
    assert said["reason"] == "ModelNotFound"
    assert "no-such-model" in said["message"]
    assert team.state("modelroute", "turns-bad", "Ready")["status"] == "False"
    eventually("the change", lambda: _served_by(url, "alice-key-0101", "good") == "sim/main/model-b")
    assert _served_by(url, "alice-key-0101", "turns-bad") == "sim/main/model-a"

    def told() -> list[Object]:
        events = team.kubectl.list("events", team.namespace)
        return [event for event in events if (event["reason"], event["type"]) == ("ModelNotFound", "Warning")]

    eventually("an Event", told)


def test_a_conflict_is_stated_on_the_loser(provider: Provider, team: Team) -> None:
    team.kubectl.apply(team.route("first", provider.name, "model-a", modelNames=["chat"]))
    team.is_ready("modelroute", "first")
    team.kubectl.apply(team.route("second", provider.name, "model-b", modelNames=["chat"]))
    eventually("the conflict", lambda: team.state("modelroute", "second", "Accepted")["reason"] == "NameConflict")
    assert team.state("modelroute", "first", "Ready")["status"] == "True"


def test_status_says_where_and_with_what_a_route_is_served(provider: Provider, team: Team) -> None:
    team.kubectl.apply(team.route("chat", provider.name, "model-a"))
    team.is_ready("modelroute", "chat")
    status = team.kubectl.get("modelroute", "chat", team.namespace)["status"]
    assert [gateway["region"] for gateway in status["gateways"]] == sorted(REGIONS)
    for gateway in status["gateways"]:
        assert gateway["ladder"] == ["sim/main/model-a"]
        assert len(gateway["digest"]) == 64
    columns = team.kubectl("get", "modelroute", "chat", "-n", team.namespace)
    assert "True" in columns
    assert "sim" in columns
    assert "model-a" in columns


def test_a_deleted_service_comes_back_with_its_address(release: Cluster) -> None:
    service = "fairlead-gateway-us-east-1"
    before = release.kubectl.get("service", service, NAMESPACE)
    release.kubectl("-n", NAMESPACE, "delete", "service", service)
    eventually("the Service", lambda: release.kubectl.exists("service", service, NAMESPACE))
    again = release.kubectl.get("service", service, NAMESPACE)
    assert again["metadata"]["uid"] != before["metadata"]["uid"]
    assert again["spec"]["clusterIP"] == before["spec"]["clusterIP"]
    # Created and applied as one: what a later version of it lacks goes
    eventually("its fields to be applied ones", lambda: _managers(release, service) == {("fairlead", "Apply")})


def _managers(cluster: Cluster, service: str) -> set[tuple[str, str]]:
    command = ("-n", NAMESPACE, "get", "service", service, "-o", "json", "--show-managed-fields")
    fields = json.loads(cluster.kubectl(*command))["metadata"]["managedFields"]
    return {(one["manager"], one["operation"]) for one in fields if "f:spec" in one["fieldsV1"]}


def test_an_upgrade_that_waits_comes_back_when_every_region_s_pods_are_new(team: Team) -> None:
    gateway = {**VALUES["gateway"], "podAnnotations": {"example.com/version": "next"}}
    try:
        # When an upgrade changes what gateways' pods are made of
        install(team.cluster, values={**VALUES, "gateway": gateway}, verb="upgrade")
        # Then they are as it says when `helm upgrade --wait` comes back: nothing is waited for here
        for region in REGIONS:
            found = team.kubectl.get("deployment", f"fairlead-gateway-{region}", NAMESPACE)
            template, status = found["spec"]["template"]["metadata"], found["status"]
            assert template["annotations"]["example.com/version"] == "next", region
            assert status["observedGeneration"] == found["metadata"]["generation"], region
            assert status["updatedReplicas"] == status["replicas"] == status["availableReplicas"], status
        # and one operator leads, of the new version
        eventually("one operator alone to lead", lambda: len(operator.leaders(team.cluster)) == 1)
    finally:
        install(team.cluster, verb="upgrade")


def test_an_upgrade_whose_pods_find_no_node_does_not_come_back_as_well(team: Team) -> None:
    regions = {US: {**VALUES["regions"][US], "nodeSelector": {"disk": "none"}}}
    before = {pod["metadata"]["name"] for pod in gateway_pods(team.cluster, US)}
    try:
        # When the new pods of a region are to run where no node is
        with pytest.raises(CommandError, match="fairlead-operator"):
            install(team.cluster, "--timeout", "25s", values={**VALUES, "regions": regions}, verb="upgrade")
        # Then Helm has said so, the cluster says why, and the pods that were there serve on
        (pending,) = eventually("a pod without a node", lambda: _pending(team.cluster))
        pods = gateway_pods(team.cluster, US)
        (why,) = (one["message"] for one in pending["status"]["conditions"] if one["type"] == "PodScheduled")
        assert "node affinity/selector" in why
        assert before <= {pod["metadata"]["name"] for pod in pods}
    finally:
        install(team.cluster, verb="upgrade")


def _pending(cluster: Cluster) -> list[Object]:
    """Return the pods of a region that the scheduler has looked at in vain."""
    pods = [pod for pod in gateway_pods(cluster, US) if pod["status"]["phase"] == "Pending"]
    return [pod for pod in pods if any(one["type"] == "PodScheduled" for one in pod["status"].get("conditions", ()))]
