"""The kill switch of a cluster: a policy of no dollars beside the consumer."""

import asyncio
from typing import Any

import pytest

from fairlead.api.decode import decode
from fairlead.controller import kill
from fairlead.errors import ClusterError
from fairlead.runtime.stop import policy_name
from fast_clock import FastClock
from memory_cluster import MemoryCluster


def _consumer(name: str) -> dict[str, Any]:
    return {"kind": "ModelConsumer", "metadata": {"name": name, "namespace": "team-web"}}


def test_stopped_and_let_go() -> None:
    cluster = MemoryCluster(_consumer("a"), _consumer("b"))
    asyncio.run(kill.stop(cluster, ["team-web/a", "team-web/b"]))
    asyncio.run(kill.stop(cluster, ["team-web/a"]))
    policy = cluster.find("BudgetPolicy", "kill-a", "team-web")
    assert policy is not None
    assert policy["spec"] == {"consumers": {"names": ["a"]}, "limit": {"usd": "0"}}
    assert decode(policy, default_namespace="fairlead").problems == ()
    assert asyncio.run(kill.stopped(cluster, namespace=None)) == ("team-web/a", "team-web/b")
    asyncio.run(kill.let_go(cluster, ["team-web/a", "team-web/never-stopped"]))
    assert asyncio.run(kill.stopped(cluster, namespace=None)) == ("team-web/b",)


def test_a_name_that_is_mistyped_stops_nobody() -> None:
    cluster = MemoryCluster(_consumer("a"))
    with pytest.raises(ClusterError, match="ModelConsumer team-web/aa is not there: nobody was stopped"):
        asyncio.run(kill.stop(cluster, ["team-web/a", "team-web/aa"]))
    assert cluster.all("BudgetPolicy") == []


def test_a_long_name() -> None:
    names = {policy_name("x" * 63), policy_name("x" * 62 + "y"), policy_name("x" * 58)}
    assert len(names) == 3
    assert max(len(name) for name in names) == 63


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        pytest.param([{"type": "Enforced", "status": "True"}], "", id="in effect"),
        pytest.param([{"type": "Enforced", "status": "False", "message": "no store"}], "no store", id="not enforced"),
        pytest.param([], "no operator has judged it yet", id="not judged"),
    ],
)
def test_in_effect(conditions: list[dict[str, str]], said: str) -> None:
    cluster = MemoryCluster(_consumer("a"))
    asyncio.run(kill.stop(cluster, ["team-web/a"]))
    cluster.put({**(cluster.find("BudgetPolicy", "kill-a", "team-web") or {}), "status": {"conditions": conditions}})
    assert asyncio.run(kill.in_effect(cluster, FastClock(), "team-web/a", within_s=1)) == said
