"""Budgets as clients meet them: `fairlead up`, real Envoys, a strict provider, SQLite."""

import json
import time
from collections.abc import Callable

import pytest
from running_up import RunningUp, Site, consumer, route, say, secret, until

from budget.client import (
    COST,
    Answer,
    Open,
    budget,
    chat,
    day_with_room,
    hours_with_room,
    request,
    spent,
    usage,
    window_with_room,
)
from fairlead.adapters.clock import SystemClock
from fairlead.cli.kill import STILL
from fairlead.demo.provider import SimulatedProvider

pytestmark = pytest.mark.envoy
Start = Callable[..., RunningUp]


def settled(port: int, nanodollars: int) -> None:
    """Wait until that is spent and nothing is reserved: reports come right after the answers."""
    until(lambda: spent(port) == nanodollars, f"{spent(port)} spent, want {nanodollars}")


def test_a_request_is_reserved_and_settled(site: Site, start: Start) -> None:
    site.write("budget.yaml", budget(usd="1", window=window_with_room()))
    start(site).serving()
    (port,) = site.ports
    answer = chat(port)
    assert answer.status == 200
    # 83 bytes as the provider got them, at $1 a million, and at most 100 tokens at $2 a million
    assert answer.headers["x-fairlead-budget-remaining"].startswith("0.9997")
    settled(port, COST)
    assert chat(port, stream=True).status == 200
    settled(port, 2 * COST)
    found = usage(port)
    assert found["budget"] == found["budgets"][0]
    assert (found["budget"]["name"], found["budget"]["limit"]) == ("fairlead/agents", 1.0)
    assert found["budget"]["remaining"] == pytest.approx(1 - 2 * COST / 10**9)
    assert found["budget"]["resets_at"].endswith(":00:00Z")


def test_a_spent_key_gets_429_and_is_told_when_to_come_back(site: Site, start: Start) -> None:
    hours = hours_with_room()
    site.write("budget.yaml", budget(usd="0.0004", window={"every": f"{hours}h"}))
    start(site).serving()
    (port,) = site.ports
    answers: list[Answer] = []
    while not answers or answers[-1].status == 200:
        asked_s = SystemClock().now().timestamp()
        answers.append(chat(port))
        told_s = SystemClock().now().timestamp()
        assert len(answers) < 10
        until(lambda: spent(port) >= 0)
    last = answers[-1]
    assert last.status == 429
    assert last.headers["content-type"] == "application/json"
    assert last.json["error"]["type"] == last.json["error"]["code"] == "insufficient_quota"
    assert "`fairlead/agents`" in last.json["error"]["message"]
    window_s = hours * 3600
    earliest, latest = (window_s - moment % window_s for moment in (told_s, asked_s))
    assert earliest - 1 <= int(last.headers["retry-after"]) <= latest + 1
    assert last.headers["x-ratelimit-limit"] == f'400, 400;w={window_s};name="fairlead/agents"'
    assert int(last.headers["x-ratelimit-remaining"]) < 400
    assert last.headers["x-fairlead-budget-remaining"] == f"{0.0004 - (len(answers) - 1) * COST / 10**9:.6f}".rstrip(
        "0"
    )
    assert "x-envoy-ratelimited" not in last.headers
    assert usage(port)["budget"]["stage"] is None, "it is not spent, the next request would not fit"


def test_the_kill_switch_acts_within_a_second(site: Site, start: Start) -> None:
    site.write("budget.yaml", budget(usd="1"))
    start(site).serving()
    (port,) = site.ports
    assert chat(port).status == 200
    site.write("budget.yaml", budget(usd="0"))
    began = time.monotonic()
    until(lambda: chat(port).status == 429)
    assert time.monotonic() - began < 10, "a second; a busy machine may take its time"
    assert chat(port).json["error"]["code"] == "insufficient_quota"
    assert "retry-after" not in chat(port).headers
    site.write("budget.yaml", budget(usd="1"))
    until(lambda: chat(port).status == 200)


def test_spend_survives_edits_recreation_and_restarts(site: Site, start: Start) -> None:
    day_with_room()
    policy = budget(usd="1", window={"calendar": "Month"})
    site.write("budget.yaml", policy)
    running = start(site).serving()
    (port,) = site.ports
    for _ in range(3):
        assert chat(port).status == 200
    settled(port, 3 * COST)
    site.write("budget.yaml", budget(usd="2", window={"calendar": "Month"}))
    until(lambda: usage(port)["budget"]["limit"] == 2)
    settled(port, 3 * COST)
    (site.manifests / "budget.yaml").unlink()
    until(lambda: usage(port)["budget"] is None)
    site.write("budget.yaml", policy)
    until(lambda: usage(port)["budget"])
    settled(port, 3 * COST)
    assert running.stop() == 0
    start(site).serving()
    settled(port, 3 * COST)


