"""Who is stopped or has spent all stays out, whatever becomes of the check: hung servers, floods, large bodies."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from running_up import RunningUp, Site, consumer, secret, until

from budget.client import EXHAUSTED, Open, budget, chat, exhaust, metric, metrics, window_with_room
from budget.conftest import PATIENT_WITH_SERVERS, SOON_GIVEN_UP, agents_site, hung
from budget.flood import flood
from fairlead.demo.provider import SimulatedProvider

pytestmark = pytest.mark.envoy
Start = Callable[..., RunningUp]


def test_who_is_stopped_is_refused_while_the_server_hangs(site: Site, start: Start) -> None:
    site.write("other.yaml", consumer("other", "k"), secret("other", k="sk-other"))
    site.write_config(budgets=SOON_GIVEN_UP)
    site.write("budget.yaml", budget(usd="1"))
    running = start(site, before=PATIENT_WITH_SERVERS).serving()
    (port,) = site.ports
    assert chat(port).status == 200
    with hung(running):
        site.write("stop.yaml", budget("stop", usd="0", consumers={"names": ["agent"]}))
        until(lambda: chat(port).status == 429)
        answer = chat(port)
        assert answer.json["error"]["code"] == answer.json["error"]["type"] == "insufficient_quota"
        assert "`fairlead/agent` was stopped" in answer.json["error"]["message"]
        assert answer.headers["x-should-retry"] == "false"
        assert chat(port, key="sk-other").status == 200, "the failurePolicy is Open"
        assert chat(port).status == 429
        # The key alone decides, so no body is waited for.
        assert chat(port, messages=[{"role": "user", "content": "x" * 50_000}]).status == 429
        connection = Open(port)
        assert [connection.chat() for _ in range(3)] == [429] * 3
        connection.close()


def test_who_has_spent_all_is_refused_while_the_server_hangs(site: Site, start: Start) -> None:
    site.write("other.yaml", consumer("other", "k"), secret("other", k="sk-other"))
    site.write_config(budgets={"timeout": "2s"})
    site.write("budget.yaml", budget(usd=EXHAUSTED, window=window_with_room()))
    running = start(site, before=PATIENT_WITH_SERVERS).serving()
    (port,) = site.ports
    first = exhaust(port)
    with hung(running):
        began = time.monotonic()
        answers = [chat(port) for _ in range(50)]
        assert time.monotonic() - began < 10, "nobody is asked; a busy machine may take its time"
        assert {answer.status for answer in answers} == {429}
        for name in ("x-ratelimit-limit", "x-ratelimit-remaining", "x-fairlead-budget-remaining", "x-should-retry"):
            assert answers[0].headers[name] == first.headers[name]
        assert abs(int(answers[0].headers["retry-after"]) - int(first.headers["retry-after"])) <= 30
        assert answers[0].json["error"]["type"] == "insufficient_quota"
        assert "does not pay for a request like this one" in answers[0].json["error"]["message"]
        assert chat(port, messages=[{"role": "user", "content": "larger" * 100}]).status == 429
        assert chat(port, key="sk-other").status == 200, "the failurePolicy is Open"


def test_a_verdict_is_void_as_soon_as_there_is_more_to_spend(site: Site, start: Start) -> None:
    site.write("budget.yaml", budget(usd=EXHAUSTED))
    start(site).serving()
    (port,) = site.ports
    exhaust(port)
    assert chat(port, max_tokens=1).status == 200, "a smaller one fits"
    assert chat(port, max_tokens=99).status == 429
    site.write("budget.yaml", budget(usd="1"))
    until(lambda: chat(port).status == 200)


def test_a_flood_of_a_spent_key_is_refused_and_nobody_else_notices(
    site: Site, start: Start, simulated: SimulatedProvider
) -> None:
    site.write_config(budgets={"failurePolicy": "Closed", "timeout": "10s"})  # a busy machine may take its time
    site.write("other.yaml", consumer("other", "k"), secret("other", k="sk-other"))
    site.write(
        "budget.yaml",
        budget(usd=EXHAUSTED, window=window_with_room(), consumers={"names": ["agent"]}),
        budget("theirs", usd="100", consumers={"names": ["other"]}),
    )
    start(site).serving()
    (port,) = site.ports
    exhaust(port)
    served, checked = simulated.control.stats().by_status[200], refusals(site)
    refused, others = asyncio.run(flood(port))
    assert (refused, others) == (Counter({429: 3_000}), Counter({200: 20}))
    assert simulated.control.stats().by_status[200] == served + 20
    assert refusals(site) - checked <= 10, "a verdict that is known is asked about once in ten seconds"


def refusals(site: Site) -> float:
    """How many checks the budget server refused."""
    text = metrics(site.state / "_budget" / "http.sock")
    return metric(text, "fairlead_budget_checks_total", verdict="rejected")


def test_a_flood_of_a_spent_key_at_a_gateway_that_does_not_know_it_yet(
    tmp_path: Path, start: Start, simulated: SimulatedProvider
) -> None:
    """Checks that are not answered in time pass (`Open`): not those of whom others were refused meanwhile."""
    site = agents_site(tmp_path, simulated, regions=2)
    site.write("budget.yaml", budget(usd=EXHAUSTED, window=window_with_room()))
    start(site).serving()
    one, two = site.ports
    exhaust(one)
    served = simulated.control.stats().by_status[200]
    found, _ = asyncio.run(flood(two))
    assert sum(found.values()) == 3_000
    assert simulated.control.stats().by_status[200] == served
