"""Loops that run for as long as their process. None ends quietly: that would be a bug that nobody notices."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from fairlead.errors import FairleadError
from fairlead.runtime.pause import GrowingPause


class LoopEndedError(FairleadError):
    """A loop that was to run for ever returned."""


class Sleep(Protocol):
    """Wait so many seconds."""

    def __call__(self, seconds: float, /) -> Awaitable[None]:
        """Wait."""


class Loops:
    """The loops of one process. What comes of an end is the process's choice: it ends too, or its health is red."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log
        self.ended = ""
        """The first loop that ended by itself, and how; empty while all run."""

    async def run(self, name: str, loop: Awaitable[None]) -> None:
        """Run a loop until it is cancelled.

        Raises:
            LoopEndedError: it returned. What it raises itself goes on. Either way `ended` and the log say so first.

        """
        try:
            await loop
        except Exception as error:
            self._note(name, repr(error))
            raise
        self._note(name, "returned")
        raise LoopEndedError(f"loop `{name}` ended by itself, which is a bug; start it anew and report it")

    def _note(self, name: str, how: str) -> None:
        self.ended = self.ended or f"{name}: {how}"
        self._log.error("loop ended", what=name, error=how)


async def repeat(
    step: Callable[[], Awaitable[None]],
    *,
    every_s: float,
    sleep: Sleep,
    failed: Callable[[FairleadError, int], None],
    errors: type[FairleadError] = FairleadError,
    retry_s: tuple[float, float],
    now: Callable[[], float] | None = None,
) -> None:
    """Take a step again and again, with `every_s` between the end of one and the next.

    With a clock, `now` in seconds, it is from the begin of one to the begin of the next: what a step takes does not
    add to it, up to nine tenths of it. A step that fails with one of `errors` is taken again after a pause that grows
    from the first to the last of `retry_s`; `failed` is told the error and how many failed in a row. Any other error
    ends the loop.
    """
    pause, failures = GrowingPause(*retry_s), 0
    while True:
        began = now() if now else 0.0
        try:
            await step()
        except errors as error:
            failures += 1
            failed(error, failures)
            await sleep(pause.after_failure())
        else:
            failures = 0
            pause.reset()
            await sleep(max(every_s / 10, every_s - (now() - began)) if now else every_s)


def first_of(group: BaseExceptionGroup[FairleadError]) -> FairleadError:
    """Pick the error that a person is told: several loops that fail together fail for one reason."""
    error = group.exceptions[0]
    return first_of(error) if isinstance(error, BaseExceptionGroup) else error
