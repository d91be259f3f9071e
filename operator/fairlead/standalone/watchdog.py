"""A child that hangs is noticed as one that dies: it is asked again and again, and ended when it answers no more."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

LOOK_S = 1.0
"""Pause between two questions."""


class Child(Protocol):
    """A process of ours."""

    async def wait(self) -> int:
        """Return its exit code, when it has ended."""

    def kill(self) -> None:
        """End it without asking."""


async def ended(
    child: Child,
    answers: Callable[[], Awaitable[bool]],
    *,
    patience: int,
    hangs: Callable[[], None],
) -> int:
    """Wait until a child has ended, and return its exit code.

    `answers` asks it, and must be bounded in time. A child that did not answer so many times in a row is said to hang,
    by `hangs`, and killed. Questions are counted, not seconds: who was stopped himself has asked nobody.
    """
    end = asyncio.ensure_future(child.wait())
    try:
        silent = 0
        while not (await asyncio.wait({end}, timeout=LOOK_S))[0]:
            silent = 0 if await answers() else silent + 1
            if silent >= patience:
                hangs()
                child.kill()
                return await end
        return end.result()
    finally:
        end.cancel()
