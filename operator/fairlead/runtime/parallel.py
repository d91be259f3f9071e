"""Running one step for many things at once: bounded, and over only when every one of them has ended."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from fairlead.errors import FairleadError

T = TypeVar("T")
R = TypeVar("R")


async def each(items: Iterable[T], step: Callable[[T], Awaitable[R]], *, at_once: int) -> list[R]:
    """Run `step` for each item, `at_once` at a time at most; return what they returned, in the order of `items`.

    A step that fails does not end the others: when this returns or raises, none is under way, so that what is tried
    again meets nothing of the attempt before.

    Raises:
        FairleadError: that of the first item whose step failed.

    """
    gate = asyncio.Semaphore(at_once)

    async def one(item: T) -> R | FairleadError:
        async with gate:
            try:
                return await step(item)
            except FairleadError as error:
                return error

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(item)) for item in items]
    results: list[R] = []
    for task in tasks:
        result = task.result()
        if isinstance(result, FairleadError):
            raise result
        results.append(result)
    return results
