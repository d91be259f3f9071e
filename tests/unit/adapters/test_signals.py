"""A second signal ends a process whose loop hangs in a call to the system."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator

CODE = """
import asyncio, os, signal, sys, threading
from fairlead.adapters import signals
signals.LAST_S = 1
async def main():
    heard = asyncio.Event()
    signals.hear(lambda number: heard.set(), lambda number: print(number.name, flush=True))
    print("ready", flush=True)
    if "thread" in sys.argv:
        threading.Timer(0.2, lambda: signal.pthread_kill(threading.get_ident(), signal.SIGTERM)).start()
    if "hang" in sys.argv:
        os.read(os.pipe()[0], 1)
    await heard.wait()
    print("first", flush=True)
    await asyncio.sleep(0 if {"once", "thread"} & {*sys.argv} else 60)
asyncio.run(main())
"""


@contextlib.contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", CODE, *arguments], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def test_a_second_signal_ends_what_hangs() -> None:
    with started("hang") as process:
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == -signal.SIGALRM


def test_a_second_signal_is_told_and_leaves_a_moment() -> None:
    with started() as process:
        assert process.stdout is not None
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "first\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "SIGINT\n"
        assert process.wait(20) == -signal.SIGALRM


def test_one_signal_ends_in_order() -> None:
    with started("once") as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_a_signal_that_another_thread_took_wakes_the_loop() -> None:
    """The kernel may choose any thread; nor does a signal just before the loop waits interrupt it."""
    with started("thread") as process:
        assert process.wait(20) == 0
