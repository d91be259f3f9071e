"""What a step of the story promises, and how it finds out that it holds."""

import asyncio
import time
from collections.abc import Callable

from fairlead.demo.load import Load
from fairlead.demo.narrator import Narrator

POLL_S = 0.02
SHOWN_FAILURES = 3


class StoryError(Exception):
    """A step did not show what it should."""


def expect(condition: bool, otherwise: str) -> None:
    """Raise `StoryError` unless a step's promise holds."""
    if not condition:
        raise StoryError(otherwise)


async def until(condition: Callable[[], bool], seconds: float, otherwise: str) -> None:
    """Wait until something holds; raise `StoryError` when it takes too long."""
    deadline = time.monotonic() + seconds
    while not condition():
        expect(time.monotonic() < deadline, otherwise)
        await asyncio.sleep(POLL_S)


def no_failures(load: Load, narrator: Narrator) -> None:
    """Say how many requests failed under a load that is over; raise `StoryError` unless none did."""
    narrator.say(f"{load.sent} requests at {load.per_second:g}/s meanwhile, failed requests: {len(load.failures)}")
    for failure in load.failures[:SHOWN_FAILURES]:
        narrator.show(failure)
    expect(not load.failures, f"{len(load.failures)} requests failed")
