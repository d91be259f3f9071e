"""How a process ends: the first SIGTERM or SIGINT asks it to, a second ends it whatever hangs.

What is cut in that moment leaves no traceback.
"""

import asyncio
import contextlib
import os
import select
import signal
from collections.abc import Callable
from typing import Any

LAST_S = 5
"""What a second signal leaves to an orderly end; then the kernel ends the process, and so its children."""


def hear(first: Callable[[signal.Signals], None], again: Callable[[signal.Signals], None]) -> None:
    """Call the one at the first signal and the other at each further one, in the loop that runs.

    The signals are counted outside the loop, which may hang in a call to the system. A pipe wakes the loop: a signal in
    the moment before it waits, or to another thread, would stay unheard until something else happens. Call it once in a
    process: the pipe lives as long.
    """
    loop = asyncio.get_running_loop()
    heard = False

    def told(number: int, frame: object) -> None:
        nonlocal heard
        del frame
        say, heard = again if heard else first, True
        if say is again:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(LAST_S)
        with contextlib.suppress(RuntimeError):  # the loop is closed, and a thread keeps the process
            loop.call_soon_threadsafe(say, signal.Signals(number))

    waking, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    loop.add_reader(waking, os.read, waking, select.PIPE_BUF)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, told)


def leave_out_strays(loop: asyncio.AbstractEventLoop) -> None:
    """Say nothing of a task that was cancelled in the moment in which its socket became readable; all else is told.

    anyio, by which httpx reads socket files, hands the loop a bare `Future.set_result` for that moment, and the loop
    would print a traceback in which nobody finds what went wrong: nothing did.
    """
    loop.set_exception_handler(_handle)


def _handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    is_callback = "handle" in context and "future" not in context and "task" not in context
    if is_callback and isinstance(context.get("exception"), asyncio.InvalidStateError):
        return
    loop.default_exception_handler(context)
