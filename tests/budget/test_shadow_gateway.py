"""Shadows of a real gateway are booked apart: `fairlead up`, real Envoys, SQLite, and what people see of it."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from command_line import run
from running_up import CREDENTIAL, RunningUp, Site, provider, route, secret, until

from budget.client import COST, budget, chat, metric, metrics, spent
from budget.conftest import PATIENT_WITH_SERVERS, SOON_GIVEN_UP, hung
from budget.failing_provider import RESET, failing
from fairlead.demo.provider import SimulatedProvider

pytestmark = pytest.mark.envoy
Start = Callable[..., RunningUp]


@pytest.fixture
def candidate() -> Iterator[SimulatedProvider]:
    """Run the provider that gets the copies; each answer has 1 + 12 tokens, as the other's."""
    with SimulatedProvider(models=("owl",), keys=(CREDENTIAL,)) as running:
        yield running


def shadow(site: Site, base_url: str, *, name: str = "candidate", **limit: str) -> None:
    """Send a copy of each request of `chat` to a provider that takes ten times as much."""
    made = provider(base_url, "owl", name=name)
    made["spec"]["models"][0]["usdPerMillionTokens"] = {"input": "10", "output": "20"}
    site.write(f"{name}.yaml", made, secret(name, key=CREDENTIAL))
    copies = {"provider": name, "model": "owl", "sample": "100%", **({"limit": limit} if limit else {})}
    site.write(
        "route.yaml",
        route("chat", "sparrow", downgradeTo="small", maxOutputTokens=100, shadow=copies),
        route("small", "heron"),
    )


def told(site: Site) -> list[dict[str, Any]]:
    """What `fairlead budgets -o json` says of shadows."""
    found: list[dict[str, Any]] = json.loads(run("budgets", "-c", str(site.config), "-o", "json").output)["shadow"]
    return found


def dollars(site: Site) -> float:
    (one,) = told(site)
    return float(one["spentUSD"])


def test_copies_are_booked_apart_and_stay_booked(site: Site, start: Start, candidate: SimulatedProvider) -> None:
    shadow(site, candidate.base_url)
    site.write("budget.yaml", budget(usd="1"))
    running = start(site).serving()
    (port,) = site.ports
    for _ in range(4):
        assert chat(port).status == 200
    until(lambda: dollars(site) == 4 * 10 * COST / 10**9, "the copies' own price")
    until(lambda: spent(port) == 4 * COST)
    (one,) = told(site)
    assert one == {**one, "route": "fairlead/chat", "target": "candidate/one/owl", "spentUSD": "0.001"}
    lines = run("budgets", "-c", str(site.config)).output
    assert "shadows, in nobody's budget:" in lines
    assert f"candidate/one/owl, since {one['since']}" in lines
    place, labels = site.state / "_budget" / "http.sock", {"route": "fairlead/chat", "target": "candidate/one/owl"}
    until(lambda: metric(metrics(place), "fairlead_shadow_spend_usd_total", **labels) == pytest.approx(0.001))
    assert candidate.control.stats().problems == {}
    running.stop()
    start(site).serving()
    assert dollars(site) == 0.001


def test_copies_are_booked_where_nobody_has_a_budget(site: Site, start: Start, candidate: SimulatedProvider) -> None:
    shadow(site, candidate.base_url)
    start(site).serving()
    assert chat(site.ports[0]).status == 200
    until(lambda: dollars(site) == 10 * COST / 10**9)


def test_a_copy_that_broke_is_booked_by_estimate(site: Site, start: Start) -> None:
    with failing(RESET) as port:
        shadow(site, f"http://127.0.0.1:{port}/v1")
        site.write("budget.yaml", budget(usd="1"))
        start(site).serving()
        assert chat(site.ports[0]).status == 200
        # Half a token for each byte of the body at most, and the 100 that the route lets out.
        until(lambda: 100 * 20e-6 < dollars(site) <= (130 * 10 + 100 * 20) / 10**6)
        until(lambda: spent(site.ports[0]) == COST)


def test_no_copy_goes_that_nobody_would_book(site: Site, start: Start, candidate: SimulatedProvider) -> None:
    shadow(site, candidate.base_url)
    site.write_config(budgets=SOON_GIVEN_UP)
    site.write("budget.yaml", budget(usd="1"))
    running = start(site, before=PATIENT_WITH_SERVERS).serving()
    (port,) = site.ports
    assert chat(port).status == 200
    until(lambda: candidate.control.stats().requests == 1)
    with hung(running):
        assert chat(port).status == 200, "failurePolicy: Open"
        log = site.state / "us-east-1" / "access.log"
        until(lambda: log.read_text().count('"kind":"shadow"') == 2, "the copy ended")
    assert candidate.control.stats().requests == 1


def test_a_limit_stops_copies_and_no_request(site: Site, start: Start, candidate: SimulatedProvider) -> None:
    # A copy costs $0.00025, and may cost $0.0033 at most: bodies of at most 130 bytes, and 100 tokens out.
    shadow(site, candidate.base_url, usd="0.0036")
    running = start(site).serving()
    (port,) = site.ports
    log = site.state / "us-east-1" / "access.log"
    for number in range(1, 6):
        assert chat(port).status == 200
        until(lambda number=number: log.read_text().count('"kind":"shadow"') == number, "the copy ended")
        until(lambda: round(dollars(site) / 0.00025) == candidate.control.stats().requests, "it is booked")
    assert 1 <= candidate.control.stats().requests < 5
    shadow(site, candidate.base_url, usd="1")
    running.wait_for("accepted", "spec.shadow.limit.usd")
    served = candidate.control.stats().requests
    until(lambda: chat(port).status == 200 and candidate.control.stats().requests > served)
