"""Many callers, one round trip: a store's operations are collected while the last ones are under way.

Under load a batch grows by itself and its cost is shared; alone, an operation waits for nobody. One that nobody hurries
waits a moment for others to go with.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from fairlead.budgetserver.store import StoreError

LARGEST = 512
"""Operations in one round trip: bounds how long the first of them waits for the last."""
PATIENCE_S = 0.01
"""How long an operation that nobody hurries waits for one that somebody does."""
_MOST_PATIENT = 64
"""More of them than that wait for nobody."""

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
        self._patient: list[tuple[Operation, asyncio.Future[Any]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._busy = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def submit(self, operation: Operation, *, patient: bool = False) -> Any:
        """Run one operation, a `patient` one with those that come next, before them, or after `PATIENCE_S`.

        Raises `StoreError`, also when there is no result in time.
        """
        (result,) = await self.submit_all((operation,), patient=patient)
        if isinstance(result, BaseException):
            raise result
        return result

    async def submit_all(self, operations: Sequence[Operation], *, patient: bool = False) -> list[Any]:
        """Run operations as `submit` does, in their order; return the result of each, or the exception in its place."""
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Any]] = [loop.create_future() for _ in operations]
        asked = list(zip(operations, futures, strict=True))
        if patient and len(self._patient) + len(asked) <= _MOST_PATIENT:
            self._patient += asked
            if self._timer is None:
                self._timer = loop.call_later(PATIENCE_S, self._hurry)
        else:
            self._take_patient()
            self._waiting += asked
            self._start()
        timer = loop.call_later(self._timeout_s, _give_up, futures)
        try:
            return await asyncio.gather(*futures, return_exceptions=True)
        finally:
            timer.cancel()

    def _hurry(self) -> None:
        """Let those go that have waited."""
        self._take_patient()
        if self._waiting:
            self._start()

    def _take_patient(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._waiting += self._patient
        self._patient = []

    def _start(self) -> None:
        """Begin a round trip, unless as many as may be are under way: those take along what waits."""
        if self._busy < self._lanes:
            self._busy += 1
            task = asyncio.get_running_loop().create_task(self._drain())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

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
        self._hurry()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _give_up(futures: Sequence[asyncio.Future[Any]]) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(StoreError("the store did not answer in time"))
