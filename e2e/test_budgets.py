"""Given a budget, the gateways ask the budget servers, and a key that has spent its dollars is stopped."""

import contextlib
import json
import re
import time
from typing import Any

import httpx
import openai
import pytest
from harness.cluster import Cluster
from harness.install import NAMESPACE, VALUES, gateways_ready, install
from harness.kubectl import CommandError, Object
from harness.load import Load
from harness.provider import NAMESPACE as MODELS
from harness.provider import PORT, Provider
from harness.team import Team
from harness.waiting import eventually

from fairlead.adapters.clock import SystemClock

KEY = "alice-budget-key"
USD_PER_TOKEN = {"input": 0.0001, "output": 0.001}
COST = 2 * USD_PER_TOKEN["input"] + 12 * USD_PER_TOKEN["output"]
"""Of one answer of the simulated provider to `Hello`: two tokens in, twelve out."""
CHECK_S = 0.25
"""`budgets.timeout`, by default."""
NOISE_S = 0.4
"""By how much two loads that run side by side may differ all the same."""
LAST_MINUTE = 55
"""Of an hour in which a test can begin that must see its end in it."""
SERVERS = "app.kubernetes.io/component=budget-server"
STORE = "deployment/fairlead-budget-store"


@pytest.fixture(scope="module")
def dear(provider: Provider, release: Cluster) -> str:
    """The same provider under another name and a thousand times as dear: a dollar is soon spent."""
    resource = provider.resource(
        models=[{"name": "model-a", "usdPerMillionTokens": {"input": "100", "output": "1000"}}]
    )
    resource["metadata"]["name"] = "dear"
    release.kubectl.apply(resource)
    return "dear"


@pytest.fixture
def alice(dear: str, team: Team) -> Team:
    team.kubectl.apply(team.key("alice", KEY), team.consumer("alice"), team.route("chat", dear, "model-a"))
    team.is_ready("modelroute", "chat")
    team.is_ready("modelconsumer", "alice")
    return team


def _policy(team: Team, usd: str, **spec: Any) -> Object:
    metadata = {"name": "agents", "namespace": team.namespace}
    return {
        "apiVersion": "fairlead.dev/v1alpha1",
        "kind": "BudgetPolicy",
        "metadata": metadata,
        "spec": {"limit": {"usd": usd}, **spec},
    }


def _give(team: Team, url: str, usd: str, **spec: Any) -> None:
    """Give the team a budget and wait until it is enforced and clients see it."""
    team.kubectl.apply(_policy(team, usd, **spec))
    team.is_ready("budgetpolicy", "agents")
    eventually("a budget", lambda: _usage(url)["budget"])


def _ask(url: str) -> httpx.Response:
    body = {"model": "chat", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 20}
    headers = {"authorization": f"Bearer {KEY}"}
    return httpx.post(f"{url}/v1/chat/completions", json=body, headers=headers, trust_env=False, timeout=30)


