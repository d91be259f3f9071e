"""What failed is tried again by itself: no file has to be touched once the cause is gone."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from running_up import (
    COMMAND,
    PATIENCE_S,
    RunningUp,
    Site,
    ask,
    budget,
    consumer,
    fill_up,
    provider,
    route,
    secret,
    until,
)

from fairlead.adapters import certificates

pytestmark = pytest.mark.envoy

Start = Callable[..., RunningUp]


def _answers(site: Site, model: str) -> bool:
    status, target, _ = ask(site.ports[0])
    return status == 200 and target.endswith(f"/{model}")


@pytest.mark.parametrize("name", ["us-east-1/xds/rds.json", "last-good.json"])
def test_a_file_that_cannot_be_written_is_written_when_it_can(site: Site, start: Start, name: str) -> None:
    up = start(site).serving()
    place = site.state / name
    obstacle = place.with_name(f".{place.name}.new")
    obstacle.mkdir()  # holds for root, too
    site.write("route.yaml", route("chat", "heron"))
    assert "again_in_s" in up.wait_for("refused", place.name, count=2), "tried again by itself"
    assert _answers(site, "sparrow" if "rds" in name else "heron"), "what can take effect does"
    obstacle.rmdir()
    up.wait_for("mended", "what failed before")
    assert _answers(site, "heron")
    assert "heron" in place.read_text()
    assert not obstacle.exists()


def test_a_budget_configuration_that_cannot_be_written(site: Site, start: Start) -> None:
    site.write("consumer.yaml", consumer("agent", "k"), secret("agent", k="sk-agent"))
    site.write("other.yaml", consumer("other", "k"), secret("other", k="sk-other"))
    up = start(site).serving()
    (site.state / "killed.json").write_text(json.dumps({"killed": ["fairlead/agent", "fairlead/other"]}))
    until(lambda: ask(site.ports[0], key="sk-agent")[0] == 429)
    book = next((site.state / "_budget").glob("*.json"))
    obstacle = book.with_name(f".{book.name}.new")
    obstacle.mkdir()
    (site.state / "killed.json").write_text(json.dumps({"killed": ["fairlead/other"]}))
    up.wait_for("refused", book.name, count=2)
    assert ask(site.ports[0], key="sk-agent")[0] == 429
    obstacle.rmdir()
    until(lambda: ask(site.ports[0], key="sk-agent")[0] == 200)


def test_what_envoy_refuses_is_tried_again_ever_more_slowly_until_it_takes_it(site: Site, start: Start) -> None:
    certified = certificates.ca_bundle({}).read_bytes()
    bundle = site.root / "ca.pem"
    bundle.write_bytes(certified)
    up = start(site, SSL_CERT_FILE=str(bundle)).serving()
    bundle.write_text("no certificate")  # Envoy refuses each cluster that is to trust it
    fallback = {"provider": "far", "model": "heron"}
    site.write("far.yaml", provider("https://far.invalid/v1", "heron", name="far"), secret("far", key="k"))
    site.write("route.yaml", route("chat", "heron", fallbacks=[fallback]))
    refused = [up.wait_for("refused", "Envoy refused xds/cds.json") for _ in range(3)]
    pauses = [event["again_in_s"] for event in refused]
    assert pauses == sorted(set(pauses)), "each pause is longer than the one before"
    assert _answers(site, "sparrow"), "the configuration before stays in effect"
    bundle.write_bytes(certified)
    up.wait_for("mended", "what failed before")
    assert _answers(site, "heron")


def test_a_full_disk(small_disk: Path, site: Site, start: Start) -> None:
    up = start(site).serving()
    full = fill_up(small_disk)
    site.write("route.yaml", route("chat", "heron"))
    up.wait_for("refused", "no space left", count=2)
    assert _answers(site, "sparrow")
    full.unlink()
    up.wait_for("mended", "what failed before")
    assert _answers(site, "heron")


def test_a_consumer_is_stopped_on_a_full_disk(small_disk: Path, site: Site, start: Start) -> None:
    site.write("consumer.yaml", consumer("agent", "k"), secret("agent", k="sk-agent"))
    start(site).serving()
    until(lambda: ask(site.ports[0], key="sk-agent")[0] == 200)
    fill_up(small_disk)
    kill = [*COMMAND, "kill", "fairlead/agent", "-c", str(site.config)]
    said = subprocess.run(kill, check=False, capture_output=True, text=True, timeout=PATIENCE_S)
    assert (said.returncode, said.stdout) == (0, "fairlead/agent: stopped\n"), said.stderr
    until(lambda: ask(site.ports[0], key="sk-agent")[0] == 429)


READS_AGAIN_WHEN_TOLD = """
import asyncio, os, pathlib
from fairlead.standalone.sources import Sources
settled = Sources.settled
told = pathlib.Path(os.environ["TOLD"])
async def settled_when_told(*words):
    while not told.exists():
        await asyncio.sleep(0.02)
    return await settled(*words)
