"""Waiting for a condition, never for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(what: str, ask: Callable[[], T], *, within_s: float = 180.0, every_s: float = 0.1) -> T:
    """Ask until the answer is true and return it; fail with the last answer, or the last error.

    The bound is no claim about Fairlead: it is what a busy machine with two cores may need.
    """
    deadline = time.monotonic() + within_s
    while True:
        try:
            answer = ask()
        except Exception as error:  # noqa: BLE001  what cannot be asked yet does not hold yet
            last: object = error
        else:
            if answer:
                return answer
            last = answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {within_s:g} s in vain for {what}: last {last!r}")
        time.sleep(every_s)


def always(what: str, ask: Callable[[], object], *, for_s: float, every_s: float = 0.2) -> None:
    """Ask for a while; fail as soon as the answer is false."""
    deadline = time.monotonic() + for_s
    while time.monotonic() < deadline:
        answer = ask()
        assert answer, f"{what} ceased to hold: {answer!r}"
        time.sleep(every_s)
