"""The chart's alerts on a real Prometheus that scrapes a real budget server."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from budget import configurations
from budget.configurations import SPENT
from budget.prometheus import BINARY, Prometheus
from budget.server import Gateway, Server

LABELS = {"app_kubernetes_io_component": "budget-server", "pod": "budget-server-0"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A limit of three requests."""
    with Server(configurations.write(tmp_path / "book.json", 3 * SPENT), "memory:") as running:
        yield running


@pytest.fixture
def prometheus(tmp_path: Path, server: Server) -> Iterator[Prometheus]:
    if BINARY is None:
        pytest.skip("prometheus is not installed: `make system` installs it")
    with Prometheus(tmp_path, scrapes=f"127.0.0.1:{server.http}", labels=LABELS) as running:
        yield running


def spend(server: Server, name: str, *, reports: int, consumer: str = "t/a") -> None:
    async def send() -> None:
        gateway = Gateway(server.rpc)
        for number in range(reports):
            await gateway.report(f"{name}-{number}", consumer=consumer, checked=False)
        await gateway.close()

    asyncio.run(send())


@pytest.mark.timeout(300)
def test_what_a_server_counts_becomes_alerts(server: Server, prometheus: Prometheus) -> None:
    prometheus.until(lambda: prometheus.value("fairlead_budget_store_up") == 1)
    assert prometheus.query('ALERTS{alertstate="firing"}') == []

    spend(server, "first", reports=3)
    (alert,) = prometheus.until(lambda: prometheus.query('ALERTS{alertname="FairleadBudgetSpent"}'))
    assert (alert["policy"], alert["consumer"], alert["alertstate"]) == ("t/p", "t/a", "firing")

    # Spend becomes dollars per hour, from two scrapes of a growing counter on.
    spend(server, "second", reports=5)
    rate = 'fairlead:spend_usd_per_hour:rate5m{consumer="t/a"}'
    prometheus.until(lambda: (prometheus.value(rate) or 0) > 0)

    # And every rule of both files works on series as they really are.
    found = prometheus.until(lambda: evaluated(prometheus))
    assert [rule for rule in found if rule["health"] != "ok" or rule.get("lastError")] == []

    server.stop()
    down = prometheus.until(lambda: prometheus.query('ALERTS{alertname="FairleadBudgetServerDown"}'))
    assert down[0]["pod"] == "budget-server-0"


def evaluated(prometheus: Prometheus) -> list[dict[str, str]]:
    """All rules, once each was evaluated; without those that a group of five minutes begins late with."""
    data = prometheus.get("/api/v1/rules") or {"groups": []}
    found = [rule for group in data["groups"] if group["interval"] <= 1 for rule in group["rules"]]
    return [] if any(rule["health"] == "unknown" for rule in found) else found
