"""`fairlead demo` as a newcomer runs it: real Envoys, real inference servers."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from browser import ROOT, chromium, keep, opened
from playwright.sync_api import Page

pytestmark = [pytest.mark.envoy, pytest.mark.slow, pytest.mark.timeout(400)]

FAIRLEAD = Path(sys.executable).with_name("fairlead")
STEPS = 13
ENDS_S = 60
"""A busy machine takes its time."""


def descendants_of(folder: Path) -> list[str]:
    """Command lines of processes whose arguments or working files name the demo's folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                environ = (entry / "environ").read_bytes()
            except OSError:
                continue
            if str(folder) in line or str(folder).encode() in environ:
                found.append(line)
    return found


@contextmanager
def running_demo(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [str(FAIRLEAD), "demo", "--dir", str(folder), *arguments]
    # The children inherit the variable, so that the ones that are left behind can be found.
    env = {**os.environ, "PYTHONUNBUFFERED": "1", "DEMO_TEST_FOLDER": str(folder)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env) as demo:
        try:
            yield demo
        finally:
            demo.kill()


@contextmanager
def console_of(folder: Path) -> Iterator[str]:
    """Show the demo as a page; its address."""
    command = [str(FAIRLEAD), "console", "--state", str(folder / ".fairlead"), "--no-open", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as console:
        try:
            assert console.stdout is not None
            yield console.stdout.readline().split()[0]
        finally:
            console.terminate()


def keep_pictures(page: Page) -> None:
    """Keep the page as it is, and as README has it where `make picture` asks for that."""
    kept = keep(page, "demo-1280", whole=False)
    if os.environ.get("FAIRLEAD_PICTURE"):
        shutil.copy(kept, ROOT / "docs" / "console.png")
    page.set_viewport_size({"width": 390, "height": 900})
    keep(page, "demo-390")


def test_the_whole_story_and_the_page_that_shows_it_and_it_stays_up_until_ctrl_c(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    with running_demo(folder, "--replay", "20") as demo, console_of(folder) as url, chromium() as browser:
        assert demo.stdout is not None
        said = []
        for line in demo.stdout:
            said.append(line)
            if line.startswith("11 "):
                break
        with opened(browser, url, height=1500) as page:
            for line in demo.stdout:
                said.append(line)
                if "answered in" in line:
                    break
            keep_pictures(page)
            assert page.locator("#regions .card").count() == 3
            assert page.locator("#rollouts article").count() >= 1
        for line in demo.stdout:
            said.append(line)
            if line.startswith("tail -f"):  # the last of what it invites to
                break
        assert any(line.startswith("curl -s") for line in said), "".join(said)
        demo.send_signal(signal.SIGINT)
        text = "".join([*said, demo.stdout.read()])
        assert demo.wait(ENDS_S) == 0, text
    assert text.count("    ok, ") == STEPS
    assert text.count("failed requests: 0") == 7
    assert "HTTP 429, `insufficient_quota`" in text
    assert re.search(r"spent \$0\.9\d+ of \$1\.00; its answers' own usage figures make \$0\.9\d+: equal, exactly", text)
    assert text.count("at its baseline: ") == 2
    assert "warning" not in text
    assert "All steps passed" in text
    assert descendants_of(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ends_cleanly_in_the_middle(tmp_path: Path, number: signal.Signals) -> None:
    with running_demo(tmp_path) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "killed under load" in line:
                break
        demo.send_signal(number)
        drained = threading.Thread(target=demo.stdout.read)
        drained.start()
        assert demo.wait(ENDS_S) == 130
        drained.join(ENDS_S)
    assert descendants_of(tmp_path) == []


def test_children_do_not_outlive_a_killed_demo(tmp_path: Path) -> None:
    with running_demo(tmp_path) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "killed under load" in line:
                break
        assert descendants_of(tmp_path)
        demo.kill()
        gone = threading.Event()
        for _ in range(200):
            if not descendants_of(tmp_path):
                gone.set()
                break
            gone.wait(0.1)
        assert gone.is_set(), descendants_of(tmp_path)
