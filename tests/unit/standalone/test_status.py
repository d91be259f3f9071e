import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import run

from fairlead.adapters.clock import SystemClock
from fairlead.adapters.envoy_admin import ClusterHealth
from fairlead.errors import StateError
from fairlead.standalone import kill, status
from fairlead.standalone.state import StateFolder
from fairlead.status import rfc3339


def region(*targets: str) -> Any:
    return {"name": "eu", "targets": [{"name": name, "cluster": name.replace(".", "~")} for name in targets]}


def health(name: str, *, ejected: bool) -> ClusterHealth:
    return ClusterHealth(name=name, ejected=ejected, requests=7, errors=2, active=1)


def test_health_is_told_by_target() -> None:
    told = status.with_health(
        region("p/eu/m-1.5", "p/us/m", "p/new/m"),
        (health("p/eu/m-1~5", ejected=True), health("p/us/m", ejected=False), health("admin", ejected=False)),
    )
    assert [target["health"] for target in told["targets"]] == ["Ejected", "Healthy", "Unknown"]
    assert told["targets"][0] == {
        "name": "p/eu/m-1.5",
        "cluster": "p/eu/m-1~5",
        "health": "Ejected",
        "requests": 7,
        "errors": 2,
        "active": 1,
    }


DOCUMENT: dict[str, Any] = {
    "regions": [],
    "consumers": ["team/a"],
    "objects": [],
    "diagnostics": [],
    **{k: [] for k in ("endpoints", "failing", "drainedRegions", "rollouts")},
}


def test_what_is_not_there_is_nothing(tmp_path: Path) -> None:
    assert status.read(StateFolder(root=tmp_path)) is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        "[" * 100_000,
        json.dumps({**DOCUMENT, "regions": [{"name": "eu"}]}),
        json.dumps({**DOCUMENT, "regions": {"eu": {}}}),
        json.dumps({**DOCUMENT, "consumers": [1]}),
        json.dumps({**DOCUMENT, "diagnostics": ["all is well"]}),
    ],
)
def test_what_is_of_another_shape_is_told(tmp_path: Path, content: str) -> None:
    state = StateFolder(root=tmp_path)
    state.status.write_text(content)
    with pytest.raises(StateError, match=r"status\.json: got something that Fairlead did not write"):
        status.read(state)
    assert kill.callers(state) is None
    told = run("status", "--state", tmp_path)
    assert (told.exit_code, told.stderr.count("\n")) == (1, 1)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    state = StateFolder(root=tmp_path)
    state.status.write_text(json.dumps(DOCUMENT))
    assert status.read(state) == DOCUMENT
    assert kill.callers(state) == {"team/a"}


NOW_MS = 1_793_966_400_000


@pytest.mark.parametrize(
    ("written_ms", "stopped", "words"),
    [
        (NOW_MS, False, None),
        (NOW_MS - 15_000, False, None),
        (NOW_MS - 16_000, False, "has said nothing since"),
        (NOW_MS + 60_000, False, "has said nothing since"),
        (NOW_MS, True, "is stopped"),
        (None, False, "of another version"),
    ],
)
def test_a_status_that_nobody_writes_any_more_says_so(written_ms: int | None, stopped: bool, words: str | None) -> None:
    document = {**DOCUMENT} if written_ms is None else {**DOCUMENT, "written": rfc3339(written_ms)}
    told = status.staleness(document, NOW_MS, stopped=stopped)  # type: ignore[arg-type]
    assert (words in told) if words else not told


def test_an_up_that_is_stopped_is_not_green(tmp_path: Path) -> None:
    state = StateFolder(root=tmp_path)
    state.status.write_text(json.dumps({**DOCUMENT, "written": rfc3339(int(SystemClock().now().timestamp() * 1000))}))
    code = (
        "import pathlib, sys, time; from fairlead.adapters.lock import StateLock\n"
        "with StateLock(pathlib.Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            holder.stdout.readline()
            assert run("status", "--state", tmp_path).exit_code == 0
            holder.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, holder.pid, os.WSTOPPED)
            told = run("status", "--state", tmp_path)
            assert (told.exit_code, "is stopped" in told.stdout) == (1, True)
        finally:
            holder.kill()
