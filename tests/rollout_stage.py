"""A route whose rollouts an operator steers, and the requests that come meanwhile."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from builders import model, provider, route
from fairlead.controller.memory import remembered_rollouts
from fairlead.controller.rollout_orders import ANNOTATION
from fairlead.ir import Side
from fairlead.ir.route import ladder_name
from fairlead.rollout.state import State
from memory_cluster import MemoryCluster
from operator_stage import NAME, Stage, while_it_runs

PROVIDER = provider("p", models=[model("old"), model("new"), model("third")])
ANALYSIS = {"maxErrorRate": "1%", "minRequests": 20, "interval": "1s"}
STEPS = [{"traffic": "10%", "hold": "4s"}, {"traffic": "50%", "hold": "4s"}]
"""They may pass before anybody looks; what happened stands in Events."""
BY_HAND = [{"traffic": "10%"}, {"traffic": "50%"}]
LONG = [{"traffic": "10%", "hold": "720h"}, {"traffic": "50%"}]
FASTER = 10
"""Slow enough that a busy machine does not cost the lease, which lasts for a second then."""
ARMS = {side: f"@{ladder_name('team-web/chat', 1, side)}" for side in Side}


def chat(
    target: str = "old", steps: Sequence[Mapping[str, Any]] = BY_HAND, order: str = "", **spec: Any
) -> dict[str, Any]:
    rollout = {"stickiness": "Request", "steps": steps, "analysis": ANALYSIS}
    annotations = {"annotations": {ANNOTATION: order}} if order else {}
    fields = {"residency": "Any", "rollout": rollout, **spec}
    return route("chat", {"provider": "p", "model": target}, metadata=annotations, **fields)


class Site(Stage):
    """A route whose rollouts are steered, in a cluster that outlives operators."""

    def __init__(self, *objects: Mapping[str, Any], cluster: MemoryCluster | None = None, **values: Any) -> None:
        super().__init__(*(objects or (PROVIDER, chat())), cluster=cluster, faster=FASTER, **values)
        if cluster is None:
            self.pod("one")

    @property
    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = (self.cluster.find("ModelRoute", "chat", "team-web") or {}).get("status", {})
        return found

    @property
    def rollout(self) -> dict[str, Any]:
        found: dict[str, Any] = self.status.get("rollout", {})
        return found

    @property
    def kept(self) -> State:
        return remembered_rollouts(self.cluster.find("ConfigMap", "fairlead-rollouts"))["team-web/chat"]

    def stands(self, phase: str, step: int = 0) -> Callable[[], bool]:
        return lambda: (self.rollout.get("phase"), self.rollout.get("step")) == (phase, step)

    def weights(self) -> list[int]:
        found = self.cluster.find("ConfigMap", f"{NAME}-routes") or {}
        return weights_in(json.loads(found["data"]["rds.json"]))

    def serves(self, target: str, code: int = 200, times: int = 10) -> None:
        side = Side.STABLE if target == "old" else Side.CANDIDATE
        self.counters.count(f"p/us/{target}", code, arm=ARMS[side], times=times)

    def with_traffic(self, condition: Callable[[], bool], code: int = 200) -> Callable[[], bool]:
        """Let requests come while somebody waits."""

        def busy() -> bool:
            self.serves("old")
            self.serves("new", code)
            return condition()

        return busy

    def events(self) -> list[str]:
        return [one["reason"] for one in self.cluster.all("Event") if one["involvedObject"]["name"] == "chat"]


def weights_in(found: Any) -> list[int]:
    """Return the weights of the only route that has several."""
    if isinstance(found, dict):
        if "weighted_clusters" in found:
            return [one["weight"] for one in found["weighted_clusters"]["clusters"]]
        found = list(found.values())
    several = [weights_in(one) for one in found] if isinstance(found, list) else []
    return max(several, key=len, default=[])


def plays(site: Site, story: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(while_it_runs(site, story))
