"""Many callers, one round trip: a store's operations are collected while the last ones are under way.

Under load a batch grows by itself and its cost is shared; alone, an operation waits for nobody.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from fairlead.budgetserver.store import StoreError

LARGEST = 512
"""Operations in one round trip: bounds how long the first of them waits for the last."""

Operation = TypeVar("Operation")


class Batch(Generic[Operation]):
    """Hands operations to `execute` in batches, at most `lanes` at a time, and each result to its caller.

    `execute` returns one result per operation; a result that is an exception is raised to that caller alone. An
    exception of `execute` itself is raised to all of the batch.
    """

    def __init__(
        self, execute: Callable[[Sequence[Operation]], Awaitable[Sequence[Any]]], *, lanes: int, timeout_s: float
    ) -> None:
        self._execute = execute
        self._lanes = lanes
        self._timeout_s = timeout_s
        self._waiting: list[tuple[Operation, asyncio.Future[Any]]] = []
        self._busy = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def submit(self, operation: Operation) -> Any:
        """Run one operation. Raises `StoreError`, also when there is no result in time."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((operation, future))
        if self._busy < self._lanes:
            self._busy += 1
            task = loop.create_task(self._drain())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        timer = loop.call_later(self._timeout_s, _give_up, future)
        try:
            return await future
        finally:
            timer.cancel()

    async def _drain(self) -> None:
        """Empty the queue. A lane is given back in the step that found the queue empty, so nobody is left in it."""
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:LARGEST], self._waiting[LARGEST:]
                batch = [(operation, future) for operation, future in batch if not future.done()]
                if batch:
                    await self._run(batch)
        finally:
            self._busy -= 1

    async def _run(self, batch: list[tuple[Operation, asyncio.Future[Any]]]) -> None:
        try:
            results = await self._execute([operation for operation, _ in batch])
        except StoreError as error:
            results = [error] * len(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody may wait for an answer that never comes
            results = [StoreError(f"the store failed: {error!r}")] * len(batch)
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():
                continue
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)

    async def close(self) -> None:
        """Wait for what is under way."""
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _give_up(future: asyncio.Future[Any]) -> None:
    if not future.done():
        future.set_exception(StoreError("the store did not answer in time"))
