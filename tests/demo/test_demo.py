"""`fairlead demo` as a newcomer runs it: real Envoys, real inference servers."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = [pytest.mark.envoy, pytest.mark.slow, pytest.mark.timeout(150)]

FAIRLEAD = Path(sys.executable).with_name("fairlead")
STEPS = 9


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


def test_the_whole_story(tmp_path: Path) -> None:
    with running_demo(tmp_path, "--once", "--replay", "20") as demo:
        text = demo.communicate(timeout=120)[0]
    assert demo.returncode == 0, text
    assert text.count("    ok, ") == STEPS
    assert text.count("failed requests: 0") == 4
    assert "HTTP 429, `insufficient_quota`" in text
    assert re.search(r"spent \$0\.9\d+ of \$1\.00; its answers' own usage figures make \$0\.9\d+: equal, exactly", text)
    assert "warning" not in text
    assert "All steps passed" in text
    assert descendants_of(tmp_path) == []


def test_stays_up_until_ctrl_c(tmp_path: Path) -> None:
    with running_demo(tmp_path, "--replay", "2") as demo:
        assert demo.stdout is not None
        seen = []
        for line in demo.stdout:
            seen.append(line)
            if line.startswith("tail -f"):
                break
        assert any(line.startswith("curl -s") for line in seen), "".join(seen)
        demo.send_signal(signal.SIGINT)
        assert demo.wait(20) == 0
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
        assert demo.wait(20) == 130
        drained.join(20)
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