def test_a_downgrade_is_answered_by_the_smaller_route(site: Site, start: Start) -> None:
    site.write("budget.yaml", budget(usd="0.01", stages=[{"at": "1%", "action": "Downgrade"}]))
    start(site).serving()
    (port,) = site.ports
    for _ in range(4):
        answer = chat(port)
        assert answer.headers["x-fairlead-route"] == "fairlead/chat"
        until(lambda: spent(port) > 0)
    settled(port, 4 * COST)
    for stream in (False, True):
        answer = chat(port, stream=stream)
        assert answer.status == 200
        assert answer.headers["x-fairlead-route"] == "fairlead/small"
        assert answer.headers["x-fairlead-target"] == "sim/one/heron"
    settled(port, 6 * COST)
    log = site.state / site.regions[0] / "access.log"
    lines = until(
        lambda: [
            line
            for line in (json.loads(one) for one in log.read_text().splitlines(keepends=True) if one.endswith("\n"))
            if line["route"] == "fairlead/small" and line["kind"] == "request"
        ]
    )
    assert (lines[0]["route"], lines[0]["model"], lines[0]["target"]) == ("fairlead/small", "chat", "sim/one/heron")


def test_the_last_resort_of_a_downgrade_is_the_smaller_route_s(
    site: Site, start: Start, simulated: SimulatedProvider
) -> None:
    site.write("budget.yaml", budget(usd="0.01", stages=[{"at": "0.1%", "action": "Downgrade"}]))
    start(site).serving()
    (port,) = site.ports
    assert chat(port).status == 200
    settled(port, COST)
    simulated.control.fault(status=503, model="heron", count=1)
    answer = chat(port)
    assert (answer.status, answer.headers["x-fairlead-target"]) == (200, "sim/one/heron")
    assert answer.headers["x-fairlead-attempts"] == "2"


def test_each_consumer_has_its_own_budget_unless_it_is_shared(site: Site, start: Start) -> None:
    site.write("other.yaml", consumer("other", "k"), secret("other", k="sk-other"))
    site.write(
        "budget.yaml",
        budget("each", usd="1", consumers={"names": ["agent", "other"]}),
        budget("both", usd="2", scope="Shared"),
        budget("small-only", usd="0", routes=["small"]),
    )
    start(site).serving()
    (port,) = site.ports
    assert chat(port).status == 200
    assert chat(port, key="sk-other").status == 200
    assert chat(port, "small").status == 429, "a policy for this route alone"

    def by_name(key: str) -> dict[str, float]:
        return {one["name"]: round(one["spent"] * 10**9) for one in usage(port, key=key)["budgets"]}

    expected = {"fairlead/each": COST, "fairlead/both": 2 * COST, "fairlead/small-only": 0}
    until(lambda: by_name("sk-agent") == expected)
    until(lambda: by_name("sk-other") == expected)


def test_a_reply_without_usage_and_a_client_that_leaves_are_estimated(
    site: Site, start: Start, simulated: SimulatedProvider
) -> None:
    site.write("budget.yaml", budget(usd="1"))
    start(site).serving()
    (port,) = site.ports
    simulated.control.fault(usage=False, count=1)
    answer = chat(port)
    assert answer.status == 200
    first = until(lambda: usage(port)["budget"]["estimated"])
    reserved = (96 + 200) * 1_000  # bytes of the body as it goes out, and its limit at twice the price
    assert 0 < round(first * 10**9) <= reserved
    simulated.control.fault(stall_after_chunks=3, count=1)
    with pytest.raises(TimeoutError):
        _leave_early(port)
    until(lambda: usage(port)["budget"]["estimated"] > first)
    until(lambda: usage(port)["budget"]["reserved"] == 0)
    streamed = (152 + 200) * 1_000  # the body of a stream asks for its usage, too
    assert round(usage(port)["budget"]["spent"] * 10**9) <= reserved + streamed


def _leave_early(port: int) -> None:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=0.5)
    try:
        body = json.dumps({"model": "chat", "messages": [{"role": "user", "content": "hi"}], "stream": True})
        connection.request(
            "POST",
            "/v1/chat/completions",
            body,
            {"authorization": "Bearer sk-agent", "content-type": "application/json"},
        )
        connection.getresponse().read()
    finally:
        connection.close()


def test_what_a_provider_refuses_costs_nothing(site: Site, start: Start, simulated: SimulatedProvider) -> None:
    site.write("budget.yaml", budget(usd="1"))
    start(site).serving()
    (port,) = site.ports
    simulated.control.fault(status=503)
    assert chat(port).status == 503
    settled(port, 0)
    simulated.control.clear()
    assert chat(port, messages="not a list").status == 400
    settled(port, 0)


