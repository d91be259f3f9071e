"""Operations that come together travel together."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from fairlead.budgetserver.batch import LARGEST, Batch
from fairlead.budgetserver.store import StoreError


class Recorder:
    def __init__(self) -> None:
        self.batches: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, operations: Sequence[int]) -> Sequence[int | Exception]:
        self.batches.append(len(operations))
        await self.gate.wait()
        return [StoreError("thirteen") if operation == 13 else operation * 2 for operation in operations]


def test_what_comes_meanwhile_shares_the_next_round_trip() -> None:
    async def run() -> None:
        recorder = Recorder()
        recorder.gate.clear()
        batch = Batch(recorder, lanes=1, timeout_s=10)
        tasks = [asyncio.create_task(batch.submit(0))]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        tasks += [asyncio.create_task(batch.submit(number)) for number in range(1, 13)]
        await asyncio.sleep(0)
        recorder.gate.set()
        assert await asyncio.gather(*tasks) == [2 * number for number in range(13)]
        assert recorder.batches == [1, 12]
        await batch.close()

    asyncio.run(run())


def test_one_after_the_other_nobody_is_left_behind() -> None:
    async def run() -> None:
        recorder = Recorder()
        batch = Batch(recorder, lanes=1, timeout_s=10)
        assert [await batch.submit(number) for number in range(100, 120)] == [2 * number for number in range(100, 120)]
        assert recorder.batches == [1] * 20

    asyncio.run(run())


def test_a_failure_is_raised_to_its_caller_alone() -> None:
    async def run() -> None:
        batch = Batch(Recorder(), lanes=2, timeout_s=10)
        results = await asyncio.gather(*(batch.submit(number) for number in (12, 13, 14)), return_exceptions=True)
        assert results[0] == 24
        assert isinstance(results[1], StoreError)
        assert results[2] == 28

    asyncio.run(run())


def test_a_round_trip_that_fails_is_raised_to_all() -> None:
    async def fail(_operations: Sequence[int]) -> Sequence[int]:
        raise StoreError("gone")

    async def run() -> None:
        batch = Batch(fail, lanes=1, timeout_s=10)
        results = await asyncio.gather(*(batch.submit(number) for number in range(3)), return_exceptions=True)
        assert [str(result) for result in results] == ["gone"] * 3
        with pytest.raises(StoreError):
            await batch.submit(4)

    asyncio.run(run())


def test_a_caller_does_not_wait_for_ever() -> None:
    async def run() -> None:
        recorder = Recorder()
        recorder.gate.clear()
        batch = Batch(recorder, lanes=1, timeout_s=0.01)
        with pytest.raises(StoreError, match="in time"):
            await batch.submit(1)
        recorder.gate.set()
        assert await batch.submit(2) == 4

    asyncio.run(run())


def test_a_batch_has_a_largest_size() -> None:
    async def run() -> None:
        recorder = Recorder()
        batch = Batch(recorder, lanes=1, timeout_s=30)
        await asyncio.gather(*(batch.submit(number) for number in range(100, 100 + 2 * LARGEST + 1)))
        assert max(recorder.batches) == LARGEST

    asyncio.run(run())


def test_what_nobody_hurries_goes_with_what_comes_next_and_before_it() -> None:
    async def run() -> None:
        recorder = Recorder()
        batch = Batch(recorder, lanes=1, timeout_s=10)
        patient = [asyncio.create_task(batch.submit(number, patient=True)) for number in (1, 2)]
        await asyncio.sleep(0)
        assert recorder.batches == []
        assert await batch.submit(3) == 6
        assert [task.done() for task in patient] == [True, True]
        assert recorder.batches == [3]

    asyncio.run(run())


def test_what_nobody_hurries_goes_by_itself_when_many_wait_or_at_the_end() -> None:
    async def run() -> None:
        recorder = Recorder()
        batch = Batch(recorder, lanes=1, timeout_s=10)
        assert await batch.submit(1, patient=True) == 2
        assert await asyncio.gather(*(batch.submit(number, patient=True) for number in range(100, 165))) == [
            2 * number for number in range(100, 165)
        ]
        last = asyncio.create_task(batch.submit(5, patient=True))
        await asyncio.sleep(0)
        await batch.close()
        assert await last == 10
        assert recorder.batches == [1, 65, 1]

    asyncio.run(run())


def test_several_at_once_keep_their_order_and_fail_each_for_itself() -> None:
    async def run() -> None:
        async def execute(operations: Sequence[int]) -> Sequence[Any]:
            return [StoreError("odd") if operation % 2 else operation * 10 for operation in operations]

        batch: Batch[int] = Batch(execute, lanes=1, timeout_s=5)
        zero, one, two = await batch.submit_all([0, 1, 2], patient=True)
        assert (zero, two) == (0, 20)
        assert isinstance(one, StoreError)
        assert await batch.submit_all([]) == []
        await batch.close()

    asyncio.run(run())
