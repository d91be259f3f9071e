"""`fairlead logs` of a running `fairlead up`, as a person asks."""

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result
from running_up import COMMAND, CREDENTIAL, RunningUp, Site, ask, route, until

from fairlead.cli import main
from fairlead.demo.provider import SimulatedProvider

pytestmark = pytest.mark.envoy


def run(*options: str) -> Result:
    return CliRunner().invoke(main, ["logs", *options])


def logs(*options: str) -> list[dict[str, Any]]:
    """Ask as a machine does."""
    return [json.loads(line) for line in run("-o", "json", *options).stdout.splitlines()]


def test_a_request_can_be_followed_rung_by_rung(
    site: Site, start: Callable[..., RunningUp], simulated: SimulatedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(site.root)  # where `.fairlead` is
    site.write("route.yaml", route("chat", "sparrow", fallbacks=[{"provider": "sim", "model": "heron"}]))
    with start(site).serving():
        command = [*COMMAND, "logs", "--follow", "--tail", "0", "--state", str(site.state)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as following:
            try:
                ask(site.ports[0])
                simulated.control.fault(status=503, count=1)
                ask(site.ports[0])
                ask(site.ports[0], "nobody")
                whole = until(lambda: (found := logs())[2:] and all(one["status"] for one in found) and found)
                well, retried, unknown = whole
                assert following.stdout
                until(lambda: ask(site.ports[0])[0] == 200 and _has_line(following))
            finally:
                following.terminate()
    assert [one["status"] for one in whole] == [200, 200, 404]
    assert (well["usd"], well["tokens"]["output"], len(well["attempts"])) == ("0.000025", 12, 1)
    assert [(one["target"], one["status"], one["failure"]) for one in retried["attempts"]] == [
        ("sim/one/sparrow", 503, "ServerError"),
        ("sim/one/heron", 200, None),
    ]
    assert unknown["route"] is None
    # After `up` has ended, too.
    assert [one["requestID"] for one in logs("--errors", "--tail", "2")] == [
        retried["requestID"],
        unknown["requestID"],
    ]
    told = run(retried["requestID"])
    assert "1. sim/one/sparrow  503" in told.stdout
    assert CREDENTIAL not in told.stdout
    assert run("none").exit_code == 1


def _has_line(following: subprocess.Popen[str]) -> bool:
    """Wait a moment for something to be said."""
    import select

    assert following.stdout
    return bool(select.select([following.stdout], [], [], 0.5)[0])
