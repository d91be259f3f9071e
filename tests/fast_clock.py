"""Time that passes fifty times as fast, and at once where all wait: loops with real waits, in tests that end soon."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
FASTER = 50
_NOBODY = "works_for_nobody"
BEGAN = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class FastClock:
    """`fairlead.adapters.clock.Clock`, so many times as fast. `ahead` moves it by hand."""

    def __init__(self, faster: float = FASTER) -> None:
        self._faster = faster
        self._began = _passed()
        self._ahead_s = 0.0

    def ahead(self, seconds: float) -> None:
        self._ahead_s += seconds

    def now(self) -> datetime:
        return BEGAN + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return (_passed() - self._began) * self._faster + self._ahead_s

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._faster)


def works_for_nobody(function: F) -> F:
    """Mark what a thread does that nobody waits for, such as a watch."""
    setattr(function, _NOBODY, True)
    return function


class _Passed:
    """Seconds that have passed: by the machine's clock, and those that were left out."""

    def __init__(self) -> None:
        self._ahead_s = 0.0
        self.held: Callable[[], float] | None = None
        """What says it in a loop that leaves out its waits."""

    def __call__(self) -> float:
        return time.monotonic() + self._ahead_s if self.held is None else self.held()

    def go_on(self) -> None:
        """Go by the machine's clock again, from where it stands."""
        self._ahead_s, self.held = self() - time.monotonic(), None


_passed = _Passed()


@contextmanager
def leave_out_waits() -> Iterator[None]:
    """Let no time pass in the loop that runs but what all wait for, at once; a busy machine takes none of it.

    For tests that meet nobody outside of their process. While a thread works, it is waited for.
    """
    loop: Any = asyncio.get_running_loop()
    select, run, real = loop._selector.select, loop.run_in_executor, loop.time
    began, loop_began = _passed(), loop.time()
    left_out_s, working = 0.0, 0

    def ready(timeout_s: float | None) -> Any:
        nonlocal left_out_s
        if working or timeout_s is None:
            return select(None if timeout_s is None else min(timeout_s, 1.0))
        found = select(0)
        left_out_s += 0.0 if found else max(0.0, timeout_s)
        return found

    def ended(_: object) -> None:
        nonlocal working
        working -= 1

    def run_in_executor(executor: Any, function: Any, *words: Any) -> Any:
        nonlocal working
        if isinstance(function, partial) and hasattr(function.args[0], _NOBODY):  # as `asyncio.to_thread` has it
            return run(executor, function, *words)
        working += 1
        future = run(executor, function, *words)
        future.add_done_callback(ended)
        return future

    loop.time, loop._selector.select, loop.run_in_executor = lambda: loop_began + left_out_s, ready, run_in_executor
    _passed.held = lambda: began + left_out_s
    try:
        yield
    finally:
        _passed.go_on()
        loop.time, loop._selector.select, loop.run_in_executor = real, select, run
