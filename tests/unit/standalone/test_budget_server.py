"""The budget server of `fairlead up` is replaced when it does not say that it lives."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import structlog

from fairlead.adapters import budget_server as adapter
from fairlead.errors import BudgetServerError
from fairlead.runtime import children
from fairlead.standalone.budget_server import PATIENCE, Accounts
from fairlead.standalone.state import StateFolder

KILLED = -9


class _Process:
    """Runs until it is killed."""

    pid = 1

    def __init__(self) -> None:
        self._killed = asyncio.Event()

    @property
    def ended(self) -> bool:
        return self._killed.is_set()

    async def wait(self) -> int:
        await self._killed.wait()
        return KILLED

    def kill(self) -> None:
        self._killed.set()


def _looks(answers: list[dict[str, Any] | None], folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how often a server was asked before it was killed; it answers so, and after that it does not."""
    asked = 0

    async def ask(_socket: Path, path: str) -> dict[str, Any]:
        nonlocal asked
        if path == "/healthz":
            return {"ok": True, "store": "up"}
        asked += 1
        assert path == "/livez"
        answer = answers.pop(0) if answers else None
        if answer is None:
            raise BudgetServerError("silent")
        return answer

    monkeypatch.setattr(children, "LOOK_S", 0.001)
    monkeypatch.setattr(adapter, "ask", ask)

    async def run() -> int:
        accounts = Accounts(StateFolder(root=folder), {}, structlog.get_logger())
        accounts._process = _Process()  # type: ignore[assignment]  # all that is used of one
        return await accounts.ended()

    assert asyncio.run(run()) == KILLED
    return asked


def test_a_server_that_is_silent_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _looks([], tmp_path, monkeypatch) == PATIENCE


def test_a_server_with_a_loop_that_ended_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _looks([{"ok": False}] * PATIENCE, tmp_path, monkeypatch) == PATIENCE


def test_a_moment_s_silence_is_forgiven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _looks([None, None, {"ok": True}], tmp_path, monkeypatch) == 3 + PATIENCE


class _UnstartedError(Exception):
    """What a test's server ends with."""


@pytest.mark.parametrize("name", ["book.json", "gateways"])
@pytest.mark.parametrize("damage", [b"", b"[]", b"\xff", b"[" * 100_000, None])
def test_a_server_that_is_started_again_finds_what_it_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, damage: bytes | None
) -> None:
    place, read = tmp_path / "_budget" / name, []

    async def start(*_: object, **_settings: object) -> None:
        read.append(place.read_bytes())
        raise _UnstartedError

    monkeypatch.setattr(adapter.BudgetServerProcess, "start", start)

    async def run() -> None:
        accounts = Accounts(StateFolder(root=tmp_path), {}, structlog.get_logger())
        with pytest.raises(_UnstartedError):
            await accounts.use(
                b"{}",
                store=None,
                answers_store=None,
                check_timeout_s=1,
                metrics=["http://127.0.0.1:9101/metrics"],
            )
        if damage is None:
            place.unlink()
        else:
            place.write_bytes(damage)
        with pytest.raises(_UnstartedError):
            await accounts.revive()

    asyncio.run(run())
    assert read[0] == read[1]


@pytest.mark.parametrize("damage", [None, b"", b"half of a key"])
def test_the_key_of_shared_answers_stays_and_is_made_anew_where_it_is_not_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: bytes | None
) -> None:
    place, read = tmp_path / "_budget" / "answers.key", []

    async def start(*_: object, **_settings: object) -> None:
        read.append(place.read_bytes())
        raise _UnstartedError

    monkeypatch.setattr(adapter.BudgetServerProcess, "start", start)

    async def run() -> None:
        accounts = Accounts(StateFolder(root=tmp_path), {}, structlog.get_logger())
        with pytest.raises(_UnstartedError):
            await accounts.use(b"{}", store=None, answers_store=None, check_timeout_s=1, metrics=[])
        with pytest.raises(_UnstartedError):
            await accounts.revive()
        if damage is None:
            place.unlink()
        else:
            place.write_bytes(damage)
        with pytest.raises(_UnstartedError):
            await accounts.revive()

    asyncio.run(run())
    first, same, another = read
    assert first == same != another
    assert place.stat().st_mode & 0o777 == 0o600
    assert len(another) == 64
