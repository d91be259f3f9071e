"""A pod's label says whether the Service over all regions has it, from the beginning of a drain to its end."""

import asyncio
from typing import Any

from builders import US, provider, route
from fairlead.controller.drains import CONFIG_MAP, PREFIX, lasting
from fairlead.controller.drains import drain as drain_it
from fairlead.health.region import DrainKind, DrainOrder
from fairlead.manifests import COMPONENT_LABEL, IN_ROTATION_LABEL
from gateway_values import LABELS
from operator_stage import Stage, until, while_it_runs


def config_map(**annotations: str) -> dict[str, Any]:
    labels = {**LABELS, COMPONENT_LABEL: "operator"}
    metadata = {"name": CONFIG_MAP, "namespace": "fairlead", "labels": labels, "annotations": annotations}
    return {"kind": "ConfigMap", "metadata": metadata}


def test_a_drained_region_leaves_rotation_and_comes_back_by_itself() -> None:
    stage = Stage(provider("p"), route("chat"), config_map(), faster=1.0, has_others=True)
    stage.pod("one")

    def label() -> str | None:
        found: str | None = (stage.cluster.find("Pod", "one") or {})["metadata"]["labels"].get(IN_ROTATION_LABEL)
        return found

    async def story() -> None:
        await until(lambda: label() == "true")
        began_ms, until_ms = lasting(stage.clock, for_ms=5_000)
        order = DrainOrder(kind=DrainKind.REGION, name=US, began_ms=began_ms, until_ms=until_ms)
        await drain_it(stage.cluster, "fairlead", order)
        await until(lambda: label() == "false")
        assert stage.clock.now().timestamp() * 1000 < until_ms
        await until(lambda: label() == "true")
        assert stage.clock.now().timestamp() * 1000 >= until_ms
        annotations = (stage.cluster.find("ConfigMap", CONFIG_MAP) or {})["metadata"]["annotations"]
        assert f"{PREFIX}{US}" in annotations, "annotations are people's: the operator takes none away"

    asyncio.run(while_it_runs(stage, story))
