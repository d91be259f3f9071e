"""The budget server killed, hung and slow under traffic: who gets through, and what is booked at the end."""

import contextlib
import http.client
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from running_up import CREDENTIAL, Load, RunningUp, Site, consumer, provider, route, secret, stream, until

from budget.client import COST, PASSED_UNCHECKED, TOKENS, budget, chat, gateway_metric, metric, metrics, usage
from budget.conftest import KEY, PATIENT_WITH_SERVERS, READS_OFTEN, SOON_GIVEN_UP, hung, server_pid
from budget.redis_server import RedisServer
from fairlead.demo.provider import SimulatedProvider

pytestmark = pytest.mark.envoy
Start = Callable[..., RunningUp]


def alerting(site: Site) -> tuple[bool, bool]:
    """Whether the gateway counts, under the names that the alert rules read, failed checks and those let pass."""
    names = ("envoy_cluster_ratelimit_budget_error", PASSED_UNCHECKED)
    failed, passed = (gateway_metric(site, name) > 0 for name in names)
    return failed, passed


def exactly(port: int, answers: int) -> None:
    """Wait until what is spent is what the provider answered, and stays so."""

    def counted() -> tuple[int, int]:
        found = usage(port)["budget"]
        return round(found["spent"] * 10**9), round(found["reserved"] * 10**9)

    patience = time.monotonic() + 60
    while counted()[0] != answers * COST:
        assert time.monotonic() < patience, (counted(), answers * COST)
        time.sleep(0.1)
    time.sleep(2)
    assert counted()[0] == answers * COST


@pytest.mark.slow
def test_a_server_killed_under_load_costs_no_request_and_no_cent(
    site: Site, start: Start, simulated: SimulatedProvider
) -> None:
    site.write_config(budgets=SOON_GIVEN_UP)
    site.write("budget.yaml", budget(usd="10"))
    running = start(site).serving()
    (port,) = site.ports
    with Load([port], per_second=100, key=KEY) as load:
        time.sleep(1)
        os.kill(server_pid(running), signal.SIGKILL)
        running.wait_for("budget server is back")
        time.sleep(1.5)
    assert load.failed == {}
    answers = simulated.control.stats().by_status[200]
    exactly(port, answers)
    text = metrics(site.state / "_budget" / "http.sock")
    found = metric(text, "fairlead_budget_reconciled_tokens_total")
    assert metric(text, "fairlead_budget_share_captured") == pytest.approx(1 - found / (answers * TOKENS))


def test_a_hung_server_delays_and_does_not_stop_and_is_replaced(site: Site, start: Start) -> None:
    site.write_config(budgets=SOON_GIVEN_UP)
    site.write("budget.yaml", budget(usd="10"))
    running = start(site, before=READS_OFTEN).serving()
    (port,) = site.ports
    assert chat(port).status == 200
    hung = server_pid(running)
    os.kill(hung, signal.SIGSTOP)
    for _ in range(5):
        began = time.monotonic()
        assert chat(port).status == 200
        assert time.monotonic() - began < 10, "the timeout and no more; a busy machine may take its time"
    until(lambda: alerting(site) == (True, True))
    running.wait_for("budget server hangs")
    running.wait_for("budget server is back")
    assert server_pid(running) != hung
    # The gateway finds the next one at its next request, or the one after it.
    answers = 6

    def checked() -> bool:
        nonlocal answers
        answer = chat(port)
        answers += answer.status == 200
        return "x-fairlead-budget-remaining" in answer.headers

    until(checked, "the next server is not asked")
    # Of the five, checks and reports may have been in the socket of the one that was killed: found by the counters.
    exactly(port, answers)


def test_a_slow_server_is_waited_for(site: Site, start: Start) -> None:
    """A check may take its whole `timeout`: it is not given up for its first try."""
    site.write_config(budgets={"timeout": "30s"})
    site.write("budget.yaml", budget(usd="10"))
    running = start(site).serving()
    (port,) = site.ports
    assert chat(port).status == 200
    slow = server_pid(running)
    os.kill(slow, signal.SIGSTOP)
    threading.Timer(0.6, os.kill, (slow, signal.SIGCONT)).start()
    assert "x-fairlead-budget-remaining" in chat(port).headers, "it passed unchecked"


def test_where_the_policy_is_closed_nobody_passes_unchecked(site: Site, start: Start) -> None:
    site.write_config(budgets={"failurePolicy": "Closed", "timeout": "1s"})
    site.write("budget.yaml", budget(usd="10"))
    running = start(site, before=PATIENT_WITH_SERVERS).serving()
    (port,) = site.ports
    until(lambda: chat(port).status == 200)
    with hung(running):
        answer = chat(port)
        assert (answer.status, answer.json["error"]["code"]) == (503, "budget_unavailable")
        assert answer.headers["retry-after"] == "5"
        assert answer.headers["content-type"] == "application/json"
        until(lambda: alerting(site) == (True, False))
    until(lambda: chat(port).status == 200)


