"""The operator on an API in memory, fifty times as fast: from what users write to what pods answer and status says."""

import asyncio
import base64
import json
from typing import Any

import pytest

from builders import US, consumer, provider, route, target
from fairlead.adapters.kube import ForbiddenError, UnreachableError
from fairlead.controller.gateways import DIGEST_ANNOTATION
from fairlead.controller.status import PATIENCE_S
from fairlead.errors import ClusterError
from fast_clock import FASTER
from operator_stage import NAME, Stage, until, while_it_runs


def test_from_objects_to_status() -> None:
    stage = Stage(provider("p"), route("chat"))

    async def story() -> None:
        await until(lambda: stage.cluster.find("Deployment", NAME))
        stage.pod("one")
        await until(stage.is_ready("ModelRoute", "chat"))
        status = (stage.cluster.find("ModelRoute", "chat", "team-web") or {})["status"]
        (gateway,) = status["gateways"]
        assert gateway["region"] == US
        assert gateway["ladder"] == ["p/us/small"]
        assert status["servedIn"] == US
        await until(lambda: _annotation(stage) == gateway["digest"][:16])
        events = stage.cluster.all("Event")
        assert {(event["involvedObject"]["name"], event["reason"]) for event in events} >= {("chat", "Ready")}

    asyncio.run(while_it_runs(stage, story))


def test_a_consumer_that_expires_on_no_date_keeps_nobody_else_from_a_status() -> None:
    stage = Stage(provider("p"), route("chat"), consumer("wrong", expiresAt="soon"))
    stage.pod("one")

    async def story() -> None:
        await until(stage.is_ready("ModelRoute", "chat"))
        await until(lambda: stage.condition("ModelConsumer", "wrong", "Accepted").get("status") == "False")

    asyncio.run(while_it_runs(stage, story))


def _annotation(stage: Stage) -> str | None:
    pod = stage.cluster.find("Pod", "one") or {}
    found: str | None = pod["metadata"].get("annotations", {}).get(DIGEST_ANNOTATION)
    return found


def test_a_second_operator_finds_nothing_to_write() -> None:
    stage = Stage(provider("p"), route("chat"))
    stage.pod("one")

    async def story() -> None:
        await until(stage.is_ready("ModelRoute", "chat"))
        await until(stage.is_ready("ModelProvider", "p", "fairlead"))

    asyncio.run(while_it_runs(stage, story))
    stage.cluster.writes.clear()
    again = Stage(cluster=stage.cluster)
    again.answers._last["10.0.0.1"] = ""

    async def second() -> None:
        await until(lambda: again.metrics.reconciles.labels("success")._value.get() >= 1)
        await asyncio.sleep(12 / FASTER)  # twelve seconds of the operator's: what it had to say, it would have said

    asyncio.run(while_it_runs(again, second))
    # The keys cannot be read back: writing them again changes nothing in the API server
    assert stage.writes() == [("merge", "Secret", "fairlead-keys")]


def test_a_burst_is_few_compilations() -> None:
    stage = Stage(provider("p"), faster=1)  # what is a burst is a matter of milliseconds, which a busy machine lacks
    stage.pod("one")

    async def story() -> None:
        await until(lambda: stage.metrics.reconciles.labels("success")._value.get() >= 1)
        await until(stage.is_ready("ModelProvider", "p", "fairlead"))
        before = _count(stage)
        for number in range(10):
            stage.cluster.put(route(f"chat-{number}"))
        for number in range(10):
            await until(stage.is_ready("ModelRoute", f"chat-{number}"))
        assert _count(stage) - before <= 3

    asyncio.run(while_it_runs(stage, story))


def _count(stage: Stage) -> float:
    samples = [sample for metric in stage.metrics.compile_seconds.collect() for sample in metric.samples]
    return next(sample.value for sample in samples if sample.name.endswith("_count"))


