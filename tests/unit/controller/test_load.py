"""What endpoints carry, as an operator writes it down and `fairlead drain` reads it."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from builders import US, compiled, provider, route
from builders import endpoint as declared
from fairlead.controller import drains
from fairlead.controller.load import CONFIG_MAP, FILE, Load, decode, encode, load, read
from fairlead.errors import ClusterError
from fairlead.health.capacity import Carrier
from fairlead.health.endpoint import EndpointHealth, State
from fairlead.health.fleet import Fleet
from fairlead.health.region import DrainKind, DrainOrder
from fairlead.status.counted import Cache, Classifier
from fast_clock import FastClock
from memory_cluster import MemoryCluster
from operator_stage import Stage, until, while_it_runs


def found() -> Load:
    made = compiled(
        provider("p", endpoints=[declared("us", US, capacity={"requestsPerMinute": 600})]),
        provider("q", models=[{"name": "vendor/small", "usdPerMillionTokens": {"input": "1", "output": "1"}}]),
        provider("unused"),
        route("chat", fallbacks=[{"provider": "q", "model": "vendor/small"}]),
    )
    down = Fleet(endpoints={"q/us": EndpointHealth(state=State.DOWN, share=0)})
    gateways = made.gateways.values()
    return load(made.endpoints, gateways, down, carried={"p/us": 12}, drained=["us-east-1"])


def test_it_says_who_carries_what_who_takes_and_who_stands_in_for_whom() -> None:
    assert found() == Load(
        carriers=(
            Carrier(name="p/us", carried=12, capacity=600, state="Unknown"),
            Carrier(name="q/us", carried=0, capacity=None, takes=False, state="Down"),
        ),
        regions={"p/us": US, "q/us": US, "unused/us": US},
        ladders=(("p/us", "q/us"),),
        drained=frozenset({US}),
    )


def test_what_is_written_is_what_is_read() -> None:
    cache = Cache(route="team-web/chat", requests=2, hits=1, savedUSD="0.1", estimatedUSD="0", since=None)
    sorter = Classifier(
        route="team-web/chat", asked=1, remembered=2, without={"open": 3}, openSince="2026-11-21T12:00:00Z"
    )
    whole = replace(found(), percents={US: 62}, overloaded=frozenset({US}), caches=(cache,), classifiers=(sorter,))
    assert decode(json.loads(json.dumps(encode(whole)))) == whole
    later = ("percents", "overloaded", "caches", "classifiers")
    before = {field: value for field, value in encode(found()).items() if field not in later}
    assert decode(before) == found(), "an operator of before says nothing of it"


def _written(content: Any) -> dict[str, Any]:
    return {"kind": "ConfigMap", "metadata": {"name": CONFIG_MAP, "namespace": "fairlead"}, "data": {FILE: content}}


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"carriers": 5}', '{"carriers": {"p/us": {}}}'])
def test_what_cannot_be_read_says_so(content: Any) -> None:
    cluster = MemoryCluster() if content is None else MemoryCluster(_written(content))
    with pytest.raises(ClusterError, match="fairlead-health"):
        asyncio.run(read(cluster, "fairlead"))


def test_an_operator_writes_it_and_says_when_a_drain_is_in_effect() -> None:
    region = {"name": drains.CONFIG_MAP, "namespace": "fairlead", "labels": {"app.kubernetes.io/name": "fairlead"}}
    drained = {"kind": "ConfigMap", "metadata": region, "data": {"regions": f"{US} eu-west-1"}}
    stage = Stage(provider("p"), route("chat"), drained, faster=1.0, has_others=True)
    stage.pod("one")

    def is_read() -> bool:
        written = stage.cluster.find("ConfigMap", CONFIG_MAP)
        return written is not None and '"p/us"' in written["data"][FILE]

    async def says(name: str, kind: DrainKind, *, drained: bool) -> bool:
        return await drains.in_effect(stage.cluster, stage.clock, "fairlead", kind, name, drained=drained, within_s=20)

    async def story() -> None:
        await until(is_read)
        for kind, name in ((DrainKind.ENDPOINT, "p/us"), (DrainKind.REGION, US)):
            began_ms, until_ms = drains.lasting(stage.clock, for_ms=600_000)
            order = DrainOrder(kind=kind, name=name, began_ms=began_ms, until_ms=until_ms)
            await drains.drain(stage.cluster, "fairlead", order)
            assert await says(name, kind, drained=True)
            assert await drains.standing(stage.cluster, "fairlead", now_ms=began_ms) == (order,)
            assert await drains.standing(stage.cluster, "fairlead", now_ms=until_ms) == ()
            await drains.undo(stage.cluster, "fairlead", kind, name)
            assert await says(name, kind, drained=False)

    asyncio.run(while_it_runs(stage, story))


def test_a_region_that_is_not_there_is_refused_before_anything_is_written() -> None:
    metadata = {"name": drains.CONFIG_MAP, "namespace": "fairlead"}
    cluster = MemoryCluster({"kind": "ConfigMap", "metadata": metadata, "data": {"regions": "us-east-1 eu-west-1"}})
    asyncio.run(drains.check_region(cluster, "fairlead", "us-east-1"))
    with pytest.raises(ClusterError, match="want one of: us-east-1, eu-west-1"):
        asyncio.run(drains.check_region(cluster, "fairlead", "mars"))
    with pytest.raises(ClusterError, match="want one of: none"):
        asyncio.run(drains.check_region(MemoryCluster(), "fairlead", "mars"))


def test_a_drain_that_nobody_takes_up_is_not_in_effect() -> None:
    clock = FastClock(1000)
    cluster = MemoryCluster(provider("p"), _written(json.dumps(encode(Load()))))
    for kind, name in ((DrainKind.ENDPOINT, "p/us"), (DrainKind.REGION, US)):
        assert not asyncio.run(drains.in_effect(cluster, clock, "fairlead", kind, name, drained=True, within_s=5))
