"""What is written after the last change: that what old routes led to goes, a minute later; then nothing more."""

import asyncio
from collections.abc import Mapping
from typing import Any

from builders import US, endpoint, model, provider, route, target
from fairlead import envoy
from fairlead.controller.changeover import LINGER_S
from fairlead.controller.gateways import DIGEST_ANNOTATION
from fast_clock import FASTER
from operator_stage import Stage, until, while_it_runs

_REMOVAL = [
    ("apply", "ConfigMap", f"fairlead-gateway-{US}-clusters"),
    ("apply", "ConfigMap", f"fairlead-gateway-{US}-routes"),  # they say the digest of all files
    ("merge", "Pod", "one"),
]


def test_after_a_change_what_is_left_of_before_goes_a_minute_later_and_nothing_else_is_written() -> None:
    stage = Stage(
        provider("p", endpoints=[endpoint("us", US)], models=[model("small"), model("large")]),
        route("chat"),
        route("other"),
    )
    stage.pod("one")

    async def story() -> None:
        for name in ("chat", "other"):
            await until(stage.is_ready("ModelRoute", name))
        await _pass(3 * LINGER_S)  # probes have been answered: health has no more to say
        for name in ("chat", "other"):
            stage.cluster.put(route(name, target("p", "large")))
        for name in ("chat", "other"):
            await until(lambda name=name: _serves(stage, name, "p/us/large"))
        await until(lambda: _is_told(stage) and _events(stage).count("PrimaryChanged") == 2)
        assert "p/us/small" in _clusters(stage)
        stage.cluster.writes.clear()
        await until(lambda: "p/us/small" not in _clusters(stage) and _is_told(stage))
        await _pass(LINGER_S)
        assert stage.writes("Secret") == _REMOVAL  # the one of keys is looked at by an empty patch
        stage.cluster.writes.clear()
        await _pass(3 * LINGER_S)  # everything is listed three times meanwhile
        assert stage.writes("Secret") == []

    asyncio.run(while_it_runs(stage, story))


async def _pass(seconds: float) -> None:
    await asyncio.sleep(seconds / FASTER)


def _serves(stage: Stage, name: str, wanted: str) -> bool:
    found: Mapping[str, Any] = stage.cluster.find("ModelRoute", name, "team-web") or {}
    return [one["ladder"] for one in found["status"]["gateways"]] == [[wanted]]


def _is_told(stage: Stage) -> bool:
    """Tell whether the pod was told of the routes that stand there."""
    pod = stage.cluster.find("Pod", "one") or {}
    told = str(pod["metadata"].get("annotations", {}).get(DIGEST_ANNOTATION, ""))
    routes = stage.cluster.find("ConfigMap", f"fairlead-gateway-{US}-routes") or {}
    return envoy.digest({envoy.ROUTES: routes["data"]["rds.json"].encode()}).startswith(told or "-")


def _events(stage: Stage) -> list[str]:
    return [one["reason"] for one in stage.cluster.all("Event")]


def _clusters(stage: Stage) -> str:
    found = stage.cluster.find("ConfigMap", f"fairlead-gateway-{US}-clusters") or {}
    return str(found["data"]["cds.json"])
