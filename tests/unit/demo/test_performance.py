"""What comes after the story: the end with `--once`, else a stay until Ctrl-C. The story itself: tests/demo."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest

from fairlead.demo import performance


class Nobody:
    """Nobody plays: a cast that does not start anything, and a story without steps."""

    def __init__(self, *_: Any) -> None:
        self.up = SimpleNamespace(ended=asyncio.Event().wait)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def tell(self) -> None:
        pass


@pytest.fixture(autouse=True)
def _an_empty_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(performance, "Cast", Nobody)
    monkeypatch.setattr(performance, "Story", Nobody)


def test_once_it_ends_by_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def whole() -> int:
        return await asyncio.wait_for(performance.perform(tmp_path, once=True, seconds=1, speed=1), 60)

    assert asyncio.run(whole()) == 0
    said = capsys.readouterr().out
    assert "All steps passed" in said
    assert "stay up" not in said


def test_else_it_stays_until_it_is_ended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def ended() -> int:
        task = asyncio.create_task(performance.perform(tmp_path, once=False, seconds=1, speed=1))
        said = ""
        while "The regions stay up" not in said:
            await asyncio.sleep(0)
            said += capsys.readouterr().out
        assert not task.done()
        task.cancel()
        return await task

    assert asyncio.run(ended()) == 0
    assert "Stopping." in capsys.readouterr().out
