"""Child processes of `fairlead up`, Envoys and a budget server: brought back whenever they end or hang."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from fairlead.errors import FairleadError
from fairlead.runtime.loops import Sleep
from fairlead.runtime.pause import GrowingPause

LOOK_S = 1.0
"""Pause between two questions."""
BUSY = 5
"""How many times as patient we are with a process that works while it does not answer."""


class Child(Protocol):
    """One child, which runs already. What there is to say about it, it says itself."""

    @property
    def is_stopping(self) -> bool:
        """Whether it was told to end, so that its end is none to mend."""

    async def ended(self) -> int:
        """Wait until it ended, by itself or because it does not answer any more; return its exit code."""

    async def died(self, exit_code: int, again_in_s: float) -> None:
        """Say that it ended."""

    async def revive(self) -> None:
        """Start it anew; returns when it serves. Raises `FairleadError` when it does not."""

    def failed(self, error: FairleadError, again_in_s: float) -> None:
        """Say that it does not start."""

    def back(self) -> None:
        """Say that it serves again."""


async def keep_alive(child: Child, *, pause_s: tuple[float, float], calm_s: float, sleep: Sleep) -> None:
    """Start a child again whenever it ends; returns when it is stopping.

    The pause before that grows from the first to the last of `pause_s`, and begins anew after a life of `calm_s`.
    """
    pause = GrowingPause(*pause_s)
    while not child.is_stopping:
        born = time.monotonic()
        code = await child.ended()
        if child.is_stopping:
            return
        if time.monotonic() - born > calm_s:
            pause.reset()
        again_in_s = pause.after_failure()
        await child.died(code, again_in_s)
        while not child.is_stopping:
            await sleep(again_in_s)
            again_in_s = pause.after_failure()
            try:
                await child.revive()
            except FairleadError as error:
                child.failed(error, again_in_s)
            else:
                child.back()
                break


class Process(Protocol):
    """A process of ours."""

    async def wait(self) -> int:
        """Return its exit code, when it has ended."""

    def kill(self) -> None:
        """End it without asking."""


def _never() -> bool:
    return False


def works(pid: int, processes: Path = Path("/proc")) -> Callable[[], bool]:
    """Return what says whether a process's first thread took time of a CPU since it was asked last.

    One that is stopped, or waits for a lock, takes none. It takes none that we know of either where `/proc` is missing.
    """
    file, before = processes / str(pid) / "task" / str(pid) / "stat", -1

    def has_worked() -> bool:
        nonlocal before
        try:
            taken = sum(map(int, file.read_text().rpartition(")")[2].split()[11:13]))  # utime and stime, in ticks
        except (OSError, ValueError):
            return False
        known, before = before, taken
        return 0 <= known < taken

    return has_worked


async def ended(
    process: Process,
    answers: Callable[[], Awaitable[bool]],
    *,
    patience: int,
    hangs: Callable[[], None],
    busy: Callable[[], bool] = _never,
) -> int:
    """Wait until a process has ended, and return its exit code.

    `answers` asks it, and must be bounded in time. One that did not answer so many times in a row is said to hang,
    by `hangs`, and killed; one of which `busy` says that it worked since the last question, after `BUSY` times as many.
    Questions are counted, not seconds: who was stopped himself has asked nobody.
    """
    end = asyncio.ensure_future(process.wait())
    try:
        silent = idle = 0
        while not (await asyncio.wait({end}, timeout=LOOK_S))[0]:
            answered, worked = await answers(), busy()
            silent = 0 if answered else silent + 1
            idle = 0 if answered or worked else idle + 1
            if idle >= patience or silent >= patience * BUSY:
                hangs()
                process.kill()
                return await end
        return end.result()
    finally:
        end.cancel()