Sources.settled = settled_when_told
"""


def test_a_start_on_a_full_disk_serves_what_is_there(small_disk: Path, site: Site, start: Start) -> None:
    up = start(site).serving()
    assert up.stop() == 0
    full = fill_up(small_disk)
    site.write("route.yaml", route("chat", "heron"))
    # Also where there is room again before anything was tried a second time
    told = site.root / "told"
    up = start(site, before=READS_AGAIN_WHEN_TOLD, TOLD=str(told)).serving()
    assert _answers(site, "sparrow")
    full.unlink()
    told.touch()
    up.wait_for("mended", "what failed before")
    assert _answers(site, "heron")


def test_an_empty_state_folder_on_a_full_disk_says_so(small_disk: Path, site: Site, start: Start) -> None:
    fill_up(small_disk)
    up = start(site)
    assert up.process.wait(60) == 1
    assert "no space left" in up.errors
    assert "Traceback" not in up.errors


def _damage(site: Site, content: bytes) -> list[str]:
    """Damage each file of the state folder but logs and counters, which have tests of their own; their names."""
    found = [path for path in site.state.rglob("*") if path.is_file() and not path.name.startswith("budget.db")]
    found = [path for path in found if path.suffix not in {".log", ".lock"}]
    for path in found:
        path.write_bytes(content)
    return [path.name for path in found]


@pytest.mark.parametrize("damage", [b"\xff", b"[" * 100_000, b"{}", b'{"resources": [', b"[]", b'"x"'])
def test_damaged_state_ends_no_start_and_no_run_and_blocks_no_edit(site: Site, start: Start, damage: bytes) -> None:
    site.write("consumer.yaml", consumer("agent", "k"), secret("agent", k="sk-agent"))
    up = start(site).serving()
    (site.state / "killed.json").write_text('{"killed": []}')
    assert {"killed.json", "last-good.json", "sources.json", "ecds.json", "cds.json"} <= set(_damage(site, damage))
    site.write("route.yaml", route("chat", "heron"))
    up.wait_for("accepted", "chat")
    until(lambda: ask(site.ports[0], key="sk-agent")[1].endswith("/heron"))
    assert up.stop() == 0
    _damage(site, damage)
    up = start(site).serving()
    assert sum("killed.json" in event.get("what", "") for event in up.events) == 1
    assert sum("ecds.json" in event.get("what", "") for event in up.events) == 1
    site.write("route.yaml", route("chat", "sparrow"))
    up.wait_for("accepted", "chat")
    until(lambda: ask(site.ports[0], key="sk-agent")[1].endswith("/sparrow"))


def test_children_that_die_start_again_on_files_that_were_damaged(site: Site, start: Start) -> None:
    site.write("consumer.yaml", consumer("agent", "k"), secret("agent", k="sk-agent"), budget("5"))
    up = start(site).serving()
    assert "book.json" in _damage(site, b"[]")
    (envoy,) = up.children()
    (server,) = {int(path.parent.name) for path in up.environments()} - {envoy}
    os.kill(server, signal.SIGKILL)
    up.wait_for("budget server is back")
    os.kill(envoy, signal.SIGKILL)
    up.wait_for("envoy serves again")
    until(lambda: ask(site.ports[0], key="sk-agent")[0] == 200)