def _usage(url: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(
        f"{url}/v1/usage", headers={"authorization": f"Bearer {KEY}"}, trust_env=False
    ).json()
    return found


def _spent(url: str) -> float:
    spent: float = _usage(url)["budget"]["spent"]
    return spent


def _is_spent(url: str, answers: int, *, settled: bool = True) -> None:
    """Wait until exactly so many answers are booked; `settled`: and nothing is reserved any more."""

    def found() -> bool:
        budget = _usage(url)["budget"]
        assert budget["spent"] == pytest.approx(answers * COST), budget
        assert not settled or budget["reserved"] == 0, budget
        return True

    eventually(f"{answers} answers to be booked", found, every_s=0.5)


def _status(team: Team) -> Object:
    status: Object = team.kubectl.get("budgetpolicy", "agents", team.namespace)["status"]
    return status


def _reason(team: Team) -> str:
    return str(team.state("budgetpolicy", "agents", "Enforced").get("reason"))


def _events(team: Team, *reasons: str) -> list[str]:
    """Return the messages of the policy's Events."""
    found = team.kubectl.list("events", team.namespace)
    return [one["message"] for one in found if one["involvedObject"]["name"] == "agents" and one["reason"] in reasons]


def _servers(team: Team) -> list[str]:
    """Return the names of the budget servers that are ready and stay."""
    return [
        pod["metadata"]["name"]
        for pod in team.kubectl.list("pods", NAMESPACE, SERVERS)
        if "deletionTimestamp" not in pod["metadata"]
        and any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", ()))
    ]


def _read(team: Team, server: str, path: str) -> str:
    return team.kubectl("get", "--raw", f"/api/v1/namespaces/{NAMESPACE}/pods/{server}:8083/proxy{path}")


def test_the_kill_switch_stops_a_key_and_lets_it_go_again(alice: Team, url: str) -> None:
    assert _ask(url).status_code == 200
    with Load(url=url, key=KEY, model="chat", rate=20) as load:
        eventually("answers", lambda: len(load.answers) > 5)
        killed = time.monotonic()
        alice.kubectl.apply(_policy(alice, "0"))
        stopped = eventually("429", lambda: next((one for one in list(load.answers) if one.status == 429), None))
    print(f"a key is stopped {stopped.asked_at - killed:.2f} s after kubectl began to apply")
    assert {answer.status for answer in load.answers} == {200, 429}
    refused = eventually("429", lambda: found if (found := _ask(url)).status_code == 429 else None)
    assert refused.json()["error"]["code"] == "insufficient_quota"
    alice.is_ready("budgetpolicy", "agents")
    alice.kubectl("delete", "budgetpolicy", "agents", "-n", alice.namespace)
    eventually("200", lambda: _ask(url).status_code == 200)


def test_kubectl_fairlead_kill_stops_a_key_at_once(alice: Team, url: str) -> None:
    name = f"{alice.namespace}/alice"
    with Load(url=url, key=KEY, model="chat", rate=20) as load:
        eventually("answers", lambda: len(load.answers) > 5)
        began = time.monotonic()
        assert alice.kubectl("fairlead", "kill", name) == f"{name}: stopped\n"
        stopped = eventually("429", lambda: next((one for one in list(load.answers) if one.status == 429), None))
    print(f"a key is stopped {stopped.asked_at - began:.2f} s after `kubectl fairlead kill` began")
    assert alice.kubectl("fairlead", "kill", "--list") == f"{name}: stopped\n"
    eventually(
        "the command to say so",
        lambda: f"{alice.namespace}/kill-alice: $0 each" in alice.kubectl("fairlead", "budgets", "-n", alice.namespace),
    )
    assert alice.kubectl("fairlead", "kill", "--undo", name) == f"{name}: goes on\n"
    eventually("200", lambda: _ask(url).status_code == 200)


def test_a_runaway_key_is_stopped_at_its_dollar(alice: Team, url: str) -> None:
    # Given a dollar an hour, of which half is worth a word, in an hour that is not over in the middle of it
    eventually("an hour with room", lambda: SystemClock().now().minute < LAST_MINUTE, within_s=400, every_s=1)
    _give(alice, url, "1.00", window={"every": "1h"}, stages=[{"at": "50%", "action": "Notify"}])
    # When an agent asks and asks, with the official client
    answers, stopped = _run_away(url)
    # then it is stopped before the dollar is passed, and told why and for how long
    assert 0.9 < answers * COST <= 1
    assert stopped.code == "insufficient_quota"
    assert 0 < int(stopped.response.headers["retry-after"]) <= 3600
    _is_spent(url, answers)
    # and everybody can see it: the window, who spent, and that a stage was reached, once
    budget = eventually("what was spent", lambda: _shown(alice, answers))
    assert budget["limitUSD"] == "1.00"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:00:00Z", budget["windowEnd"])
    assert budget["top"].startswith(f"{alice.namespace}/alice ")
    assert _status(alice)["reach"] == "FleetWide", "both regions are served here"
    (told,) = eventually("an Event", lambda: _events(alice, "BudgetNotify"))
    assert told.startswith(f"{alice.namespace}/alice reached 50% of $1.00")
    (refused,) = eventually("an Event", lambda: _events(alice, "BudgetRefused"))
    assert refused.startswith(f"{alice.namespace}/alice spent $0.9")
    columns = alice.kubectl("get", "budgetpolicy", "agents", "-n", alice.namespace).splitlines()[1].split()
    assert columns[1:5] == ["True", "True", "1.00", budget["spentUSD"]]
    assert alice.kubectl.get("modelconsumer", "alice", alice.namespace)["status"]["budgets"] == [
        f"{alice.namespace}/agents"
    ]


def _run_away(url: str) -> tuple[int, openai.RateLimitError]:
    """Ask until it is refused; return how many answers came before."""
    messages: Any = [{"role": "user", "content": "Hello"}]
    with (
        httpx.Client(trust_env=False) as transport,
        openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0, http_client=transport) as client,
    ):
        for answers in range(200):
            try:
                client.chat.completions.create(model="chat", messages=messages, max_tokens=20)
            except openai.RateLimitError as refused:
                return answers, refused
    raise AssertionError("nobody stopped it")


