"""Budgets on the operator that runs on an API in memory: from a policy to what its status and its Events say."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from builders import budget, consumer, provider, route
from fairlead.budget.price import USD
from fairlead.budget.shadow import ShadowAccount
from fast_clock import FASTER
from memory_cluster import MemoryCluster
from operator_stage import NAME, Stage, until, while_it_runs

EPOCH = "1970-01-01T00:00:00Z"


@pytest.fixture
def asked_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Budget servers are asked, and status is judged, as often as a fast clock wants it."""
    monkeypatch.setattr("fairlead.controller.budget_server.CALM_S", 5.0 / FASTER)
    monkeypatch.setattr("fairlead.controller.budget_server.EAGER_S", 1.0 / FASTER)
    monkeypatch.setattr("fairlead.controller.operator.KEYS_EVERY_S", 10.0 / FASTER)


def _budget_stage(cluster: MemoryCluster | None = None) -> Stage:
    if cluster is not None:
        return Stage(cluster=cluster, budgets=True)
    secret = {"kind": "Secret", "metadata": {"name": "agent", "namespace": "team-web"}, "data": {"apiKey": "a2V5"}}
    policy = budget("agents", stages=[{"at": "80%", "action": "Notify"}])
    stage = Stage(provider("p"), route("chat"), secret, consumer("agent"), policy, budgets=True)
    stage.pod("one")
    stage.budget_server()
    return stage


def _budget(stage: Stage) -> dict[str, Any]:
    found: dict[str, Any] = (stage.cluster.find("BudgetPolicy", "agents", "team-web") or {})["status"].get("budget", {})
    return found


def _shadow(stage: Stage) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (stage.cluster.find("ModelRoute", "chat", "team-web") or {})["status"].get(
        "shadow", []
    )
    return found


def _told(stage: Stage) -> list[str]:
    return [one["reason"] for one in stage.cluster.all("Event") if one["involvedObject"]["kind"] == "BudgetPolicy"]


@pytest.mark.usefixtures("asked_often")
def test_a_budget_from_its_policy_to_its_status_and_its_events() -> None:
    stage = _budget_stage()

    async def story() -> None:
        await until(stage.is_ready("BudgetPolicy", "agents"))
        assert stage.condition("BudgetPolicy", "agents", "Enforced")["reason"] == "Enforced"
        await until(lambda: _budget(stage).get("consumers") == 1)
        await until(lambda: "Ready" in _told(stage))
        begun = Counter(_told(stage))  # a server that was asked before it had the book is told of as well
        policy = stage.cluster.find("BudgetPolicy", "agents", "team-web") or {}
        assert policy["status"]["reach"] == "FleetWide", "the only region is served here"
        await until(stage.is_ready("ModelConsumer", "agent"))
        status = (stage.cluster.find("ModelConsumer", "agent", "team-web") or {})["status"]
        assert status["budgetedBy"] == "team-web/agents"
        stage.servers.spent["team-web/agent"] = 4_100_000_000
        await until(lambda: _budget(stage).get("top") == "team-web/agent 4.10")
        stage.servers.spent["team-web/agent"] = 5 * USD
        await until(lambda: "BudgetReject" in _told(stage))
        await until(
            lambda: '"x:team-web/agent":"0 *"' in stage.cluster.find("ConfigMap", f"{NAME}-routes")["data"]["rds.json"]
        )
        copies = ShadowAccount(route="team-web/chat", target="p/us/m", spent=USD // 4, since_ms=0)
        stage.servers.shadows = (copies,)
        await until(lambda: _shadow(stage))
        assert _shadow(stage)[0].items() >= {"target": "p/us/m", "spentUSD": "0.25", "since": EPOCH}.items()
        # when nobody can decide, what was spent stays
        stage.servers.store_up = False
        await until(lambda: not stage.is_ready("BudgetPolicy", "agents")())
        assert stage.condition("BudgetPolicy", "agents", "Enforced")["reason"] == "FailingOpen"
        assert (_budget(stage)["spentUSD"], _shadow(stage)[0]["spentUSD"]) == ("5.00", "0.25")
        stage.servers.store_up = True
        await until(stage.is_ready("BudgetPolicy", "agents"))
        since = {"BudgetNotify": 1, "BudgetReject": 1, "FailingOpen": 1, "Ready": 1}
        await until(lambda: Counter(_told(stage)) - begun == since)

    asyncio.run(while_it_runs(stage, story))


@pytest.mark.usefixtures("asked_often")
def test_a_restarted_operator_repeats_no_stage_and_writes_nothing() -> None:
    stage = _budget_stage()
    stage.servers.spent["team-web/agent"] = 4_100_000_000

    async def story() -> None:
        await until(stage.is_ready("BudgetPolicy", "agents"))
        await until(stage.is_ready("ModelConsumer", "agent"))
        await until(lambda: "BudgetNotify" in _told(stage))
        await until(stage.is_ready("ModelRoute", "chat"))

    asyncio.run(while_it_runs(stage, story))
    told = _told(stage)
    stage.cluster.writes.clear()
    again = _budget_stage(stage.cluster)
    again.servers.spent = dict(stage.servers.spent)

    async def second() -> None:
        await until(lambda: again.operator._budgets.reading is not None)
        await asyncio.sleep(12 / FASTER)  # twelve seconds of the operator's: what it had to say, it would have said

    asyncio.run(while_it_runs(again, second))
    assert _told(again) == told
    assert [write for write in stage.writes() if write[1] == "BudgetPolicy"] == []


def test_without_a_budget_server_a_policy_says_so() -> None:
    stage = Stage(provider("p"), route("chat"), budget("agents"))
    stage.pod("one")

    async def story() -> None:
        await until(lambda: stage.condition("BudgetPolicy", "agents", "Enforced"))
        assert stage.condition("BudgetPolicy", "agents", "Enforced")["reason"] == "NoBudgetServer"
        assert stage.condition("BudgetPolicy", "agents", "Ready")["reason"] == "NotEnforced"

    asyncio.run(while_it_runs(stage, story))