def test_reports_that_are_lost_are_found_in_the_counters(site: Site, start: Start) -> None:
    """Also for a policy of the route that was asked, where a rule led to another one."""
    site.write_config(budgets=SOON_GIVEN_UP)
    site.write("budget.yaml", budget(usd="10"), budget("asked", usd="30", routes=["asked"]))
    rule = {"name": "greetings", "when": {"lastUserContains": ["hi"]}, "route": "small"}
    site.write("asked.yaml", route("asked", "sparrow", rules=[rule]))
    running = start(site, before=READS_OFTEN).serving()
    (port,) = site.ports
    moved = chat(port, "asked")
    assert (moved.status, moved.headers["x-fairlead-route"]) == (200, "fairlead/small")
    pid = server_pid(running)
    for number in range(3):
        os.kill(server_pid(running), signal.SIGKILL)
        assert chat(port).status == 200, "nobody listens: unchecked, and its report is lost"
        if number:
            assert chat(port, "asked").status == 200
        running.wait_for("budget server is back")
    assert server_pid(running) != pid
    exactly(port, 6)
    # Found, not guessed: the tokens are the gateway's.
    spent = {one["name"]: (round(one["spent"] * 10**9), one["estimated"]) for one in usage(port)["budgets"]}
    assert spent == {"fairlead/agents": (6 * COST, 0), "fairlead/asked": (3 * COST, 0)}


def test_redis_under_a_gateway(site: Site, start: Start, own_redis: RedisServer) -> None:
    own_redis.command("CONFIG", "SET", "appendfsync", "always")
    site.write_config(budgets={**SOON_GIVEN_UP, "store": own_redis.url})
    site.write("budget.yaml", budget(usd="10"))
    start(site, before=READS_OFTEN).serving()
    (port,) = site.ports
    assert chat(port).status == 200
    own_redis.signal(signal.SIGKILL)
    for _ in range(4):
        assert chat(port).status == 200
    own_redis.start()
    exactly(port, 5)

    def reports(kind: str) -> float:
        return metric(metrics(site.state / "_budget" / "http.sock"), "fairlead_budget_reports_total", kind=kind)

    until(lambda: (reports("unchecked"), reports("metered")) == (4, 1))


@pytest.mark.slow
def test_a_gateway_that_died_holds_what_was_on_its_way_and_nothing_is_booked_twice(
    site: Site, start: Start, simulated: SimulatedProvider
) -> None:
    site.write("budget.yaml", budget(usd="10"))
    running = start(site, before=READS_OFTEN).serving()
    (port,) = site.ports
    for _ in range(3):
        assert chat(port).status == 200
    exactly(port, 3)
    simulated.control.fault(stall_after_chunks=3, count=1)
    chunks = stream(port, key=KEY)
    next(chunks)
    (died,) = running.children()
    os.kill(died, signal.SIGKILL)
    with contextlib.suppress(http.client.HTTPException, OSError):
        list(chunks)
    until(lambda: set(running.children()) - {died})
    answers = 3 + bool(until(lambda: answered(port)))
    text = metrics(site.state / "_budget" / "http.sock")
    read = metric(text, "fairlead_budget_gateway_readings_total", outcome="read")
    exactly(port, answers)
    # Its counters begin again at zero; two readings later nobody takes that for something.
    patience = time.monotonic() + 90
    while metric(text, "fairlead_budget_gateway_readings_total", outcome="read") < read + 3:
        assert time.monotonic() < patience
        time.sleep(0.1)
        text = metrics(site.state / "_budget" / "http.sock")
    exactly(port, answers)
    found = usage(port)["budget"]
    # The stream's report never came: what it may have cost is held, and booked after a quarter of an hour.
    assert 0.0002 < found["reserved"] < 0.0004, "its bytes, and 100 tokens at $2 a million"
    assert found["estimated"] == 0


def answered(port: int) -> bool:
    """Ask once, of a gateway that may not be there."""
    try:
        return chat(port).status == 200
    except OSError:
        return False


def test_two_gateways_draw_on_one_budget(tmp_path: Path, start: Start, simulated: SimulatedProvider) -> None:
    site = Site(tmp_path, regions=2)
    site.write("provider.yaml", provider(simulated.base_url, "sparrow"), secret("sim", key=CREDENTIAL))
    site.write("route.yaml", route("chat", "sparrow", maxOutputTokens=100))
    site.write("agent.yaml", consumer("agent", "k"), secret("agent", k=KEY))
    site.write("budget.yaml", budget(usd="10"))
    start(site).serving()
    one, two = site.ports
    for port in (one, two, two):
        assert chat(port).status == 200
    exactly(one, 3)
    until(lambda: usage(one) == usage(two))