def test_a_bad_edit_keeps_the_last_good_version_over_a_restart() -> None:
    stage = Stage(provider("p"), route("chat"))
    stage.pod("one")

    async def good() -> None:
        await until(stage.is_ready("ModelRoute", "chat"))
        await until(lambda: stage.cluster.find("ConfigMap", "fairlead-last-good"))

    asyncio.run(while_it_runs(stage, good))
    memory = stage.cluster.find("ConfigMap", "fairlead-last-good") or {}
    assert memory["metadata"]["labels"]["app.kubernetes.io/component"] == "operator"
    served = (stage.cluster.find("ConfigMap", f"{NAME}-routes") or {})["data"]
    # The edit is made while no operator is there
    stage.cluster.put(route("chat", target("p", "no-such-model")))
    again = Stage(cluster=stage.cluster)

    async def bad() -> None:
        await until(lambda: again.condition("ModelRoute", "chat", "ResolvedRefs").get("status") == "False")
        assert again.condition("ModelRoute", "chat", "Programmed")["reason"] == "LastGood"
        # What serves on is said, with the generation that it has
        status = (again.cluster.find("ModelRoute", "chat", "team-web") or {})["status"]
        assert [(one["region"], one["observedGeneration"], one["target"]) for one in status["gateways"]] == [
            (US, status["observedGeneration"] - 1, "p/us/small")
        ]
        assert status["servedIn"] == US
        # and one Event says what is wrong, not one for each condition that follows from it
        await until(lambda: "ModelNotFound" in _reasons(stage, "chat"))
        assert _reasons(stage, "chat") == ["Ready", "ModelNotFound"]
        assert (stage.cluster.find("ConfigMap", f"{NAME}-routes") or {})["data"] == served

    asyncio.run(while_it_runs(again, bad))


def _reasons(stage: Stage, name: str) -> list[str]:
    return [event["reason"] for event in stage.cluster.all("Event") if event["involvedObject"]["name"] == name]


def test_a_credential_is_mounted_before_a_route_needs_it() -> None:
    credential = {"secretName": "global-api", "key": "us"}
    stage = Stage(provider("p"), route("chat"), faster=10)  # or a loaded machine is a late gateway
    stage.pod("old")

    async def story() -> None:
        await until(stage.is_ready("ModelRoute", "chat"))
        served = (stage.cluster.find("ConfigMap", f"{NAME}-clusters") or {})["data"]
        # When a provider with a credential becomes the primary, the pods are replaced first
        stage.cluster.put(provider("q", endpoints=[{**_endpoint(), "credential": credential}]))
        stage.cluster.put(route("chat", target("q", "small")))
        await until(lambda: "global-api" in json.dumps(stage.cluster.find("Deployment", NAME)))
        began = stage.clock.monotonic()
        await until(lambda: stage.clock.monotonic() - began > 2 * PATIENCE_S)
        assert (stage.cluster.find("ConfigMap", f"{NAME}-clusters") or {})["data"] == served
        # and the configuration follows when no pod is left that lacks it
        stage.pod("new", "global-api")
        stage.cluster.take("Pod", "old")
        await until(lambda: "q/us/small" in str((stage.cluster.find("ConfigMap", f"{NAME}-clusters") or {})["data"]))
        await until(stage.is_ready("ModelRoute", "chat"))
        # A roll is no delay that anybody has to hear of
        assert "GatewayBehind" not in {event["reason"] for event in stage.cluster.all("Event")}

    asyncio.run(while_it_runs(stage, story))


def _endpoint() -> dict[str, Any]:
    return {"name": "us", "region": US, "baseURL": "https://us.example.com/v1"}


def test_keys_reach_the_gateways_and_a_rotation_follows() -> None:
    def secret(value: str) -> dict[str, Any]:
        data = {"apiKey": base64.b64encode(value.encode()).decode()}
        return {"kind": "Secret", "metadata": {"name": "alice", "namespace": "team-web"}, "data": data}

    consumer = {
        "apiVersion": "fairlead.dev/v1alpha1",
        "kind": "ModelConsumer",
        "metadata": {"name": "alice", "namespace": "team-web"},
        "spec": {"keys": [{"secretName": "alice"}]},
    }
    stage = Stage(secret("first-key"), consumer)
    stage.pod("one")

    def keys() -> str:
        found = (stage.cluster.find("Secret", "fairlead-keys") or {}).get("data", {}).get("ecds.json", "")
        return base64.b64decode(found).decode()

    async def story() -> None:
        await until(lambda: "first-key" in keys())
        await until(stage.is_ready("ModelConsumer", "alice"))
        stage.cluster.put(secret("second-key"))
        await until(lambda: "second-key" in keys() and "first-key" not in keys())
        # No key is anywhere else
        for kind in ("ConfigMap", "Pod", "Event", "ModelConsumer", "Deployment"):
            text = json.dumps(stage.cluster.all(kind))
            assert "first-key" not in text
            assert "second-key" not in text

    asyncio.run(while_it_runs(stage, story))


