"""What the operator owns and somebody else deletes, empties, damages or edits stands again as it was."""

import asyncio
import base64
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from builders import budget, consumer, provider, route
from fairlead.adapters.kube import ForbiddenError
from fairlead.controller.plan import RENDERED_ANNOTATION
from fairlead.manifests import OWNED_KINDS
from fairlead.manifests.configuration import BOOTSTRAP, XDS_PARTS
from operator_stage import NAME, Stage, until, while_it_runs

BOOK, MEMORY, ROUTES, KEYS = "fairlead-book", "fairlead-last-good", f"{NAME}-routes", "fairlead-keys"
OWNED = [
    *(("ConfigMap", name) for name in (BOOK, MEMORY)),
    *(("ConfigMap", f"{NAME}-{part}") for part in (BOOTSTRAP, *XDS_PARTS)),
    *((kind, NAME) for kind in OWNED_KINDS if kind != "ConfigMap"),
]
"""Every object that the operator makes."""
AUTOSCALING = {
    "enabled": True,
    "minReplicas": 2,
    "maxReplicas": 10,
    "targetCPUUtilizationPercentage": 70,
    "targetRequestsPerSecond": 0,
    "metrics": [],
    "behavior": {"scaleDown": {"stabilizationWindowSeconds": 300}},
}
Object = Mapping[str, Any]
_CONTENT = ("data", "binaryData", "spec")


def _content(found: Object | None) -> Object:
    content = {field: (found or {}).get(field) for field in _CONTENT}
    if (found or {}).get("kind") == "Deployment":  # how many pods there are is the autoscaler's
        content["spec"] = {name: value for name, value in (content["spec"] or {}).items() if name != "replicas"}
    return content


def _changed(value: Any, change: Callable[[str], str | None]) -> Any:
    """Change each text below a value; None takes it away."""
    match value:
        case str():
            return change(value)
        case dict():
            changed = {name: _changed(one, change) for name, one in value.items()}
            return {name: one for name, one in changed.items() if one is not None}
        case list():
            return [one for one in (_changed(one, change) for one in value) if one is not None]
        case int():
            return value + 1
        case _:
            return value


def _harm(change: Callable[[str], str | None]) -> Callable[[Stage, Object], object]:
    return lambda stage, found: stage.cluster.put(
        {**found, **{field: _changed(found[field], change) for field in _CONTENT if field in found}}
    )


