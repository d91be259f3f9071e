"""A route that is renamed: no version of the ConfigMaps, nor a mixture of two, leads a request to nothing."""

import asyncio
import json

from builders import provider, route
from fairlead.envoy import resources
from operator_stage import NAME, Stage, until, while_it_runs

RENAMES = 20


class Swaps:
    """What a pod swaps to whenever it is asked: the clusters that it holds, and those that its routes lead to."""

    def __init__(self, stage: Stage) -> None:
        self._cluster, self._digest = stage.cluster, stage.answers.digest
        self.held: frozenset[str] = frozenset()
        self.led: frozenset[str] = frozenset()
        self.astray: list[frozenset[str]] = []
        stage.answers.digest = self.digest  # type: ignore[method-assign]

    async def digest(self, address: str, port: int) -> str | None:
        found = [self._cluster.find("ConfigMap", f"{NAME}-{part}") for part in ("clusters", "routes")]
        if all(found):
            clusters, routes = ((one or {})["data"] for one in found)
            held, led = self.held, self.led
            self.held, self.led = resources.names(clusters["cds.json"].encode()), _ladders(routes["rds.json"])
            # Envoy reads the clusters of a swap before its routes or after them
            self.astray += [one for one in (led - self.held, self.led - (held or self.held)) if one]
        return await self._digest(address, port)


def _ladders(text: str) -> frozenset[str]:
    (configuration,) = json.loads(text)["resources"]
    actions = [one.get("route", {}) for host in configuration["virtual_hosts"] for one in host["routes"]]
    return frozenset(action["cluster"] for action in actions if action.get("cluster", "").startswith("@"))


def test_twenty_renames_by_either_name_lead_no_request_to_nothing() -> None:
    stage = Stage(provider("p"), route("name-0", modelNames=["chat-0"]))
    stage.pod("one")

    async def story() -> None:
        swaps = Swaps(stage)
        await until(stage.is_ready("ModelRoute", "name-0"))
        for number in range(RENAMES):
            before, after = f"name-{number // 2}", f"name-{(number + 1) // 2}"
            stage.cluster.put(route(after, modelNames=[f"chat-{number // 2}"]))
            if before != after:
                stage.cluster.take("ModelRoute", before, "team-web")
            await until(stage.is_ready("ModelRoute", after))
        last = f"@team-web/name-{RENAMES // 2}/0"
        assert swaps.led == {last}
        # and what is old goes
        await until(lambda: [one for one in swaps.held if one.startswith("@")] == [last])
        assert swaps.astray == []

    asyncio.run(while_it_runs(stage, story))


def test_a_pod_that_does_not_answer_holds_a_rename_back_for_seconds_only() -> None:
    stage = Stage(provider("p"), route("before", modelNames=["chat"]))
    stage.pod("one")

    async def story() -> None:
        await until(stage.is_ready("ModelRoute", "before"))
        stage.answers.stuck = True
        stage.cluster.take("ModelRoute", "before", "team-web")
        stage.cluster.put(route("after", modelNames=["chat"]))
        await until(lambda: "team-web/after" in str(stage.cluster.find("ConfigMap", f"{NAME}-routes")))

    asyncio.run(while_it_runs(stage, story))
