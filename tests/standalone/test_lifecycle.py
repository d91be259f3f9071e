"""How `fairlead up` starts, survives and ends."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import standing_by
from running_up import (
    COMMAND,
    CREDENTIAL,
    PATIENCE_S,
    SECRET_KEY,
    Load,
    RunningUp,
    Site,
    alive,
    ask,
    budget,
    consumer,
    provider,
    route,
    say,
    secret,
    stream,
    until,
)

from fairlead.demo.provider import SimulatedProvider

pytestmark = pytest.mark.envoy
Start = Callable[..., RunningUp]


def refuses(number: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", number)) != 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_all_its_children(two_regions: Site, start: Start, number: int) -> None:
    up = start(two_regions, command=COMMAND).serving()
    children = until(up.children)
    assert sorted(children.values()) == sorted(two_regions.regions)
    assert up.stop(number, within_s=PATIENCE_S) == 0
    assert not any(alive(pid) for pid in children)
    assert all(refuses(number) for number in two_regions.ports)
    assert up.errors == ""


def test_a_signal_while_it_starts_ends_it_too(site: Site, start: Start) -> None:
    up = start(site, command=COMMAND)
    children = until(up.children)
    assert up.stop(within_s=PATIENCE_S) == 0
    assert not any(alive(pid) for pid in children)


def test_streams_in_flight_finish(site: Site, start: Start, simulated: SimulatedProvider) -> None:
    up = start(site).serving()
    simulated.control.set(chunk_gap_ms=100)
    chunks = stream(site.ports[0])
    next(chunks)
    up.process.terminate()
    up.wait_for("stopping")
    until(lambda: refuses(site.ports[0]), "new connections are refused while it drains")
    assert list(chunks)[-1] == b"data: [DONE]"
    assert up.process.wait(PATIENCE_S) == 0
    up.wait_for("stopped")
    assert not [event for event in up.events if "cut" in event.get("what", "")]


def test_streams_that_take_too_long_are_cut(site: Site, start: Start, simulated: SimulatedProvider) -> None:
    up = start(site, "--drain-timeout", "0.5").serving()
    simulated.control.fault(stall_after_chunks=2)
    chunks = stream(site.ports[0])
    next(chunks)
    assert up.stop(within_s=PATIENCE_S) == 0
    up.wait_for("stopping", "1 requests were still in flight and are cut")


def test_a_second_signal_ends_it_at_once(site: Site, start: Start, simulated: SimulatedProvider) -> None:
    up = start(site, "--drain-timeout", "600").serving()
    simulated.control.fault(stall_after_chunks=2)
    chunks = stream(site.ports[0])
    next(chunks)
    up.process.terminate()
    up.wait_for("stopping")
    assert up.stop(within_s=PATIENCE_S) == 0
    up.wait_for("stopping", "SIGTERM again")
    assert up.errors == ""


def test_a_pipe_in_the_place_of_state_holds_nobody_up(site: Site, start: Start) -> None:
    site.state.mkdir(parents=True)
    for name in ("killed.json", "last-good.json", "sources.json", "status.json", "health.json", "drains.json"):
        os.mkfifo(site.state / name)
    up = start(site).serving()
    for name in ("killed.json", "last-good.json", "sources.json"):
        assert [event for event in up.events if f"{name}: got a named pipe, want a file" in event.get("what", "")], name
    assert ask(site.ports[0])[0] == 200
    assert up.stop(within_s=PATIENCE_S) == 0


def test_a_killed_up_leaves_no_gateway_behind(site: Site, start: Start) -> None:
    up = start(site).serving()
    (child,) = until(up.children)
    up.process.kill()
    up.process.wait()
    until(lambda: not alive(child), "the kernel ends it")
    start(site).serving()
    assert ask(site.ports[0])[0] == 200


def test_a_killed_gateway_comes_back(two_regions: Site, start: Start) -> None:
    up = start(two_regions).serving()
    children = {region: pid for pid, region in until(up.children).items()}
    with Load(two_regions.ports[1:], per_second=20) as other:
        os.kill(children["us-east-1"], signal.SIGKILL)
        died = up.wait_for("envoy died")
        assert died["region"] == "us-east-1"
        # What is accepted meanwhile is served by the next one.
        two_regions.write("route.yaml", route("chat", "heron"))
        up.wait_for("envoy serves again")
    assert other.failed == {}, "the other region does not notice"
    until(lambda: ask(two_regions.ports[0])[1] == "sim/one/heron")
    assert children["us-east-1"] not in up.children()


@pytest.mark.slow
def test_a_gateway_that_hangs_is_noticed_like_one_that_died(site: Site, start: Start) -> None:
    up = start(site).serving()
    (child,) = until(up.children)
    os.kill(child, signal.SIGSTOP)
    assert up.wait_for("envoy hangs")["pid"] == child
    up.wait_for("envoy died")
    up.wait_for("envoy serves again")
    assert ask(site.ports[0])[0] == 200
    assert not alive(child)


def test_a_restart_with_a_broken_file_serves_what_was_good(
    site: Site, start: Start, simulated: SimulatedProvider
) -> None:
    site.write("agent.yaml", consumer("agent", "key"), secret("agent", key=SECRET_KEY))
    with start(site).serving() as up:
        assert ask(site.ports[0], key=SECRET_KEY)[0] == 200
        up.stop()
    site.write("route.yaml", route("chat", "herron"))
    for name in ("provider.yaml", "agent.yaml"):
        (site.manifests / name).write_text("kind: [\n")
    for _ in range(2):  # the second restart knows no less than the first
        with start(site) as up:
            up.serving()
            assert ask(site.ports[0])[:2] == (200, "sim/one/sparrow")
            assert ask(site.ports[0], key=SECRET_KEY)[0] == 200
            assert ask(site.ports[0], key="sk-unknown")[0] == 401
            up.stop()
    site.write("provider.yaml", provider(simulated.base_url, "heron"), secret("sim", key=CREDENTIAL))
    site.write("route.yaml", route("chat", "heron"))
    (site.manifests / "agent.yaml").unlink()
    start(site).serving()
    assert ask(site.ports[0])[:2] == (200, "sim/one/heron")
    assert ask(site.ports[0], key=SECRET_KEY)[0] == 401


def test_a_port_in_use_is_named(two_regions: Site, start: Start) -> None:
    with socket.socket() as owner:
        owner.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        owner.bind(("127.0.0.1", two_regions.ports[1]))
        owner.listen()
        up = start(two_regions)
        assert up.process.wait(PATIENCE_S) == 1
        assert f"region `eu-west-1`: listen: got `127.0.0.1:{two_regions.ports[1]}`" in up.errors
        assert "us-east-1" not in up.errors


def test_one_up_per_state_folder(site: Site, start: Start) -> None:
    up = start(site).serving()
    second = start(site)
    assert second.process.wait(PATIENCE_S) == 1
    assert f"another `fairlead up` (process {up.process.pid}) uses this folder" in second.errors
    assert ask(site.ports[0])[0] == 200, "the first one does not notice"


def test_status_shows_what_is_served(site: Site, start: Start, simulated: SimulatedProvider) -> None:
    up = start(site).serving()

    def status(*options: str) -> subprocess.CompletedProcess[str]:
        return say("status", "-c", site.config, *options)

    told = status()
    assert told.returncode == 0
    listen = f"http://127.0.0.1:{site.ports[0]}/v1"
    for part in ("us-east-1 (us), live", listen, "fairlead/chat", "> last resort sim/one/sparrow"):
        assert part in told.stdout
    simulated.control.fault(status=500)
    for _ in range(6):
        ask(site.ports[0])
    until(lambda: "sim/one/sparrow [ejected] > last resort" in status().stdout)
    site.write("route.yaml", route("chat", "herron"))
    up.wait_for("refused")
    document = until(lambda: (said := json.loads(status("-o", "json").stdout))["diagnostics"] and said)
    assert document["running"] is True
    (region,) = document["regions"]
    assert len(region["digest"]) == 64
    assert region["pid"] in up.children()
    assert region["routes"][0]["answers"][0]["ladders"] == [{"weight": "100%", "targets": ["sim/one/sparrow"]}]
    assert document["diagnostics"][0]["subject"] == "ModelRoute fairlead/chat"
    up.stop()
    told = status()
    assert told.returncode == 1
    assert "`fairlead up` does not run" in told.stdout


def test_no_secret_leaves_the_files_that_envoy_reads(site: Site, start: Start, simulated: SimulatedProvider) -> None:
    site.write("agent.yaml", consumer("agent", "key"), secret("agent", key="${FAIRLEAD_TEST_KEY}"), budget("5"))
    up = start(site, before=standing_by.LOADS, FAIRLEAD_TEST_KEY=SECRET_KEY).serving()
    (child,) = until(up.children)
    for key in (SECRET_KEY, "sk-wrong"):
        ask(site.ports[0], key=key)
    new = "sk-provider-2"
    simulated.control.set(keys=(new,))
    assert (site.state / "_budget" / "budget.db").exists()
    site.write("provider.yaml", provider(simulated.base_url, "sparrow"), secret("sim", key=new))
    up.wait_for("accepted", "data.key changed")
    site.write("route.yaml", route("chat", "herron"))
    up.wait_for("refused")
    lines = site.state / "us-east-1" / "access.log"
    until(lambda: len(lines.read_text().splitlines()) >= 3)
    command_line = Path(f"/proc/{child}/cmdline").read_text()
    environments = [path.read_text() for path in up.environments()]
    assert len(environments) == 2, "an Envoy and a budget server"
    up.stop()
    told = "".join([json.dumps(up.events), up.errors, command_line, *environments])
    holders = {}
    for path in site.state.rglob("*"):
        if path.is_file():
            assert path.stat().st_mode & 0o077 == 0, path
            content = path.read_bytes().decode(errors="replace")
            holders[str(path.relative_to(site.state))] = [s for s in (SECRET_KEY, CREDENTIAL, new) if s in content]
        else:
            assert path.stat().st_mode & 0o077 == 0, path
    assert not any(s in told for s in (SECRET_KEY, CREDENTIAL, new, "sk-wrong"))
    assert {name: found for name, found in holders.items() if found} == {
        "us-east-1/keys/ecds.json": [SECRET_KEY],
        "us-east-1/credentials/sim/key": [new],
    }
    assert not any(b"sk-wrong" in path.read_bytes() for path in site.state.rglob("*") if path.is_file())


@pytest.mark.slow
def test_logs_stay_small(site: Site, start: Start) -> None:
    up = start(site, "--log-megabytes", "1").serving()
    folder = site.state / "us-east-1"
    with (folder / "access.log").open("ab") as log:
        log.write(b"{}\n" * 400_000)
    until((folder / "access.log.1").exists)
    until(lambda: ask(site.ports[0])[0] == 200 and (folder / "access.log").stat().st_size > 0)
    assert (folder / "access.log").stat().st_size < 100_000
    assert (folder / "access.log").stat().st_mode & 0o077 == 0
    assert alive(up.process.pid)


def test_whoever_listens_answers(site: Site, start: Start) -> None:
    listening = start(site).serving().events[-1]
    assert ask(site.ports[0])[0] == 200
    assert 0 < listening["ms"] < 1000 * PATIENCE_S