HARMS: Mapping[str, Callable[[Stage, Object], object]] = {
    "deleted": lambda stage, found: stage.cluster.take(found["kind"], found["metadata"]["name"]),
    "emptied": lambda stage, found: stage.cluster.put({**found, **{field: {} for field in _CONTENT if field in found}}),
    "half of it": _harm(lambda _: None),
    "damaged": _harm(lambda old: old[: len(old) // 2]),
    "edited": _harm(lambda old: old + "AAAA"),
    "without its labels": lambda stage, found: stage.cluster.put(
        {**found, "metadata": {**found["metadata"], "labels": {}}}
    ),
    "without its stamp": lambda stage, found: stage.cluster.put(
        {**found, "metadata": {**found["metadata"], "annotations": {}}}
    ),
}


def _stage() -> Stage:
    stage = Stage(provider("p"), route("chat"), budget("cap"), budgets=True, autoscaling=AUTOSCALING)
    stage.pod("one")
    stage.budget_server()
    return stage


@pytest.mark.parametrize(("kind", "name"), OWNED)
@pytest.mark.parametrize("harm", HARMS)
def test_an_object_is_repaired(kind: str, name: str, harm: str) -> None:
    stage = _stage()

    async def story() -> None:
        await until(stage.is_ready("ModelRoute", "chat"))
        await until(lambda: _stamp(stage.cluster.find(kind, name)))
        before = stage.cluster.find(kind, name)
        assert before is not None
        HARMS[harm](stage, before)
        await until(lambda: _content(stage.cluster.find(kind, name)) == _content(before))
        await until(lambda: _labels(stage.cluster.find(kind, name)) == before["metadata"]["labels"])
        await until(lambda: _stamp(stage.cluster.find(kind, name)) == _stamp(before))
        await until(lambda: stage.metrics.repairs.labels(kind)._value.get() >= 1)

    asyncio.run(while_it_runs(stage, story))


def test_what_is_no_gateways_is_labelled_as_what_it_is() -> None:
    stage = _stage()

    async def story() -> None:
        await until(stage.is_ready("ModelRoute", "chat"))
        for name, component in ((MEMORY, "operator"), (BOOK, "budget-server"), (ROUTES, "gateway")):
            found = stage.cluster.find("ConfigMap", name)
            assert _labels(found)["app.kubernetes.io/component"] == component, name

    asyncio.run(while_it_runs(stage, story))


def test_a_deleted_service_keeps_its_address() -> None:
    stage = _stage()

    async def story() -> None:
        await until(stage.is_ready("ModelRoute", "chat"))
        found = stage.cluster.find("Service", NAME)
        assert found is not None
        stage.cluster.put({**found, "spec": {**found["spec"], "clusterIP": "10.9.8.7"}})
        stage.cluster.put(route("other"))
        await until(stage.is_ready("ModelRoute", "other"))
        stage.cluster.take("Service", NAME)
        await until(lambda: stage.cluster.find("Service", NAME))
        again = stage.cluster.find("Service", NAME)
        assert again is not None
        assert again["spec"]["clusterIP"] == "10.9.8.7"

    asyncio.run(while_it_runs(stage, story))


def _labels(found: Object | None) -> Object:
    labels: Object = (found or {"metadata": {}})["metadata"].get("labels", {})
    return labels


def _stamp(found: Object | None) -> object:
    return (found or {"metadata": {}})["metadata"].get("annotations", {}).get(RENDERED_ANNOTATION)


def test_repairs_hold_while_changes_come_and_somebody_edits_all_the_time() -> None:
    stage = _stage()

    async def story() -> None:
        await until(stage.is_ready("ModelRoute", "chat"))
        await until(lambda: stage.cluster.find("ConfigMap", BOOK))
        for number in range(20):
            for kind, name in OWNED:
                found = stage.cluster.find(kind, name)
                if found is not None:
                    HARMS["edited"](stage, found)
            stage.cluster.put(route(f"chat-{number}"))
            await asyncio.sleep(0.01)
        for number in range(20):
            await until(stage.is_ready("ModelRoute", f"chat-{number}"))
        stage.cluster.take("ConfigMap", BOOK)
        await until(lambda: stage.cluster.find("ConfigMap", BOOK))

    asyncio.run(while_it_runs(stage, story))


@pytest.mark.parametrize("harm", ["emptied", "damaged", "edited", "without its entry"])
def test_a_damaged_memory_does_not_end_the_operator_at_its_start(harm: str) -> None:
    stage = _stage()

    async def first() -> None:
        await until(stage.is_ready("ModelRoute", "chat"))
        await until(lambda: stage.cluster.find("ConfigMap", MEMORY))

    asyncio.run(while_it_runs(stage, first))
    found = stage.cluster.find("ConfigMap", MEMORY)
    assert found is not None
    if harm == "without its entry":
        stage.cluster.put({name: value for name, value in found.items() if name != "binaryData"})
    else:
        HARMS[harm](stage, found)
    again = Stage(cluster=stage.cluster, budgets=True)

    async def second() -> None:
        stage.cluster.put(route("other"))
        await until(again.is_ready("ModelRoute", "other"))
        await until(lambda: "binaryData" in (stage.cluster.find("ConfigMap", MEMORY) or {}))
        assert again.metrics.errors.labels("memory")._value.get() == 1

    asyncio.run(while_it_runs(again, second))


def _with_key() -> Stage:
    data = {"apiKey": base64.b64encode(b"the-key").decode()}
    secret = {"kind": "Secret", "metadata": {"name": "alice", "namespace": "team-web"}, "data": data}
    alice = consumer("alice", keys=[{"secretName": "alice"}])
    stage = Stage(secret, alice, provider("p"), route("chat"))
    stage.pod("one")
    return stage


def _keys(stage: Stage) -> str:
    found = (stage.cluster.find("Secret", KEYS) or {}).get("data", {}).get("ecds.json", "")
    return base64.b64decode(found + "=" * (-len(found) % 4)).decode(errors="replace")


@pytest.mark.parametrize("data", [{}, {"ecds.json": ""}, {"ecds.json": "bm9uc2Vuc2U="}])
def test_the_secret_of_keys_is_repaired_within_its_minute(data: Object) -> None:
    stage = _with_key()

    async def story() -> None:
        await until(lambda: "the-key" in _keys(stage))
        found = stage.cluster.find("Secret", KEYS)
        assert found is not None
        stage.cluster.put({**found, "data": data})
        await until(lambda: "the-key" in _keys(stage))
        await until(lambda: stage.metrics.repairs.labels("Secret")._value.get() == 1)

    asyncio.run(while_it_runs(stage, story))


def test_without_the_secret_of_keys_its_consumers_say_so_and_others_go_on() -> None:
    stage = _with_key()

    async def story() -> None:
        await until(stage.is_ready("ModelConsumer", "alice"))
        stage.cluster.take("Secret", KEYS)
        await until(lambda: stage.condition("ModelConsumer", "alice", "Programmed").get("reason") == "SecretNotFound")
        assert "run `helm upgrade`" in stage.condition("ModelConsumer", "alice", "Programmed")["message"]
        stage.cluster.put(route("other"))
        await until(stage.is_ready("ModelRoute", "other"))
        stage.cluster.put({"kind": "Secret", "metadata": {"name": KEYS, "namespace": "fairlead"}})
        await until(lambda: "the-key" in _keys(stage))
        await until(stage.is_ready("ModelConsumer", "alice"))

    asyncio.run(while_it_runs(stage, story))


def test_a_region_that_cannot_be_written_holds_no_other_object_back() -> None:
    stage = _stage()

    async def story() -> None:
        await until(stage.is_ready("ModelRoute", "chat"))
        await until(lambda: stage.cluster.find("ConfigMap", BOOK))
        stage.cluster.refusals[("apply", "Service")] = ForbiddenError("no")
        stage.cluster.take("Service", NAME)
        stage.cluster.take("ConfigMap", BOOK)
        await until(lambda: stage.cluster.find("ConfigMap", BOOK))
        stage.cluster.refusals.clear()
        await until(lambda: stage.cluster.find("Service", NAME))

    asyncio.run(while_it_runs(stage, story))
