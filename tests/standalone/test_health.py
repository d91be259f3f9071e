"""A provider that dies without a request, and comes back: `fairlead up` sees it, moves traffic and says so."""

import contextlib
import http.client
import itertools
import json
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest
from running_up import COMMAND, CREDENTIAL, PATIENCE_S, Load, RunningUp, Site, provider, route, say, secret, until
from test_truth import status, status_with

from fairlead.demo.provider import SimulatedProvider

pytestmark = pytest.mark.envoy
Start = Callable[..., RunningUp]
CHECK = {"interval": "1s", "timeout": "1s", "unhealthyThreshold": 2, "healthyThreshold": 2}


def probed(base_url: str, name: str, **check: Any) -> dict[str, Any]:
    written = provider(base_url, "sparrow", name=name)
    written["spec"]["healthCheck"] = {**CHECK, **check}
    return written


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let drains take as long as everything else here may."""
    monkeypatch.setattr("fairlead.cli.drain.PATIENCE_S", PATIENCE_S)


@pytest.fixture
def two_providers(site: Site, simulated: SimulatedProvider) -> Site:
    """Answer `chat` by `sim`, then by `other`, which is the same server: whoever answers is in the header."""
    site.write("provider.yaml", probed(simulated.base_url, "sim"), secret("sim", key=CREDENTIAL))
    site.write("route.yaml", route("chat", "sparrow", fallbacks=[{"provider": "other", "model": "sparrow"}]))
    return site


def answered(site: Site) -> tuple[str, str]:
    """Who answered a request, and at which attempt."""
    connection = http.client.HTTPConnection("127.0.0.1", site.ports[0], timeout=PATIENCE_S)
    try:
        body = json.dumps({"model": "chat", "messages": [{"role": "user", "content": "hi"}]})
        connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
        response = connection.getresponse()
        assert response.status == 200, response.read()
        return response.headers["x-fairlead-target"], response.headers["x-fairlead-attempts"]
    finally:
        connection.close()


def endpoint(site: Site, name: str) -> dict[str, Any]:
    found = {f"{one['provider']}/{one['endpoint']}": one for one in status(site)[1]["endpoints"]}
    return dict(found[name])


def test_who_dies_unasked_is_passed_over_survives_a_restart_and_comes_back_by_steps(
    two_providers: Site, start: Start, simulated: SimulatedProvider
) -> None:
    site = two_providers
    with SimulatedProvider(models=("sparrow",), keys=(CREDENTIAL,)) as other:
        site.write("other.yaml", probed(other.base_url, "other"), secret("other", key=CREDENTIAL))
        up = start(site).serving()
        until(lambda: {one["state"] for one in status(site)[1]["endpoints"]} == {"Healthy"})
        simulated.control.die()
        died = time.monotonic()
        failing = up.wait_for("failing", "sim/one is Down: connection refused")
        assert (failing["endpoint"], failing["reason"]) == ("sim/one", "ConnectionFailed")
        shifted = up.wait_for("shifted", "sim/one has 0% of its traffic, 100% before")
        assert (shifted["endpoint"], shifted["share"]) == ("sim/one", "0%")
        assert time.monotonic() - died < 2 * 1.1 + 1 + 10, "two probes, and what a busy machine takes"
        assert answered(site) == ("other/one/sparrow", "1"), "no attempt is lost on it"
        ladder = "sim/one/sparrow [Down, 0%] > other/one/sparrow >"
        document, _ = status_with(site, 1, "sim/one Down, 0% since", ladder)
        (down,) = (one for one in document["endpoints"] if one["state"] != "Healthy")
        assert down["probeUSD"] == "0"
        assert (down["provider"], down["share"], down["reason"]) == ("sim", "0%", "ConnectionFailed")

        assert up.stop() == 0
        up = start(site).serving()
        assert answered(site) == ("other/one/sparrow", "1"), "what was known is known from the first request on"
        until(lambda: endpoint(site, "sim/one")["share"] == "0%")

        with Load(site.ports, per_second=20) as load:
            simulated.control.revive()
            shares = [up.wait_for("shifted", "sim/one has")["share"] for _ in range(3)]
            assert shares == ["10%", "50%", "100%"]
            up.wait_for("recovered", "sim/one")
            until(lambda: status(site)[0] == 0)
        assert load.failed == {}
        assert answered(site) == ("sim/one/sparrow", "1")
        moments = [one["ts"] for one in up.events if one["event"] == "shifted"]
        assert len(moments) == 3
        assert all(earlier < later for earlier, later in itertools.pairwise(moments))


def healthz(site: Site, at: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", site.ports[at], timeout=PATIENCE_S)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status
    finally:
        connection.close()


def drain(site: Site, *words: str) -> subprocess.CompletedProcess[str]:
    return say("drain", *words, "-c", site.config)


@pytest.fixture
def everywhere(two_regions: Site, simulated: SimulatedProvider) -> Site:
    """Answer `chat` at an endpoint in each of two regions."""
    ours = probed(simulated.base_url, "sim")
    (one,) = ours["spec"]["endpoints"]
    ours["spec"]["endpoints"] = [
        {**one, "name": region[:2], "region": region, "capacity": {"requestsPerMinute": 6000}}
        for region in two_regions.regions
    ]
    two_regions.write("provider.yaml", ours, secret("sim", key=CREDENTIAL))
    return two_regions


def test_a_drain_goes_the_way_of_the_real_thing_and_never_closes_every_door(everywhere: Site, start: Start) -> None:
    site = everywhere
    us, eu = site.regions
    up = start(site).serving()
    until(lambda: {one["state"] for one in status(site)[1]["endpoints"]} == {"Healthy"})
    assert answered(site) == ("sim/us/sparrow", "1")
    with Load(site.ports, per_second=20) as load:
        said = drain(site, "endpoint", "sim/us", "--for", "30m")
        assert (said.returncode, said.stderr) == (0, "")
        assert said.stdout.startswith("endpoint sim/us: drained until 2")
        up.wait_for("shifted", "sim/us has 0% of its traffic")
        assert answered(site) == ("sim/eu/sparrow", "1")
        document, _ = status_with(site, 1, "sim/us (us-east-1) Drained, 0%")  # a drain is no reason to be green
        assert document["failing"] == []
        assert (healthz(site, 0), healthz(site, 1)) == (200, 200)
        assert drain(site, "endpoint", "sim/us", "--undo").returncode == 0
        assert up.wait_for("shifted", "sim/us has")["share"] == "10%"
        assert drain(site, "region", us, "--for", "2s").returncode == 0
        until(lambda: (healthz(site, 0), healthz(site, 1)) == (503, 200))
        until(lambda: healthz(site, 0) == 200, "it ends by itself")
        assert [drain(site, "region", region, "--for", "30m", "--force").returncode for region in (us, eu)] == [0, 0]
        until(lambda: (healthz(site, 0), healthz(site, 1)) == (200, 200))
    assert load.failed == {}
    assert not [one for one in up.events if one["event"] in ("failing", "recovered")]


@pytest.mark.timeout(400)  # two drills, their looks before and after, on a busy machine, too
def test_a_drill_reports_what_clients_met_and_gives_up_when_they_suffer(
    everywhere: Site, start: Start, simulated: SimulatedProvider
) -> None:
    site = everywhere
    us = site.regions[0]
    up = start(site).serving()
    until(lambda: {one["state"] for one in status(site)[1]["endpoints"]} == {"Healthy"})
    rehearse = [*COMMAND, "rehearse", "region", us, "-c", str(site.config)]
    with Load(site.ports[:1], per_second=20) as load:
        said = subprocess.run(
            [*rehearse, "--for", "10s", "-o", "json", "--max-first-byte-p95-increase", "10000%"],
            check=False,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        report = json.loads(said.stdout)
        assert (said.returncode, report["outcome"], report["reason"]) == (0, "Held", ""), report
        assert report["before"]["firstByteP95Ms"] is not None
        assert report["drained"]["servedByTheRegion"] == 0
        assert set(report["before"]["servedBy"]) == {"sim/us"}
        assert report["drained"]["servedBy"]["sim/eu"] > 0
        assert report["drained"]["errors"] == 0
        assert report["drained"]["usdPerMinute"] > "0.00"
        assert report["after"]["backAfterSeconds"] > 0
        assert report["after"]["servedBy"]["sim/us"] > 0
        assert report["after"]["errors"] == 0
        (kept,) = (site.state / "rehearsals").iterdir()
        assert json.loads(kept.read_text()) == report
        until(lambda: status(site)[1]["drainedRegions"] == [])
    assert load.failed == {}
    up.wait_for("shifted", "sim/us has 0% of its traffic")
    drill = subprocess.Popen([*rehearse, "--for", "30s", "--force"], stdout=subprocess.PIPE, text=True)
    with drill, contextlib.suppress(AssertionError), Load(site.ports[:1], per_second=20):
        up.wait_for("shifted", "sim/us has 0% of its traffic")
        simulated.control.fault(status=500, path="/chat/completions")
        until(lambda: status(site)[1]["drainedRegions"] == [])
        drill.send_signal(signal.SIGINT)  # it would look at the way back
        out, _ = drill.communicate(timeout=PATIENCE_S)
    assert drill.returncode == 1
    assert f"{us} was drained from 20" in out
    assert "gave up: " in out
    assert "its traffic was not back when nobody looked any more" in out
    until(lambda: status(site)[1]["drainedRegions"] == [])


def test_a_region_that_nobody_stands_in_for_has_not_held(everywhere: Site, start: Start) -> None:
    site = everywhere
    start(site).serving()
    until(lambda: {one["state"] for one in status(site)[1]["endpoints"]} == {"Healthy"})
    rehearse = [*COMMAND, "rehearse", "region", site.regions[0], "-c", str(site.config), "--for", "30s"]
    assert drain(site, "endpoint", "sim/eu", "--for", "30m", "--force").returncode == 0
    refused = subprocess.run(rehearse, check=False, capture_output=True, text=True, timeout=PATIENCE_S)
    assert (refused.returncode, "who is to stand in is not well: sim/eu is Drained" in refused.stdout) == (4, True)
    with Load(site.ports[:1], per_second=20) as load:
        alone = subprocess.run([*rehearse, "--force"], check=False, capture_output=True, text=True, timeout=PATIENCE_S)
    assert load.failed == {}, "it serves on as the last resort"
    assert (alone.returncode, "were answered by the drained region itself" in alone.stdout) == (1, True), alone.stdout


def test_a_wrong_key_is_known_without_a_request_where_probes_may_send_it(
    site: Site, start: Start, simulated: SimulatedProvider
) -> None:
    ours = probed(simulated.base_url, "sim", credential="Send")
    site.write("provider.yaml", ours, secret("sim", key="sk-wrong"))
    up = start(site).serving()
    failing = up.wait_for("failing", "sim/one is Down")
    assert failing["reason"] == "CredentialRejected"
    until(lambda: endpoint(site, "sim/one")["state"] == "Down")
    assert {request.method for request in simulated.control.requests()} == {"GET"}
    site.write("provider.yaml", ours, secret("sim", key=CREDENTIAL))
    up.wait_for("recovered", "sim/one")
    until(lambda: status(site)[0] == 0)
    told = json.dumps([up.events, status(site)[1]])
    assert "sk-wrong" not in told
    assert CREDENTIAL not in told
