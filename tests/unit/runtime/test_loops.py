"""No loop ends quietly, and a step that fails is taken again, ever more slowly."""

import asyncio

import pytest
import structlog
from structlog.testing import capture_logs

from fairlead.errors import ClusterError, FairleadError, StateError
from fairlead.runtime.loops import LoopEndedError, Loops, repeat


async def _returns() -> None:
    return


async def _raises() -> None:
    raise KeyError("nobody expected this")


def _ended(loops: Loops, *names: str) -> None:
    """Run loops of these names that return, one after the other."""

    async def run() -> None:
        for name in names:
            with pytest.raises(LoopEndedError, match=f"`{name}`"):
                await loops.run(name, _returns())

    asyncio.run(run())


def test_a_loop_that_returns_is_an_error_and_the_first_one_is_remembered() -> None:
    loops = Loops(structlog.get_logger())
    assert loops.ended == ""
    with capture_logs() as logs:
        _ended(loops, "one", "two")
    assert loops.ended == "one: returned"
    assert [line["what"] for line in logs] == ["one", "two"]


def test_a_loop_that_raises_ends_all_others_and_says_so() -> None:
    loops, others = Loops(structlog.get_logger()), []

    async def other() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            others.append("cancelled")
            raise

    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(loops.run("other", other()))
            group.create_task(loops.run("broken", _raises()))

    with pytest.raises(ExceptionGroup), capture_logs() as logs:
        asyncio.run(run())
    assert others == ["cancelled"]
    assert loops.ended == "broken: KeyError('nobody expected this')"
    assert [line["what"] for line in logs] == ["broken"], "a loop that is cancelled did not end by itself"


class _Steps:
    """Steps that go as they are told, one after the other; then the loop is cancelled."""

    def __init__(self, *outcomes: Exception | None) -> None:
        self._outcomes = list(outcomes)
        self.slept: list[float] = []
        self.failed: list[int] = []

    async def step(self) -> None:
        if not self._outcomes:
            raise asyncio.CancelledError
        outcome = self._outcomes.pop(0)
        if outcome is not None:
            raise outcome

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def note(self, _error: FairleadError, failures: int) -> None:
        self.failed.append(failures)

    def run(self) -> None:
        async def run() -> None:
            await repeat(
                self.step, every_s=7, sleep=self.sleep, failed=self.note, errors=ClusterError, retry_s=(0.5, 2.0)
            )

        with pytest.raises(asyncio.CancelledError):
            asyncio.run(run())


def test_pauses_grow_while_a_step_fails_and_begin_anew() -> None:
    away = ClusterError("away")
    steps = _Steps(None, away, away, away, away, None, away)
    steps.run()
    assert steps.slept == [7, 0.5, 1.0, 2.0, 2.0, 7, 0.5]
    assert steps.failed == [1, 2, 3, 4, 1]


def test_what_a_step_takes_does_not_add_to_the_time_between_two_of_them() -> None:
    times = iter([0.0, 1.5, 7.0, 13.9, 14.6, 30.0, 40.0])
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def step() -> None:
        if len(slept) == 3:
            raise asyncio.CancelledError

    async def run() -> None:
        await repeat(step, every_s=7, sleep=sleep, failed=lambda *_: None, retry_s=(1, 1), now=lambda: next(times))

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run())
    assert slept == [5.5, pytest.approx(0.7), pytest.approx(0.7)]


def test_an_error_of_another_kind_ends_the_loop() -> None:
    steps = _Steps(StateError("a bug here"))
    with pytest.raises(StateError):
        steps.run()
    assert steps.slept == []
