"""What `fairlead budgets` says of a cluster, from objects as the operator leaves them."""

import asyncio
from typing import Any

from fairlead.controller import spending
from memory_cluster import MemoryCluster

BUDGET = {
    "observedAt": "2026-11-21T12:00:00Z",
    "windowStart": "2026-11-21T12:00:00Z",
    "windowEnd": "2026-11-21T13:00:00Z",
    "limitUSD": "5.00",
    "spentUSD": "5.50",
    "consumers": 2,
    "topSpenders": [{"consumer": "team-web/a", "spentUSD": "4.50"}, {"consumer": "team-web/b", "spentUSD": "1.00"}],
    "stages": [{"at": "80%", "action": "Notify", "consumers": 1, "announced": 1, "named": ["team-web/a"]}],
}


def _policy(name: str, reason: str = "Enforced", **status: Any) -> dict[str, Any]:
    enforced = {"type": "Enforced", "status": str(reason == "Enforced"), "reason": reason, "message": "so it is"}
    return {
        "kind": "BudgetPolicy",
        "metadata": {"name": name, "namespace": "team-web"},
        "spec": {"limit": {"usd": "5"}},
        "status": {"conditions": [enforced], **status},
    }


def _consumer(name: str, **status: Any) -> dict[str, Any]:
    return {"kind": "ModelConsumer", "metadata": {"name": name, "namespace": "team-web"}, "status": status}


def _read(*objects: dict[str, Any], namespace: str | None = None) -> Any:
    return asyncio.run(spending.read(MemoryCluster(*objects), namespace=namespace))


def test_windows_spenders_and_the_unbudgeted() -> None:
    document = _read(
        _policy("agents", budget=BUDGET),
        _consumer("a", budgets=["team-web/agents"]),
        _consumer("free", budgets=[]),
        _consumer("new"),
    )
    assert spending.lines(document) == [
        "team-web/agents: $5 each, resets 2026-11-21T13:00:00Z; $5.50 spent by 2, as of 2026-11-21T12:00:00Z",
        "  team-web/a                               $         4.50 spent  Notify",
        "  team-web/b                               $         1.00 spent",
        "",
        "without a budget: team-web/free",
    ]
    (policy,) = document["policies"]
    assert (policy["spentUSD"], policy["windowEnd"]) == ("5.50", "2026-11-21T13:00:00Z")


def test_who_may_have_so_many_requests_in_flight() -> None:
    document = _read(_consumer("free", budgets=[]) | {"spec": {"maxInFlight": 1200}}, _consumer("b", budgets=["x/y"]))
    assert document["in_flight"] == [{"consumer": "team-web/free", "most": 1200}]
    assert spending.lines(document)[-2:] == ["in flight:", f"  {'team-web/free':<40} at most 1,200 requests"]


def _route(name: str, **status: Any) -> dict[str, Any]:
    return {"kind": "ModelRoute", "metadata": {"name": name, "namespace": "team-web"}, "status": status}


def test_what_shadows_cost() -> None:
    spent = {"target": "vllm/v/owl", "spentUSD": "0.75", "since": "2026-11-01T00:00:00Z"}
    document = _read(_route("chat", shadow=[{**spent, "observedAt": "2026-11-21T12:00:00Z"}]), _route("plain"))
    assert document["shadow"] == [{"route": "team-web/chat", **spent}]
    assert spending.lines(document) == [
        "nobody has a budget",
        "",
        "shadows, in nobody's budget:",
        f"  {'team-web/chat':<40} {'$0.75':>14} spent at vllm/v/owl, since 2026-11-01T00:00:00Z",
    ]


def test_a_policy_that_nobody_enforces_says_so() -> None:
    prepaid = {field: value for field, value in BUDGET.items() if not field.startswith("window")}
    lines = spending.lines(_read(_policy("agents", reason="FailingOpen", budget=prepaid)))
    assert lines[0].startswith("team-web/agents: $5 each, never resets; $5.50 spent by 2")
    assert lines[1] == "  FailingOpen: so it is"


def test_nothing_is_known_yet() -> None:
    policy = _policy("new") | {"status": {}}
    assert spending.lines(_read(policy)) == [
        "team-web/new: $5 each; nothing is known of it yet",
        "  Pending: no operator has judged it yet",
    ]


def test_only_one_namespace() -> None:
    assert spending.lines(_read(_policy("agents"), namespace="other")) == ["nobody has a budget"]


def test_savings_stand_in_the_routes_status() -> None:
    told = {
        "baseline": "big/e/best",
        "spentUSD": "1.00",
        "baselineUSD": "10.00",
        "estimatedUSD": "0.00",
        "since": "2026-11-01T00:00:00Z",
        "observedAt": "2026-11-21T12:00:00Z",
    }
    document = _read(_route("chat", savings=told), _route("other"))
    (one,) = document["savings"]
    assert (one["route"], one["savedUSD"]) == ("team-web/chat", "9.00")
    assert spending.lines(document)[-1].split()[:3] == ["team-web/chat", "$9.00", "saved:"]
