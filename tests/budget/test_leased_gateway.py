"""Leases as callers meet them: `fairlead up`, two workers, a strict provider, SQLite, and nothing passes unchecked."""

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest
from running_up import CREDENTIAL, RunningUp, Site, until

from budget.client import COST, Open, budget, chat, metric, metrics, usage, window_with_room
from budget.conftest import IN_TIME, READS_OFTEN, agents_site, server_pid
from fairlead.demo.provider import SimulatedProvider

pytestmark = pytest.mark.envoy
CALLERS = 6


class Caller:
    """Asks over a few connections without a pause, until it is told to stop."""

    def __init__(self, port: int) -> None:
        self.statuses: Counter[int] = Counter()
        self._port = port
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(CALLERS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        connection = Open(self._port)
        with suppress(OSError):  # the gateway has ended
            while not self._stopped.is_set():
                self.statuses[connection.chat()] += 1
        connection.close()


@pytest.fixture(scope="module")
def provider() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(models=("sparrow", "heron"), keys=(CREDENTIAL,)) as running:
        yield running


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, provider: SimulatedProvider) -> Iterator[RunningUp]:
    site = agents_site(tmp_path_factory.mktemp("site"), provider)
    site.write_config(budgets={**IN_TIME, "failurePolicy": "Closed"})
    site.write("budget.yaml", budget(usd="100", window=window_with_room()))
    # Batches are tried for 3 s where nobody listens: readings that far apart take none for lost that still comes.
    with RunningUp(site, "--workers", "2", before=READS_OFTEN.replace('"1"', '"4"')) as running:
        yield running.serving()


def counted(site: Site, name: str, **labels: str) -> float:
    """What the budget server counts."""
    return metric(metrics(site.state / "_budget" / "http.sock"), f"fairlead_budget_{name}_total", **labels)


def paid(port: int) -> int:
    """What is booked; units that nobody took are reserved for seconds more."""
    return round(usage(port)["budget"]["spent"] * 10**9)


@pytest.fixture
def port(up: RunningUp) -> int:
    (port,) = up.site.ports
    return port


def changed(up: RunningUp, usd: str) -> None:
    """Let other policies hold."""
    up.site.write("budget.yaml", budget(usd=usd, window=window_with_room()))


def test_a_caller_at_a_high_rate_makes_few_checks_and_pays_exactly(up: RunningUp, port: int) -> None:
    before = paid(port)
    with Caller(port) as caller:
        until(lambda: counted(up.site, "lease_units", outcome="used") > 0)
        asked, began = counted(up.site, "checks", verdict="granted"), caller.statuses.total()
        until(lambda: caller.statuses.total() >= began + 600)
        checks = counted(up.site, "checks", verdict="granted") - asked
    assert checks < 300
    assert set(caller.statuses) == {200}
    total = before + caller.statuses.total() * COST
    until(lambda: paid(port) == total, f"{paid(port)} spent, want {total}")


def test_who_is_stopped_takes_no_more_units(up: RunningUp, port: int) -> None:
    before = paid(port)
    with Caller(port) as caller:
        until(lambda: caller.statuses[200] >= 400)
        changed(up, "0")
        until(lambda: caller.statuses[429] >= 20 * CALLERS, "each worker knows by now")
        passed = caller.statuses[200]
        until(lambda: caller.statuses[429] >= 40 * CALLERS)
        assert caller.statuses[200] == passed
    assert set(caller.statuses) == {200, 429}
    changed(up, "102")
    until(lambda: chat(port).status == 200)
    total = before + (caller.statuses[200] + 1) * COST
    until(lambda: paid(port) == total, f"{paid(port)} spent, want {total}")


def test_a_server_that_is_killed_costs_no_report(up: RunningUp, port: int) -> None:
    before = paid(port)
    with Caller(port) as caller:
        until(lambda: caller.statuses[200] >= 400)
        os.kill(server_pid(up), signal.SIGKILL)
        until(lambda: caller.statuses[200] >= 1200)
    assert set(caller.statuses) <= {200, 503}, "what is not checked is refused, and units are used meanwhile"
    total = before + caller.statuses[200] * COST
    until(lambda: paid(port) == total, f"{paid(port)} spent, want {total}")


def test_an_ordinary_end_loses_no_report(tmp_path: Path, provider: SimulatedProvider) -> None:
    site = agents_site(tmp_path, provider)
    site.write_config(budgets={**IN_TIME, "failurePolicy": "Closed"})
    site.write("budget.yaml", budget(usd="100", window=window_with_room()))
    (port,) = site.ports
    with RunningUp(site, "--workers", "2") as running, Caller(running.serving().site.ports[0]) as caller:
        until(lambda: counted(site, "lease_units", outcome="used") > 0)
        until(lambda: caller.statuses.total() >= 400)
        assert running.stop() == 0
    assert set(caller.statuses) == {200}
    with RunningUp(site, "--workers", "2") as running:
        running.serving()
        assert paid(port) == caller.statuses[200] * COST