def test_a_client_cannot_choose_its_consumer_its_route_or_its_request_id(site: Site, start: Start) -> None:
    site.write("budget.yaml", budget(usd="1"))
    start(site).serving()
    (port,) = site.ports
    import http.client

    for _ in range(3):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        forged = {
            "authorization": "Bearer sk-agent",
            "content-type": "application/json",
            "x-request-id": "always-the-same",
            "x-fl-downgrade": "fairlead/small",
            "x-fl-consumer": "fairlead/other",
        }
        body = json.dumps({"model": "chat", "messages": [{"role": "user", "content": "hi"}]})
        connection.request("POST", "/v1/chat/completions", body, forged)
        response = connection.getresponse()
        assert response.status == 200
        assert response.headers["x-fairlead-route"] == "fairlead/chat"
        response.read()
        connection.close()
    settled(port, 3 * COST)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/v1/usage", headers={"x-fl-consumer": "fairlead/agent", "authorization": "Bearer wrong"})
    assert connection.getresponse().status == 401
    connection.close()


def test_without_policies_there_is_no_budget_and_no_server(site: Site, start: Start) -> None:
    start(site).serving()
    (port,) = site.ports
    assert usage(port) == {"object": "usage", "budget": None, "budgets": []}
    answer = chat(port)
    assert answer.status == 200
    assert "x-fairlead-budget-remaining" not in answer.headers
    assert not (site.state / "_budget").exists()
    assert request(port, "POST", "/v1/usage", {}).status == 404


def command(site: Site, *words: str) -> str:
    done = say(*words, "-c", site.config)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_budgets_and_kill(site: Site, start: Start) -> None:
    day_with_room()
    site.write("other.yaml", consumer("other", "k"), secret("other", k="sk-other"))
    site.write("budget.yaml", budget(usd="5", consumers={"names": ["agent"]}, window={"calendar": "Day"}))
    start(site).serving()
    (port,) = site.ports
    assert chat(port).status == 200
    assert chat(port, key="sk-other").status == 200
    settled(port, COST)
    shown = until(lambda: text if "$0.000025 this month" in (text := command(site, "budgets")) else "")
    assert "fairlead/agents: $5.00 each, resets" in shown
    assert "fairlead/agent" in shown
    assert "$0.000025 spent" in shown
    assert "without a budget: 2" in shown, "the other one, and callers without a key"
    assert json.loads(command(site, "budgets", "-o", "json"))["store"] == "up"
    assert command(site, "kill", "fairlead/other") == "fairlead/other: stopped\n"
    began = time.monotonic()
    until(lambda: chat(port, key="sk-other").status == 429)
    assert time.monotonic() - began < 10, "a second; a busy machine may take its time"
    assert chat(port).status == 200
    assert command(site, "kill", "--list") == "fairlead/other: stopped\n"
    # The gateway refuses by its own directory, which may arrive before the budget server reads its configuration.
    assert until(lambda: "stopped by hand: fairlead/other" in command(site, "budgets"))
    command(site, "kill", "--undo", "fairlead/other")
    until(lambda: chat(port, key="sk-other").status == 200)
    site.write("stop.yaml", budget("stop-other", usd="0", consumers={"names": ["other"]}))
    assert until(lambda: "stopped by hand: fairlead/other" in command(site, "budgets"))
    undone = say("kill", "--undo", "fairlead/other", "-c", site.config)
    assert (undone.returncode, undone.stdout) == (1, f"fairlead/other: {STILL}\n")


def test_the_first_kill_of_all_holds_for_connections_that_are_open(site: Site, start: Start) -> None:
    start(site).serving()
    (port,) = site.ports
    connections = [Open(port) for _ in range(16)]
    assert {one.chat() for one in connections} == {200}, "nobody has a budget"
    assert command(site, "kill", "fairlead/agent") == "fairlead/agent: stopped\n"
    until(lambda: chat(port).status == 429)
    until(lambda: {one.chat() for one in connections} == {429})
    # The listener gains the check, too: of its old connections more and more are told to close, seldom at first.
    assert 1 in {one.opened for one in connections}
    command(site, "kill", "--undo", "fairlead/agent")
    until(lambda: {one.chat() for one in connections} == {200})
    for one in connections:
        one.close()


def test_a_route_without_a_limit_is_bounded_by_the_request(site: Site, start: Start) -> None:
    site.write("route.yaml", route("chat", "sparrow"))
    site.write("budget.yaml", budget(usd="0.001"))
    start(site).serving()
    (port,) = site.ports
    assert chat(port, max_tokens=100).status == 200
    assert chat(port, max_tokens=100, n=6).status == 429, "600 tokens do not fit"
    assert chat(port).status == 429, "nothing bounds it but 4096 tokens"
    assert chat(port, max_tokens="100").status == 400
