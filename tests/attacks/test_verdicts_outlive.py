"""A key at the end of its budget gets nothing more, whoever of those that know it is hung, killed, changed or new."""

import contextlib
import json
import os
import signal
from collections.abc import Callable

import pytest
from running_up import RunningUp, Site, consumer, secret, until

from budget.client import EXHAUSTED, budget, chat, exhaust, window_with_room
from budget.conftest import server_pid, simulated, site, start
from fairlead.demo.provider import SimulatedProvider

__all__ = ["simulated", "site", "start"]

pytestmark = pytest.mark.envoy
ANOTHER = "sk-other"
SIZES = ({}, {"max_tokens": 1}, {"max_tokens": 100, "n": 2}, {"stream": True})


def directory(site: Site) -> dict[str, str]:
    """What the gateway is told of callers."""
    routes = json.loads((site.state / site.regions[0] / "xds" / "rds.json").read_text())["resources"][0]
    (whole,) = [host for host in routes["virtual_hosts"] if host["name"] == "*"]
    found: dict[str, str] = whole["routes"][-1]["metadata"]["filter_metadata"]["envoy.filters.http.lua"]
    return found


class Hung:
    """A budget server that answers nobody; the next one, which `up` starts in its place, does not either."""

    def __init__(self, running: RunningUp) -> None:
        self._running = running

    def hang(self) -> None:
        os.kill(until(self._pid), signal.SIGSTOP)

    def _pid(self) -> int | None:
        with contextlib.suppress(StopIteration, OSError):  # one has just ended, and the next one begins
            return server_pid(self._running)
        return None


@pytest.mark.timeout(400)  # hung budget servers are waited for, two starts
def test_while_nobody_answers_nothing_of_it_is_served(
    site: Site, start: Callable[..., RunningUp], simulated: SimulatedProvider
) -> None:
    site.write("other.yaml", consumer("other", "k"), secret("other", k=ANOTHER))
    mine = budget(usd=EXHAUSTED, window=window_with_room(), consumers={"names": ["agent"]})
    theirs = budget("theirs", usd="5", consumers={"names": ["other"]})
    site.write("budget.yaml", mine, theirs)
    site.write_config(budgets={"timeout": "1s"})
    running = start(site, "--workers", "1").serving()
    (port,) = site.ports
    exhaust(port)
    until(lambda: "x:fairlead/agent" in directory(site))
    server, served = Hung(running), simulated.control.stats().by_status[200]

    def refused() -> None:
        """Try every size; others go on."""
        nonlocal served
        server.hang()
        for size in SIZES:
            assert {chat(port, **size).status for _ in range(2)} == {429}
        assert chat(port, key=ANOTHER).status == 200, "the failurePolicy is Open"
        served += 1
        assert simulated.control.stats().by_status[200] == served

    refused()
    # Somebody else's budget is another.
    before = directory(site)
    site.write("budget.yaml", mine, budget("theirs", usd="6", consumers={"names": ["other"]}))
    until(lambda: directory(site)["b:fairlead/other"] != before["b:fairlead/other"])
    assert directory(site)["b:fairlead/agent"] == before["b:fairlead/agent"]
    until(lambda: chat(port, key=ANOTHER).status == 200)
    served += 1
    refused()
    # Listeners are another, so that all that workers remember is gone.
    site.write_config(limits={"requestBytes": 100_000})
    running.wait_for("accepted", "limits.requestBytes")
    until(lambda: chat(port, key=ANOTHER, messages=[{"role": "user", "content": "x" * 200_000}]).status == 413)
    refused()
    # The gateway is a new one.
    (envoy,) = running.children()
    os.kill(envoy, signal.SIGKILL)
    running.wait_for("envoy serves again")
    refused()
    # All of it is new, and nobody has asked since.
    running.stop()
    running = start(site, "--workers", "1").serving()
    assert "x:fairlead/agent" in directory(site)
    server = Hung(running)
    refused()
