"""Pods that are not replaced yet, or cannot be, hold back nothing that the running ones can serve."""

import asyncio
import base64
from collections.abc import Mapping
from typing import Any

import pytest

from builders import budget, consumer, provider, route, target
from fairlead.adapters.kube import ForbiddenError, InvalidError
from fairlead.controller import refresh
from fairlead.controller.readback import LEAVES_S
from fairlead.errors import ClusterError
from memory_cluster import MemoryCluster
from operator_stage import NAME, Stage, until, while_it_runs

ENDPOINT = {"name": "us", "region": "us-east-1", "baseURL": "https://q.example.com/v1"}
Q = provider("q", endpoints=[{**ENDPOINT, "credential": {"secretName": "q-key"}}])
REFUSALS = [ForbiddenError("forbidden"), InvalidError("invalid"), ClusterError("another")]


def _stage(*objects: Any) -> Stage:
    stage = Stage(provider("p"), route("chat"), *objects)
    stage.pod("old")
    return stage


class SlowCluster(MemoryCluster):
    """Whose API server keeps writes of gateways' files waiting as long as the test wants."""

    def __init__(self, *objects: Mapping[str, Any]) -> None:
        super().__init__(*objects)
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.waits = False

    async def apply(self, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        if manifest["kind"] == "ConfigMap" and manifest["metadata"]["name"].startswith(NAME):
            self.waits = not self.go_on.is_set()
            await self.go_on.wait()
        return await super().apply(manifest)


def _served(stage: Stage) -> str:
    return str((stage.cluster.find("ConfigMap", f"{NAME}-routes") or {}).get("data"))


def _deny_new_pods(stage: Stage) -> None:
    found = stage.cluster.find("Deployment", NAME)
    assert found is not None
    denied = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: pods"}
    stage.cluster.put({**found, "status": {"conditions": [denied]}})


def test_a_deployment_that_cannot_roll_holds_back_no_change_that_its_pods_can_serve() -> None:
    stage = _stage()

    async def stuck() -> None:
        await until(stage.is_ready("ModelRoute", "chat"))
        stage.cluster.put(Q)
        await until(lambda: "q-key" in str(stage.cluster.find("Deployment", NAME)))
        _deny_new_pods(stage)
        # A swap to it waits, and says what for
        stage.cluster.put(route("chat", target("q", "small")))
        for kind, name, namespace in (("ModelProvider", "q", "fairlead"), ("ModelRoute", "chat", "team-web")):
            await until(lambda k=kind, n=name, ns=namespace: _reason(stage, k, n, ns) == "CredentialNotMounted")  # type: ignore[misc]
            # The Deployment says so in a moment of its own.
            await until(lambda k=kind, n=name, ns=namespace: "exceeded quota: pods" in _told(stage, k, n, ns))  # type: ignore[misc]
        assert "q/us/small" not in _served(stage)
        # Others' changes do not: routes come, go and change
        stage.cluster.put(route("other"))
        await until(stage.is_ready("ModelRoute", "other"))
        stage.cluster.take("ModelRoute", "other", "team-web")
        await until(lambda: "team-web/other" not in _served(stage))
        assert "team-web/chat" in _served(stage)

    asyncio.run(while_it_runs(stage, stuck))
    again = Stage(cluster=stage.cluster)

    async def restarted() -> None:
        # An operator that starts meanwhile goes on like that
        again.cluster.put(route("third"))
        await until(again.is_ready("ModelRoute", "third"))
        assert "q/us/small" not in _served(again)
        assert "team-web/chat" in _served(again)
        # and when pods mount the Secret, all of it is in effect
        again.pod("new", "q-key")
        again.cluster.take("Pod", "old")
        await until(again.is_ready("ModelRoute", "chat"))
        await until(again.is_ready("ModelProvider", "q", "fairlead"))
        assert "q/us/small" in str(again.cluster.find("ConfigMap", f"{NAME}-clusters"))

    asyncio.run(while_it_runs(again, restarted))


def test_a_region_without_a_pod_that_runs_says_why_on_its_objects() -> None:
    stage = _stage()
    pod = stage.cluster.find("Pod", "old")
    assert pod is not None
    why = "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector"
    stage.cluster.put({**pod, "status": {"conditions": [{"type": "PodScheduled", "status": "False", "message": why}]}})

    async def story() -> None:
        await until(lambda: _reason(stage, "ModelRoute", "chat", "team-web") == "GatewayBehind")
        told = stage.condition("ModelRoute", "chat", "Programmed")["message"]
        assert told == f"no gateway in `us-east-1` is ready: pod old: {why}"

    asyncio.run(while_it_runs(stage, story))


def _told(stage: Stage, kind: str, name: str, namespace: str) -> str:
    return str(stage.condition(kind, name, "Programmed", namespace).get("message"))


def _reason(stage: Stage, kind: str, name: str, namespace: str) -> object:
    return stage.condition(kind, name, "Programmed", namespace).get("reason")


def test_a_new_secret_of_a_provider_that_serves_waits_for_pods_and_its_other_changes_with_it() -> None:
    stage = _stage()

    async def story() -> None:
        await until(stage.is_ready("ModelRoute", "chat"))
        keyed = {**ENDPOINT, "baseURL": "https://moved.example.com/v1", "credential": {"secretName": "p-key"}}
        stage.cluster.put(provider("p", endpoints=[keyed]))
        await until(lambda: "p-key" in str(stage.cluster.find("Deployment", NAME)))
        _deny_new_pods(stage)
        await until(lambda: _reason(stage, "ModelProvider", "p", "fairlead") == "CredentialNotMounted")
        assert "moved.example.com" not in str(stage.cluster.find("ConfigMap", f"{NAME}-clusters"))
        assert stage.is_ready("ModelRoute", "chat")(), "the route is what it was"

    asyncio.run(while_it_runs(stage, story))


def test_a_provider_that_goes_replaces_no_pod() -> None:
    stage = _stage(Q)
    stage.cluster.take("Pod", "old")
    stage.pod("new", "q-key")

    async def story() -> None:
        await until(stage.is_ready("ModelProvider", "q", "fairlead"))
        before = (stage.cluster.find("Deployment", NAME) or {})["spec"]
        stage.cluster.take("ModelProvider", "q")
        stage.cluster.put(route("other"))
        await until(stage.is_ready("ModelRoute", "other"))
        assert (stage.cluster.find("Deployment", NAME) or {})["spec"] == before
        # The next new Secret takes it along
        stage.cluster.put(provider("r", endpoints=[{**ENDPOINT, "credential": {"secretName": "r-key"}}]))
        await until(lambda: "r-key" in str(stage.cluster.find("Deployment", NAME)))
        assert "q-key" not in str(stage.cluster.find("Deployment", NAME))

    asyncio.run(while_it_runs(stage, story))


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_deployment_that_is_refused_keeps_no_configuration_from_its_pods(refusal: ClusterError) -> None:
    stage = _stage()

    async def story() -> None:
        await until(stage.is_ready("ModelRoute", "chat"))
        stage.cluster.refusals["apply", "Deployment"] = refusal
        stage.cluster.put(Q)
        await until(lambda: _reason(stage, "ModelProvider", "q", "fairlead") == "CredentialNotMounted")
        assert str(refusal) in stage.condition("ModelProvider", "q", "Programmed", "fairlead")["message"]
        stage.cluster.put(route("other"))
        await until(stage.is_ready("ModelRoute", "other"))

    asyncio.run(while_it_runs(stage, story))


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_secret_of_keys_that_is_refused_keeps_nothing_else_from_anybody(refusal: ClusterError) -> None:
    data = {"apiKey": base64.b64encode(b"the-key").decode()}
    secret = {"kind": "Secret", "metadata": {"name": "alice", "namespace": "team-web"}, "data": data}
    stage = _stage(secret)

    async def story() -> None:
        await until(stage.is_ready("ModelRoute", "chat"))
        stage.cluster.refusals["merge", "Secret"] = refusal
        stage.cluster.put(consumer("alice", keys=[{"secretName": "alice"}]))
        stage.cluster.put(route("other"))
        await until(stage.is_ready("ModelRoute", "other"))
        await until(lambda: _reason(stage, "ModelConsumer", "alice", "team-web") == "KeysNotWritten")
        assert str(refusal) in stage.condition("ModelConsumer", "alice", "Programmed")["message"]
        stage.cluster.refusals.clear()
        await until(stage.is_ready("ModelConsumer", "alice"))

    asyncio.run(while_it_runs(stage, story))


def test_the_budget_server_hears_that_the_last_policy_is_gone() -> None:
    stage = Stage(provider("p"), route("chat"), budget("cap"), budgets=True)
    stage.pod("one")
    stage.budget_server()

    async def story() -> None:
        await until(lambda: "cap" in str(stage.cluster.find("ConfigMap", "fairlead-book")))
        stage.cluster.take("BudgetPolicy", "cap", "team-web")
        await until(lambda: "cap" not in str((stage.cluster.find("ConfigMap", "fairlead-book") or {})["data"]))

    asyncio.run(while_it_runs(stage, story))


def test_a_budget_server_that_did_not_follow_is_told_again() -> None:
    stage = Stage(provider("p"), route("chat"), budget("cap"), budgets=True)
    stage.pod("one")
    stage.budget_server()
    stage.servers.is_stuck = True

    async def story() -> None:
        await until(lambda: "fairlead.dev/nudge" in str(stage.cluster.find("Pod", "budget")))

    asyncio.run(while_it_runs(stage, story))


def test_a_consumer_is_ready_when_gateways_have_loaded_its_key_and_another_teams_waits_for_nobody() -> None:
    stage = _stage(_secret("alice", "a-key"), _secret("bob", "b-key"))

    async def story() -> None:
        stage.cluster.put(consumer("alice", keys=[{"secretName": "alice"}]))
        await until(stage.is_ready("ModelConsumer", "alice"))
        stage.answers.keys_stuck = True
        stage.cluster.put(consumer("bob", keys=[{"secretName": "bob"}]))
        await until(lambda: _reason(stage, "ModelConsumer", "bob", "team-web") == "GatewayBehind")
        assert stage.is_ready("ModelConsumer", "alice")()
        stage.answers.keys_stuck = False
        await until(stage.is_ready("ModelConsumer", "bob"))
        # A provider that waits for pods keeps no consumer
        stage.cluster.put(Q)
        await until(lambda: "q-key" in str(stage.cluster.find("Deployment", NAME)))
        stage.cluster.put(_secret("carol", "c-key"))
        stage.cluster.put(consumer("carol", keys=[{"secretName": "carol"}]))
        await until(stage.is_ready("ModelConsumer", "carol"))

    asyncio.run(while_it_runs(stage, story))


@pytest.mark.parametrize("value", ["", " ", "\n", "two words"])
def test_a_consumer_without_a_usable_key_is_not_ready(value: str) -> None:
    stage = _stage(_secret("alice", value), consumer("alice", keys=[{"secretName": "alice"}]))

    async def story() -> None:
        await until(lambda: stage.condition("ModelConsumer", "alice", "Ready").get("status") == "False")
        assert stage.condition("ModelConsumer", "alice", "ResolvedRefs")["reason"] == "KeyNotUsable"

    asyncio.run(while_it_runs(stage, story))


def test_a_provider_is_ready_when_gateways_hold_its_credential() -> None:
    stage = _stage(Q, route("to-q", target("q", "small")))
    stage.cluster.take("Pod", "old")
    stage.pod("new", "q-key")
    stage.answers.absent = {"q-key/apiKey"}

    async def story() -> None:
        for kind, name, namespace in (("ModelProvider", "q", "fairlead"), ("ModelRoute", "to-q", "team-web")):
            await until(lambda k=kind, n=name, ns=namespace: _reason(stage, k, n, ns) == "SecretNotFound")  # type: ignore[misc]
            assert "`q-key/apiKey`" in stage.condition(kind, name, "Programmed", namespace)["message"]
        await until(stage.is_ready("ModelRoute", "chat"))
        stage.answers.absent = set()
        await until(stage.is_ready("ModelProvider", "q", "fairlead"))
        await until(stage.is_ready("ModelRoute", "to-q"))

    asyncio.run(while_it_runs(stage, story))


def test_a_provider_that_no_route_uses_is_ready_when_gateways_hold_its_credential() -> None:
    keys = [{"secretName": "q-key", "key": "us"}, {"secretName": "q-key"}]
    endpoints = [{**ENDPOINT, "name": f"us-{number}", "credential": key} for number, key in enumerate(keys)]
    stage = _stage(provider("q", endpoints=endpoints))
    stage.cluster.take("Pod", "old")
    stage.pod("new", "q-key")
    stage.answers.absent = {"q-key/us"}

    async def story() -> None:
        await until(lambda: _reason(stage, "ModelProvider", "q", "fairlead") == "SecretNotFound")
        assert "`q-key/us`" in stage.condition("ModelProvider", "q", "Programmed", "fairlead")["message"]
        await until(stage.is_ready("ModelRoute", "chat"))
        stage.answers.absent = set()
        await until(stage.is_ready("ModelProvider", "q", "fairlead"))

    asyncio.run(while_it_runs(stage, story))


def test_a_person_lets_gateways_look_at_a_rotated_credential() -> None:
    stage = _stage(Q)
    stage.cluster.take("Pod", "old")
    stage.pod("new", "q-key")

    def word() -> object:
        return (stage.cluster.find("Pod", "new") or {})["metadata"].get("annotations", {}).get("fairlead.dev/refresh")

    async def story() -> None:
        await until(stage.is_ready("ModelProvider", "q", "fairlead"))
        assert word() is None
        deployment = (stage.cluster.find("Deployment", NAME) or {})["spec"]
        seen = set()
        for _ in range(2):
            await refresh.ask(stage.cluster, stage.clock, "fairlead", ["q"])
            await until(lambda: word() not in {None, *seen})
            seen.add(word())
        assert (stage.cluster.find("Deployment", NAME) or {})["spec"] == deployment, "no pod is restarted"
        with pytest.raises(ClusterError, match="ModelProvider fairlead/none is not there"):
            await refresh.ask(stage.cluster, stage.clock, "fairlead", ["none"])

    asyncio.run(while_it_runs(stage, story))


def _secret(name: str, value: str) -> dict[str, Any]:
    data = {"apiKey": base64.b64encode(value.encode()).decode()}
    return {"kind": "Secret", "metadata": {"name": name, "namespace": "team-web"}, "data": data}


def test_what_is_new_waits_until_no_request_comes_to_a_pod_that_leaves() -> None:
    stage = Stage(provider("p"), route("chat"), faster=5)
    stage.pod("old")
    stage.pod("new")

    async def leaves() -> None:
        await until(stage.is_ready("ModelRoute", "chat"))
        left_at = stage.clock.monotonic()
        stage.cluster.take("Pod", "old")
        await until(lambda: len(stage.operator._live.of_kind("Pod")) == 1)
        # A node's rules may lead there a moment longer, and it serves what it did
        stage.cluster.put(route("second"))
        await until(stage.is_ready("ModelRoute", "second"))
        assert stage.clock.monotonic() - left_at >= LEAVES_S
        assert stage.is_ready("ModelRoute", "chat")()

    asyncio.run(while_it_runs(stage, leaves))


def test_nothing_is_ready_by_what_pods_served_before_it_was_written() -> None:
    cluster = SlowCluster({"kind": "ConfigMap", "metadata": {"name": "fairlead-installation", "namespace": "fairlead"}})
    cluster.put({"kind": "Secret", "metadata": {"name": "fairlead-keys", "namespace": "fairlead"}})
    for one in (provider("p"), provider("q"), route("chat")):
        cluster.put(one)
    stage = Stage(cluster=cluster)
    stage.pod("gateway")

    async def edited() -> None:
        await until(stage.is_ready("ModelRoute", "chat"))
        cluster.go_on.clear()
        other = cluster.put(route("chat", target("q", "small")))
        await until(lambda: cluster.waits)
        # The API server takes its time: statuses are written meanwhile, of the configuration that is not written yet
        for _ in range(3):
            await stage.operator._write_status()
        found = cluster.find("ModelRoute", "chat", "team-web") or {}
        ready = next(one for one in found["status"]["conditions"] if one["type"] == "Ready")
        assert (ready["status"], ready["observedGeneration"]) != ("True", other["metadata"]["generation"])
        cluster.go_on.set()
        await until(stage.is_ready("ModelRoute", "chat"))
        assert "q/us/small" in _served(stage)

    asyncio.run(while_it_runs(stage, edited))