def _shown(team: Team, answers: int) -> Object | None:
    """Return the status once it shows what was spent, within a hundredth of the dollar."""
    budget = _status(team).get("budget", {})
    return budget if abs(float(budget.get("spentUSD", "0")) - answers * COST) < 0.02 else None


def test_status_is_not_written_at_the_rate_of_requests(alice: Team, url: str) -> None:
    _give(alice, url, "1000.00")
    versions: set[str] = set()
    with Load(url=url, key=KEY, model="chat", rate=20) as load:

        def many_answers() -> bool:
            versions.add(alice.kubectl.get("budgetpolicy", "agents", alice.namespace)["metadata"]["resourceVersion"])
            return len(load.answers) > 200

        eventually("many answers", many_answers, every_s=0.5)
    assert load.failed == []
    assert len(versions) <= 4, "at most every five seconds, when there is news"


def test_two_servers_share_one_store(alice: Team, url: str) -> None:
    eventually("two servers", lambda: len(_servers(alice)) == 2)
    _give(alice, url, "1000.00")
    before = {server: _checks(alice, server) for server in _servers(alice)}
    asked = 0

    def both_decided() -> bool:
        nonlocal asked
        assert _ask(url).status_code == 200
        asked += 1
        return all(_checks(alice, server) > before[server] for server in before)

    # When requests come, both decide, and both know all that was spent
    eventually("both to decide", both_decided, every_s=0)
    _is_spent(url, asked)
    for server in before:
        spend = json.loads(_read(alice, server, "/v1/spend"))
        account = next(one for one in spend["accounts"] if one["policy"] == f"{alice.namespace}/agents")
        assert account["spent"] == round(asked * COST * 10**9), server


def _checks(team: Team, server: str) -> float:
    lines = _read(team, server, "/metrics").splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("fairlead_budget_checks_total"))


def test_a_server_killed_under_load_costs_no_request_and_no_cent(alice: Team, url: str) -> None:
    eventually("two servers", lambda: len(_servers(alice)) == 2)
    _give(alice, url, "1000.00")
    with Load(url=url, key=KEY, model="chat", rate=20) as load:
        eventually("answers", lambda: len(load.answers) > 40)
        victim = _servers(alice)[0]
        alice.kubectl("-n", NAMESPACE, "delete", "pod", victim, "--grace-period=0", "--force")
        wanted = len(load.answers) + 100
        eventually("more answers", lambda: len(load.answers) > wanted)
    assert load.failed == []
    # What it had in its hands is found in the gateways' counters; its reservations expire by themselves
    _is_spent(url, len(load.answers), settled=False)
    assert _events(alice, "FailingOpen", "FailingClosed") == [], "the other one decided"
    eventually("two servers", lambda: len(_servers(alice)) == 2 and victim not in _servers(alice))


def test_both_servers_deleted_at_once_cost_no_request_more_than_their_timeout(
    alice: Team, provider: Provider, url: str
) -> None:
    if alice.cluster.name is None:
        pytest.skip("the provider of a given cluster is not to be reached past its gateways")
    eventually("two servers", lambda: len(_servers(alice)) == 2)
    _give(alice, url, "1000.00")
    # Given somebody who asks the provider itself meanwhile: what that takes is this machine's own
    address = alice.kubectl.get("service", provider.name, MODELS)["spec"]["clusterIP"]
    with (
        Load(url=url, key=KEY, model="chat", rate=20) as asked,
        Load(url=f"http://{address}:{PORT}", key=provider.key.split(",")[0], model="model-a", rate=20) as direct,
    ):
        eventually("answers", lambda: len(asked.answers) > 100)
        first, second = _servers(alice)
        killed_at = time.monotonic()
        alice.kubectl("-n", NAMESPACE, "delete", "pod", first, second, "--grace-period=0", "--force")
        eventually("nobody to decide", lambda: not {first, second} & {*_servers(alice)})
        eventually("two servers", lambda: len(_servers(alice)) == 2)
        wanted = len(asked.answers) + 100
        eventually("answers", lambda: len(asked.answers) > wanted)
    assert asked.failed == direct.failed == []
    checked, own = (
        sorted(answer.took_s for answer in load.answers if answer.asked_at > killed_at) for load in (asked, direct)
    )
    figures = [f"{_p99(found) * 1000:.0f} ms (slowest {found[-1] * 1000:.0f})" for found in (checked, own)]
    print(
        f"p99 while both budget servers are gone, and past the gateway: {', '.join(figures)}; {len(checked)} requests"
    )
    assert _p99(checked) < _p99(own) + CHECK_S + NOISE_S
    # What they had in their hands is found in the gateways' counters
    _is_spent(url, len(asked.answers), settled=False)


