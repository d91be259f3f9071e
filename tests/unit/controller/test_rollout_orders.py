"""Orders about rollouts as annotations: what people write, what the operator reads, how a command waits."""

import asyncio
from typing import Any

import pytest

from builders import route
from fairlead.controller.rollout_orders import ANNOTATION, documents, give, read
from fairlead.errors import ClusterError
from fairlead.rollout.observation import Act, Order
from fast_clock import FastClock
from memory_cluster import MemoryCluster
from rollout_stage import Site, chat, plays

NAME = "team-web/chat"


def said(**rollout: Any) -> dict[str, Any]:
    return {**route("chat"), "status": {"rollout": {"phase": "Stable", "stable": "p/old", "order": "", **rollout}}}


@pytest.mark.parametrize("act", Act)
def test_each_order_is_read_with_its_mark(act: Act) -> None:
    found = read([chat(order=f"{act} 1"), route("other")])
    assert found.orders == {NAME: Order(act=act, mark=f"{act} 1")}
    assert found.mistakes == {}


@pytest.mark.parametrize("value", ["", "promote", "explode 1", "promote 1 2", "PROMOTE 1", "promote " + "x" * 101, "1"])
def test_what_nobody_can_follow_says_what_is_wanted(value: str) -> None:
    annotated = route("chat", metadata={"annotations": {ANNOTATION: value}})
    found = read([annotated])
    assert found.orders == {}
    assert "want one of promote, pause, resume, abort, retry, undo" in found.mistakes[NAME]
    assert len(found.mistakes[NAME]) < 400


def test_an_order_is_given_and_answered() -> None:
    site = Site()

    async def story() -> None:
        while not site.stands("Stable")():
            await asyncio.sleep(0.01)
        site.cluster.put(chat("new"))
        while not site.stands("AwaitingPromotion", 1)():
            await asyncio.sleep(0.01)
        answer = await give(site.cluster, FastClock(1), NAME, Act.ABORT, "now", within_s=60)
        assert answer is not None
        assert (answer["phase"], answer["order"], answer["declined"], answer["degraded"]) == (
            "Aborted",
            "abort now",
            "",
            True,
        )
        again = await give(site.cluster, FastClock(1), NAME, Act.PROMOTE, "now", within_s=60)
        assert again is not None
        assert again["declined"] == "cannot promote: Aborted"
        (document,) = await documents(site.cluster, route=None, namespace="team-web")
        assert document["route"] == NAME
        assert document["progress"]["stable"]["errorRate"] is None

    plays(site, story)


def test_where_no_operator_answers_it_says_so() -> None:
    cluster = MemoryCluster(said())
    assert asyncio.run(give(cluster, FastClock(), NAME, Act.PAUSE, "1", within_s=1)) is None
    assert cluster.writes == [("merge", "ModelRoute", "chat")]


def test_a_route_that_is_not_there_or_has_no_rollout_is_refused_before_anything_is_written() -> None:
    for cluster, why in ((MemoryCluster(), "is not there"), (MemoryCluster(route("chat")), "has no rollout")):
        with pytest.raises(ClusterError, match=why):
            asyncio.run(give(cluster, FastClock(), NAME, Act.PAUSE, "1", within_s=1))
        assert cluster.writes == []
    assert asyncio.run(documents(MemoryCluster(route("chat")), route=None, namespace=None)) == []
