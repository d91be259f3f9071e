"""Leases as callers meet them: `fairlead up`, two workers, a strict provider, SQLite, and nothing passes unchecked."""

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Self

import pytest
from running_up import CREDENTIAL, RunningUp, Site, until

from budget.client import COST, Open, budget, chat, metric, metrics, spent, usage, window_with_room
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


def granted(site: Site) -> float:
    """How many checks were granted."""
    return metric(metrics(site.state / "_budget" / "http.sock"), "fairlead_budget_checks_total", verdict="granted")


def settled(port: int) -> int:
    """What is spent once nothing is reserved; each time one more request, which carries back what is owed."""
    count = 0

    def ask() -> bool:
        nonlocal count
        count += chat(port).status == 200
        return spent(port) >= 0

    until(ask, "something is reserved for good")
    return count


@pytest.fixture
def port(up: RunningUp) -> int:
    (port,) = up.site.ports
    up.site.write("budget.yaml", budget(usd="100", window=window_with_room()))
    until(lambda: chat(port).status == 200)
    settled(port)
    return port


def changed(up: RunningUp, usd: str) -> None:
    """Let other policies hold: what is held goes back."""
    up.site.write("budget.yaml", budget(usd=usd, window=window_with_room()))


def test_a_caller_at_a_high_rate_makes_few_checks_and_pays_exactly(up: RunningUp, port: int) -> None:
    before, asked = spent(port), granted(up.site)
    with Caller(port) as caller:
        until(lambda: caller.statuses.total() >= 800)
    assert set(caller.statuses) == {200}
    assert granted(up.site) - asked < caller.statuses.total() / 2
    answer = chat(port)
    assert float(answer.headers["x-fairlead-budget-remaining"]) < 100
    changed(up, "101")
    total = caller.statuses.total() + 1 + settled(port)
    until(lambda: spent(port) - before == total * COST, f"{spent(port) - before} spent, want {total * COST}")


def test_who_is_stopped_takes_no_more_units(up: RunningUp, port: int) -> None:
    before = spent(port)
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
    total = caller.statuses[200] + 1 + settled(port)
    until(lambda: spent(port) - before == total * COST, f"{spent(port) - before} spent, want {total * COST}")


def test_a_server_that_is_killed_costs_no_report(up: RunningUp, port: int) -> None:
    before = spent(port)
    with Caller(port) as caller:
        until(lambda: caller.statuses[200] >= 400)
        os.kill(server_pid(up), signal.SIGKILL)
        until(lambda: caller.statuses[200] >= 1200)
    assert set(caller.statuses) <= {200, 503}, "what is not checked is refused, and units are used meanwhile"

    def paid() -> int:
        return round(usage(port)["budget"]["spent"] * 10**9) - before

    # What it granted with its last breath is reserved until it expires: nobody knows of it.
    total = caller.statuses[200] * COST
    until(lambda: paid() == total, f"{paid()} spent, want {total}")