def _p99(took: list[float]) -> float:
    """Of sorted seconds."""
    return took[int(len(took) * 0.99)]


def test_what_is_spent_survives_the_store_s_process(alice: Team, url: str) -> None:
    _give(alice, url, "1000.00")
    for _ in range(5):
        assert _ask(url).status_code == 200
    _is_spent(url, 5)
    restarts = _restarts(alice)
    # The command is in the container that it ends: the kernel may kill it before it can say that all went well
    with contextlib.suppress(CommandError):
        alice.kubectl("-n", NAMESPACE, "exec", STORE, "--", "redis-cli", "shutdown", "nosave", "now")
    # Requests pass meanwhile, and what they cost is booked when the store is back
    assert _ask(url).status_code == 200
    eventually("the store again", lambda: _restarts(alice) > restarts)
    _is_spent(url, 6)


def _restarts(team: Team) -> int:
    """Count the restarts of a store that is ready."""
    (pod,) = team.kubectl.list("pods", NAMESPACE, "app.kubernetes.io/component=budget-store")
    state = pod["status"]["containerStatuses"][0]
    return int(state["restartCount"]) if state["ready"] else -1


def test_without_the_store_requests_pass_and_the_policy_says_so(alice: Team, url: str, release: Cluster) -> None:
    _give(alice, url, "100.00")
    answers = 83  # more than a hundredth of the limit: less is shown a minute later
    for _ in range(answers):
        assert _ask(url).status_code == 200
    # All of it: what is shown next is what stays, once nobody can count any more
    _is_spent(url, answers)
    eventually("what was spent", lambda: abs(float(_status(alice)["budget"]["spentUSD"]) - answers * COST) < COST / 2)
    shown = _status(alice)["budget"]
    release.kubectl("-n", NAMESPACE, "scale", STORE, "--replicas=0")
    try:
        eventually("the condition", lambda: _reason(alice) == "FailingOpen")
        assert "store" in alice.state("budgetpolicy", "agents", "Enforced")["message"]
        assert alice.state("budgetpolicy", "agents", "Ready")["reason"] == "NotEnforced"
        assert _status(alice)["budget"] == shown, "the last window that is known"
        assert _ask(url).status_code == 200
        assert len(_servers(alice)) == 2, "servers without their store still take reports"
    finally:
        release.kubectl("-n", NAMESPACE, "scale", STORE, "--replicas=1")
    eventually("enforcement", lambda: _reason(alice) == "Enforced")
    eventually("and back again", lambda: [text for text in _events(alice, "Ready") if "does its work" in text][1:])
    assert len(_events(alice, "FailingOpen")) == 1


def test_where_nothing_may_pass_unchecked_requests_are_refused(alice: Team, url: str, release: Cluster) -> None:
    installation = {**VALUES["installation"], "budgets": {"failurePolicy": "Closed"}}
    install(release, values={**VALUES, "installation": installation}, verb="upgrade")
    try:
        _give(alice, url, "1000.00")
        assert _ask(url).status_code == 200
        release.kubectl("-n", NAMESPACE, "scale", STORE, "--replicas=0")
        eventually("the condition", lambda: _reason(alice) == "FailingClosed")
        refused = _ask(url)
        assert refused.status_code == 503
        release.kubectl("-n", NAMESPACE, "scale", STORE, "--replicas=1")
        eventually("200", lambda: _ask(url).status_code == 200)
    finally:
        release.kubectl("-n", NAMESPACE, "scale", STORE, "--replicas=1")
        install(release, verb="upgrade")
        gateways_ready(release)
