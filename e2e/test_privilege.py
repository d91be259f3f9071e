"""Given the chart's roles, the operator can do what it does, and nothing that would hurt if its token were stolen."""

import base64
import json

import pytest
from harness import operator
from harness.cluster import Cluster
from harness.install import NAMESPACE, operator_pods
from harness.provider import Provider
from harness.team import Team
from harness.waiting import eventually

OPERATOR = f"system:serviceaccount:{NAMESPACE}:fairlead"


def _may(cluster: Cluster, verb: str, resource: str, namespace: str) -> bool:
    words = ["auth", "can-i", verb, *resource.split(" "), "-n", namespace, f"--as={OPERATOR}", "--quiet"]
    try:
        cluster.kubectl(*words)
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize("verb", ["get", "list", "watch"])
@pytest.mark.parametrize("name", ["sim", "fairlead-keys"])
def test_no_secret_of_the_own_namespace_is_read(provider: Provider, cluster: Cluster, verb: str, name: str) -> None:  # noqa: ARG001
    assert not _may(cluster, verb, "secrets", NAMESPACE)
    assert not _may(cluster, verb, f"secrets/{name}", NAMESPACE)


def test_consumers_secrets_are_got_by_name_and_never_listed(team: Team) -> None:
    assert _may(team.cluster, "get", "secrets/alice", team.namespace)
    assert not _may(team.cluster, "list", "secrets", team.namespace)
    assert not _may(team.cluster, "watch", "secrets", team.namespace)
    assert not _may(team.cluster, "get", "secrets/anything", "kube-system")


@pytest.mark.parametrize("verb", ["create", "update", "patch", "delete"])
@pytest.mark.parametrize("resource", ["modelroutes", "modelproviders", "modelconsumers", "budgetpolicies"])
def test_users_objects_are_never_written(release: Cluster, verb: str, resource: str) -> None:
    assert not _may(release, verb, f"{resource}.fairlead.dev", "default")


def test_roles_have_no_wildcards(release: Cluster) -> None:
    for kind in ("roles", "clusterroles"):
        for role in release.kubectl.list(kind, labels="app.kubernetes.io/part-of=fairlead"):
            for rule in role["rules"]:
                assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"], role["metadata"]["name"]


def test_every_call_of_the_operator_is_allowed(provider: Provider, team: Team) -> None:
    # Given everything that an operator does, from its start on
    operator.scale(team.cluster, 0)
    operator.scale(team.cluster, 1)
    team.kubectl.apply(
        team.key("alice", "alice-key-0201"), team.consumer("alice"), team.route("chat", provider.name, "model-a")
    )
    team.is_ready("modelconsumer", "alice")
    team.kubectl.apply(team.route("chat", provider.name, "no-such-model"))
    eventually("a status", lambda: team.state("modelroute", "chat", "Ready")["status"] == "False")
    # then the API server refused nothing
    refused = [line for line in operator.log(team.cluster) if "forbidden" in str(line.get("what", "")).lower()]
    assert refused == []


def test_no_secret_is_told_to_anybody(provider: Provider, team: Team) -> None:
    # Given a provider's credential and a consumer's key that are in use
    team.kubectl.apply(
        team.key("alice", "alice-key-0203"), team.consumer("alice"), team.route("chat", provider.name, "model-a")
    )
    team.is_ready("modelconsumer", "alice")
    team.is_ready("modelroute", "chat")
    # then they stand in no log, no ConfigMap, no Event, no status and no metric
    kubectl, pod = team.kubectl, operator_pods(team.cluster)[0]["metadata"]["name"]
    said = [
        kubectl("logs", "-n", NAMESPACE, "-l", "app.kubernetes.io/part-of=fairlead", "--tail=-1", "--all-containers"),
        kubectl("get", "configmaps,events,pods,deployments", "-n", NAMESPACE, "-o", "json"),
        kubectl("get", "fairlead,events", "-A", "-o", "json"),
        kubectl("get", "--raw", f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}:8080/proxy/metrics"),
    ]
    for secret in ("alice-key-0203", *provider.key.split(",")):
        for text in said:
            assert secret not in text
            assert base64.b64encode(secret.encode()).decode().rstrip("=")[:-1] not in text


def test_without_a_verb_the_operator_says_what_it_lacks(provider: Provider, team: Team) -> None:
    # Given a role that lacks the right to patch ConfigMaps
    kubectl = team.kubectl
    role = kubectl.get("role", "fairlead-operator", NAMESPACE)
    lacking = {**role, "rules": [dict(rule) for rule in role["rules"]]}
    for rule in lacking["rules"]:
        if "configmaps" in rule["resources"]:
            rule["verbs"] = [verb for verb in rule["verbs"] if verb != "patch"]
    kubectl("replace", "-f", "-", stdin=json.dumps(lacking))
    try:
        # when something is to be written
        kubectl.apply(team.route("chat", provider.name, "model-a"))
        # then the log and the metrics say so
        eventually(
            "a refusal in the log",
            lambda: [
                line
                for line in operator.log(team.cluster)
                if "forbidden" in str(line.get("what", "")) and "ConfigMap" in str(line["what"])
            ],
        )
        eventually(
            "it in the metrics", lambda: operator.metrics(team.cluster)['fairlead_reconciles_total{result="error"}'] > 0
        )
    finally:
        kubectl(
            "replace",
            "--force",
            "-f",
            "-",
            stdin=json.dumps({**role, "metadata": {**role["metadata"], "resourceVersion": ""}}),
        )
    # and when the verb is back, all is made good by itself
    team.is_ready("modelroute", "chat")


def test_a_namespace_that_did_not_agree_is_told_how_to(provider: Provider, release: Cluster) -> None:  # noqa: ARG001
    team = Team(release, "team-aloof")
    team.join(agrees=False)
    try:
        team.kubectl.apply(team.key("alice", "alice-key-0202"), team.consumer("alice"))
        eventually(
            "SecretNotReadable",
            lambda: team.state("modelconsumer", "alice", "ResolvedRefs")["reason"] == "SecretNotReadable",
        )
        command = team.state("modelconsumer", "alice", "ResolvedRefs")["message"].split("`")
        assert any(word.startswith("kubectl") and "create rolebinding" in word for word in command)
        # When the team runs what the condition says, then the key opens
        team.agree()
        team.is_ready("modelconsumer", "alice")
    finally:
        team.leave()
