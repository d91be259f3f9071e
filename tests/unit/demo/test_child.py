"""Children: talk, die, and what is said about it."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from fairlead.demo.child import Child, ChildError

ECHO = "import sys; print(sys.stdin.readline().upper(), end='', flush=True); sys.stdin.read()"
FAIL = "import sys; print('the reason', file=sys.stderr); sys.exit(3)"
QUIET = "print('only in the log')"


async def start(code: str, log: Path, *, talks: bool = True) -> Child:
    return await Child.start("a child", (sys.executable, "-c", code), log=log, env=os.environ, talks=talks)


def test_talks_and_stops(tmp_path: Path) -> None:
    async def scenario() -> None:
        child = await start(ECHO, tmp_path / "log")
        await child.send("hello")
        assert await child.receive() == "HELLO"
        assert child.running
        assert await child.stop() == -signal.SIGTERM
        assert await child.stop() == -signal.SIGTERM, "twice is fine"

    asyncio.run(scenario())


def test_one_that_ends_early_shows_its_log(tmp_path: Path) -> None:
    async def scenario() -> None:
        child = await start(FAIL, tmp_path / "log")
        with pytest.raises(ChildError, match="a child: ended with exit code 3; ") as caught:
            await child.receive()
        assert str(caught.value).endswith("log:\nthe reason\n")

    asyncio.run(scenario())


def test_one_that_does_not_talk_writes_to_its_log(tmp_path: Path) -> None:
    async def scenario() -> None:
        child = await start(QUIET, tmp_path / "log", talks=False)
        await child.ended()
        assert "only in the log" in child.tail()
        with pytest.raises(ChildError, match="no standard output"):
            await child.receive()
        await child.kill()

    asyncio.run(scenario())


def test_one_that_is_held_says_nothing_until_it_goes_on_and_ends_like_any_other(tmp_path: Path) -> None:
    async def scenario() -> None:
        child = await start(ECHO, tmp_path / "log")
        child.hold()
        await child.send("hello")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(child.receive(), 0.5)
        child.go_on()
        assert await child.receive() == "HELLO"
        child.hold()
        assert await child.stop() == -signal.SIGTERM

    asyncio.run(scenario())
