"""What the operator owns and somebody else deletes, empties, damages or edits stands again as it was."""

import asyncio
import base64
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from builders import budget, consumer, provider, route
from fairlead.adapters.kube import ForbiddenError
from operator_stage import NAME, Stage, until, while_it_runs

BOOK, MEMORY, ROUTES, KEYS = "fairlead-book", "fairlead-last-good", f"{NAME}-routes", "fairlead-keys"
Object = Mapping[str, Any]
_CONTENT = ("data", "binaryData")


def _content(found: Object | None) -> Object:
    return {field: (found or {}).get(field) for field in _CONTENT}


def _changed(found: Object, change: Callable[[str], str | None]) -> Object:
    """Change each entry of an object; None takes it away."""
    entries = {
        field: {name: new for name, old in found[field].items() if (new := change(old)) is not None}
        for field in _CONTENT
        if field in found
    }
    return {**found, **entries}


HARMS: Mapping[str, Callable[[Stage, Object], object]] = {
    "deleted": lambda stage, found: stage.cluster.take(found["kind"], found["metadata"]["name"]),
    "emptied": lambda stage, found: stage.cluster.put(_changed(found, lambda _: None)),
    "damaged": lambda stage, found: stage.cluster.put(_changed(found, lambda old: old[: len(old) // 2])),
    "edited": lambda stage, found: stage.cluster.put(_changed(found, lambda old: old + "AAAA")),
    "without its labels": lambda stage, found: stage.cluster.put(
        {**found, "metadata": {**found["metadata"], "labels": {}}}
    ),
}


def _stage() -> Stage:
    stage = Stage(provider("p"), route("chat"), budget("cap"), budgets=True)
    stage.pod("one")
    stage.budget_server()
    return stage


@pytest.mark.parametrize("name", [BOOK, MEMORY, ROUTES])
@pytest.mark.parametrize("harm", HARMS)
def test_a_config_map_is_repaired(name: str, harm: str) -> None:
    stage = _stage()

    async def story() -> None:
        await until(stage.is_ready("ModelRoute", "chat"))
        await until(lambda: stage.cluster.find("ConfigMap", name))
        before = stage.cluster.find("ConfigMap", name)
        assert before is not None
        HARMS[harm](stage, before)
        await until(lambda: _content(stage.cluster.find("ConfigMap", name)) == _content(before))
        await until(lambda: _labels(stage, name) == before["metadata"]["labels"])
        await until(lambda: stage.metrics.repairs.labels("ConfigMap")._value.get() >= 1)

    asyncio.run(while_it_runs(stage, story))


def _labels(stage: Stage, name: str) -> Object:
    labels: Object = (stage.cluster.find("ConfigMap", name) or {"metadata": {}})["metadata"].get("labels", {})
    return labels


def test_repairs_hold_while_changes_come_and_somebody_edits_all_the_time() -> None:
    stage = _stage()

    async def story() -> None:
        await until(stage.is_ready("ModelRoute", "chat"))
        await until(lambda: stage.cluster.find("ConfigMap", BOOK))
        for number in range(20):
            for name in (BOOK, MEMORY, ROUTES):
                found = stage.cluster.find("ConfigMap", name)
                if found is not None:
                    stage.cluster.put(_changed(found, lambda old, mark=number: f"{old}{mark}"))  # type: ignore[misc]
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
