"""Given a budget, the gateways ask the budget server, and a key that has spent its dollars is stopped."""

from typing import Any

import httpx
import pytest
from harness.provider import Provider
from harness.team import Team
from harness.waiting import eventually

KEY = "alice-budget-key"


@pytest.fixture
def alice(provider: Provider, team: Team) -> Team:
    team.kubectl.apply(team.key("alice", KEY), team.consumer("alice"), team.route("chat", provider.name, "model-a"))
    team.is_ready("modelroute", "chat")
    team.is_ready("modelconsumer", "alice")
    return team


def _policy(team: Team, usd: str) -> dict[str, Any]:
    metadata = {"name": "agents", "namespace": team.namespace}
    return {
        "apiVersion": "fairlead.dev/v1alpha1",
        "kind": "BudgetPolicy",
        "metadata": metadata,
        "spec": {"limit": {"usd": usd}},
    }


def _ask(url: str) -> httpx.Response:
    body = {"model": "chat", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 10}
    return httpx.post(
        f"{url}/v1/chat/completions", json=body, headers={"authorization": f"Bearer {KEY}"}, trust_env=False
    )


def _usage(url: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(
        f"{url}/v1/usage", headers={"authorization": f"Bearer {KEY}"}, trust_env=False
    ).json()
    return found


def test_the_kill_switch_stops_a_key_and_lets_it_go_again(alice: Team, url: str) -> None:
    assert _ask(url).status_code == 200
    alice.kubectl.apply(_policy(alice, "0"))
    refused = eventually("429", lambda: found if (found := _ask(url)).status_code == 429 else None)
    assert refused.json()["error"]["code"] == "insufficient_quota"
    alice.is_ready("budgetpolicy", "agents")
    alice.kubectl("delete", "budgetpolicy", "agents", "-n", alice.namespace)
    eventually("200", lambda: _ask(url).status_code == 200)


def test_what_is_spent_is_booked_and_survives_the_budget_server(alice: Team, url: str) -> None:
    alice.kubectl.apply(_policy(alice, "5.00"))
    alice.is_ready("budgetpolicy", "agents")
    eventually("a budget", lambda: _usage(url)["budget"])
    for _ in range(5):
        assert _ask(url).status_code == 200
    spent = eventually("what was spent", lambda: _usage(url)["budget"]["spent"])
    assert 0 < spent < 5
    # When the budget server is killed, requests pass meanwhile (Open), and what it booked is there when it is back
    pod = alice.kubectl.list("pods", "fairlead", "app.kubernetes.io/component=budget-server")[0]["metadata"]["name"]
    alice.kubectl("-n", "fairlead", "exec", pod, "--", "python3", "-c", "import os; os.kill(1, 9) or os.kill(1, 15)")
    assert _ask(url).status_code == 200

    def restarted() -> bool:
        state = alice.kubectl.get("pod", pod, "fairlead")["status"]["containerStatuses"][0]
        return bool(state["restartCount"] and state["ready"])

    eventually("the budget server again", restarted)
    eventually("what was spent before", lambda: _usage(url)["budget"] and _usage(url)["budget"]["spent"] >= spent)