def test_a_gateway_that_does_not_follow_is_called_behind() -> None:
    stage = Stage(provider("p"), route("chat"))
    stage.pod("one")

    async def story() -> None:
        await until(stage.is_ready("ModelRoute", "chat"))
        stage.answers.stuck = True
        stage.cluster.put(route("chat", maxOutputTokens=100))
        await until(lambda: stage.condition("ModelRoute", "chat", "Programmed").get("reason") == "GatewayBehind")
        assert stage.condition("ModelProvider", "p", "Programmed", "fairlead")["status"] == "True"  # it did not change
        stage.answers.stuck = False
        await until(stage.is_ready("ModelRoute", "chat"))

    asyncio.run(while_it_runs(stage, story))


def test_pods_that_are_behind_for_a_moment_now_and_then_are_no_news() -> None:
    stage = Stage(provider("p"), route("chat"))
    stage.pod("one")
    stage.pod("two", address="10.0.0.2")

    async def passed(seconds: float) -> None:
        began = stage.clock.monotonic()
        await until(lambda: stage.clock.monotonic() - began > seconds)

    async def story() -> None:
        await until(stage.is_ready("ModelRoute", "chat"))
        await passed(2 * PATIENCE_S)
        for number in range(3):
            stage.answers.behind.add("10.0.0.2")
            stage.pod(f"coming-{number}", ready=False, address="10.0.0.3")
            await passed(PATIENCE_S / 2)
            stage.answers.behind.clear()
            stage.pod(f"coming-still-{number}", ready=False, address="10.0.0.4")
            await passed(2 * PATIENCE_S)
        assert _reasons(stage, "chat") == ["Ready"]
        # and one that stays behind is
        stage.answers.behind.add("10.0.0.2")
        stage.pod("two", address="10.0.0.2")
        await until(lambda: not stage.is_ready("ModelRoute", "chat")())

    asyncio.run(while_it_runs(stage, story))


@pytest.mark.parametrize(
    ("refused", "error"),
    [
        pytest.param(("apply", "ConfigMap"), ForbiddenError("no"), id="a role that lacks a verb"),
        pytest.param(("status", "ModelRoute"), ForbiddenError("no"), id="no status may be written"),
        pytest.param(("*", "*"), UnreachableError("away"), id="an API server that is away"),
        pytest.param(("list", "Pod"), UnreachableError("410"), id="a watch that is too old"),
    ],
)
def test_what_is_refused_is_done_later(refused: tuple[str, str], error: ClusterError) -> None:
    stage = Stage(provider("p"))
    stage.pod("one")

    async def story() -> None:
        await until(lambda: stage.metrics.reconciles.labels("success")._value.get() >= 1)
        stage.cluster.refusals[refused] = error
        stage.cluster.put(route("chat"))
        await asyncio.sleep(5 / FASTER)
        assert not stage.is_ready("ModelRoute", "chat")() or refused == ("list", "Pod")
        stage.cluster.refusals.clear()
        await until(stage.is_ready("ModelRoute", "chat"))

    asyncio.run(while_it_runs(stage, story))


def test_what_was_deleted_unseen_is_found_by_a_list() -> None:
    stage = Stage(provider("p"), route("chat"))
    stage.pod("one")

    async def story() -> None:
        await until(stage.is_ready("ModelRoute", "chat"))
        stage.cluster._objects.pop(("ModelRoute", "team-web", "chat"))  # no watch tells
        await until(
            lambda: "team-web/chat" not in str((stage.cluster.find("ConfigMap", f"{NAME}-routes") or {})["data"])
        )

    asyncio.run(while_it_runs(stage, story))


def test_drift_is_undone() -> None:
    stage = Stage(provider("p"), route("chat"))
    stage.pod("one")

    async def story() -> None:
        await until(stage.is_ready("ModelRoute", "chat"))
        deployment = stage.cluster.find("Deployment", NAME)
        assert deployment is not None
        stage.cluster.put({**deployment, "spec": {**deployment["spec"], "replicas": 7}})
        await until(lambda: (stage.cluster.find("Deployment", NAME) or {})["spec"]["replicas"] == 2)
        stage.cluster.take("Service", NAME)
        await until(lambda: stage.cluster.find("Service", NAME))

    asyncio.run(while_it_runs(stage, story))


def test_who_does_not_lead_writes_nothing() -> None:
    stage = Stage(provider("p"), route("chat"))
    held = {"holderIdentity": "another", "leaseDurationSeconds": 3600, "renewTime": "2026-11-21T12:00:00.000000Z"}
    stage.cluster.put(
        {"kind": "Lease", "metadata": {"name": "fairlead-operator", "namespace": "fairlead"}, "spec": held}
    )

    async def story() -> None:
        await until(lambda: stage.operator._inputs.view.of_kind("ModelRoute"))
        await asyncio.sleep(10 / FASTER)
        assert stage.cluster.writes == []

    asyncio.run(while_it_runs(stage, story))
