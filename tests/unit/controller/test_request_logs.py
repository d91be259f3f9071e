import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from builders import endpoint, model, provider
from fairlead.adapters.kube import ForbiddenError
from fairlead.budget.price import FREE, USD, LongPrompts
from fairlead.controller import request_logs
from fairlead.errors import ClusterError
from fairlead.runtime.requests import Request, Wanted
from memory_cluster import MemoryCluster

LABELS = {"app.kubernetes.io/part-of": "fairlead"}


def pod(name: str, **labels: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "fairlead", "labels": {**LABELS, **labels}},
    }


def written(request_id: str, second: int) -> bytes:
    line = {"kind": "request", "ts": f"2026-01-01T00:00:{second:02}Z", "request_id": request_id, "status": 200}
    return json.dumps(line | {"target": "p/us/m", "attempts": 0, "flags": "-"}).encode()


class Cluster(MemoryCluster):
    """Two gateways and an operator; what pods wrote."""

    def __init__(self) -> None:
        gateways = (pod("us", **{"fairlead.dev/region": "us"}), pod("eu", **{"fairlead.dev/region": "eu"}))
        super().__init__(*gateways, pod("operator"))
        self.logs = {"us": [b"[info] up", written("a", 1), written("c", 3)], "eu": [written("b", 2)]}
        self.follows = asyncio.Event()

    async def log_lines(
        self, *, namespace: str, pod: str, container: str, tail_lines: int | None, follow: bool = False
    ) -> AsyncIterator[bytes]:
        assert (namespace, container) == ("fairlead", "envoy")
        for line in self.logs[pod][-tail_lines:] if tail_lines else () if follow else self.logs[pod]:
            yield line
        if follow and pod == "eu":
            yield written("d", 4)
            await asyncio.Event().wait()


def newest(cluster: Cluster, wanted: Wanted, count: int = 10) -> list[str]:
    found = asyncio.run(request_logs.newest(cluster, wanted, namespace="fairlead", count=count))
    return [request.id for request in found]


def test_all_gateways_are_read_and_nobody_else() -> None:
    assert newest(Cluster(), Wanted()) == ["a", "b", "c"]
    assert newest(Cluster(), Wanted(), count=2) == ["b", "c"]
    assert newest(Cluster(), Wanted(request_id="b")) == ["b"]


def test_what_may_not_be_read_says_which_right_is_missing() -> None:
    cluster = Cluster()
    cluster.refusals["list", "Pod"] = ForbiddenError("pods is forbidden")
    with pytest.raises(ClusterError, match="pods/log"):
        newest(cluster, Wanted())


def test_a_namespace_without_gateways_says_so() -> None:
    cluster = Cluster()
    for name in ("us", "eu"):
        cluster.take("Pod", name)
    with pytest.raises(ClusterError, match="no gateway pods"):
        newest(cluster, Wanted())


def test_following_tells_what_comes() -> None:
    async def story() -> list[str]:
        told: asyncio.Queue[Request] = asyncio.Queue()
        following = asyncio.create_task(request_logs.follow(Cluster(), Wanted(), told.put_nowait, namespace="fairlead"))
        async with asyncio.timeout(30):
            first = await told.get()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        return [first.id]

    assert asyncio.run(story()) == ["d"]


def test_prices_of_long_prompts_are_the_catalogues() -> None:
    longer = {"aboveTokens": 200_000, "input": "6"}
    written = {"input": "3", "output": "15", "cachedInput": "0.3", "longPrompts": longer}
    found = provider("p", endpoints=[endpoint("us", "us-east-1")], models=[model("m", usdPerMillionTokens=written)])
    price = asyncio.run(request_logs.prices(MemoryCluster(found), namespace="fairlead"))["p/us/m"]
    base = replace(FREE, input=3 * USD, output=15 * USD, cached_input=3 * USD // 10)
    assert price == replace(base, long_prompts=LongPrompts(above=200_000, price=replace(base, input=6 * USD)))


def test_prices_are_the_catalogues() -> None:
    own = [{"name": "m", "usdPerMillionTokens": {"input": "0.2", "output": "0.3"}}, {"name": "picture"}]
    found = provider(
        "p",
        endpoints=[endpoint("us", "us-east-1"), {**endpoint("eu", "eu-west-1"), "models": own}],
        models=[
            model("m") | {"usdPerMillionTokens": {"input": "0.18", "output": "0.25"}},
            {"name": "picture", "type": "Image", "usdPerImage": "0.04"},
        ],
    )
    prices = asyncio.run(request_logs.prices(MemoryCluster(found), namespace="fairlead"))
    assert set(prices) == {"p/us/m", "p/us/picture", "p/eu/m", "p/eu/picture"}
    assert prices["p/us/m"].input == prices["p/us/m"].cached_input == 180_000_000
    assert prices["p/eu/m"].input == 200_000_000, "the endpoint's own"
    assert prices["p/us/picture"] == prices["p/eu/picture"] == replace(FREE, image=40_000_000)
