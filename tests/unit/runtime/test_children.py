"""Children that end are brought back, ever more slowly, until they are told to end."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from fairlead.errors import EnvoyError, FairleadError
from fairlead.runtime import children
from fairlead.runtime.children import BUSY, ended, keep_alive, works


class _Child:
    """Ends at once; starts as it is told; stops after its last start."""

    def __init__(self, *starts: bool, stops_while_it_runs: bool = False) -> None:
        self._starts, self._stops_while_it_runs = list(starts), stops_while_it_runs
        self.is_stopping = False
        self.slept: list[float] = []
        self.told: list[str] = []

    async def ended(self) -> int:
        self.is_stopping = self._stops_while_it_runs
        return 3

    async def died(self, exit_code: int, again_in_s: float) -> None:
        self.told.append(f"died {exit_code}, again in {again_in_s}")

    async def revive(self) -> None:
        is_well = self._starts.pop(0)
        self.is_stopping = not self._starts
        if not is_well:
            raise EnvoyError("no")

    def failed(self, error: FairleadError, again_in_s: float) -> None:
        self.told.append(f"{error}, again in {again_in_s}")

    def back(self) -> None:
        self.told.append("back")

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def _lived(child: _Child, *, calm_s: float) -> _Child:
    asyncio.run(keep_alive(child, pause_s=(1, 4), calm_s=calm_s, sleep=child.sleep))
    return child


def test_pauses_grow_while_it_does_not_live_long() -> None:
    child = _lived(_Child(True, False, True), calm_s=1000)
    assert child.slept == [1, 4, 4]
    assert child.told == ["died 3, again in 1", "back", "died 3, again in 4", "no, again in 4", "back"]


def test_a_long_life_begins_anew() -> None:
    assert _lived(_Child(True, True, True), calm_s=-1).slept == [1, 1, 1]


def test_an_end_that_was_wanted_is_none_to_mend() -> None:
    child = _lived(_Child(stops_while_it_runs=True), calm_s=1000)
    assert (child.slept, child.told) == ([], [])


class _Silent:
    """A process that runs until it is killed, and answers after so many questions."""

    def __init__(self, *, answers_after: int = 10**6) -> None:
        self._answers_after = answers_after
        self._end = asyncio.Event()
        self.asked = 0

    async def wait(self) -> int:
        await self._end.wait()
        return -9

    def kill(self) -> None:
        self._end.set()

    async def answers(self) -> bool:
        self.asked += 1
        if self.asked == self._answers_after:
            self.kill()  # nothing more to see
        return self.asked >= self._answers_after


def _questions_until_it_hangs(busy: Callable[[], bool], *, answers_after: int = 10**6) -> int | None:
    async def run() -> int | None:
        process = _Silent(answers_after=answers_after)
        hung: list[int] = []
        await ended(process, process.answers, patience=4, hangs=lambda: hung.append(process.asked), busy=busy)
        return hung[0] if hung else None

    return asyncio.run(run())


def test_what_works_without_an_answer_is_given_more_time_than_what_does_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(children, "LOOK_S", 0.001)
    assert _questions_until_it_hangs(lambda: False) == 4
    assert _questions_until_it_hangs(lambda: True) == 4 * BUSY
    assert _questions_until_it_hangs(lambda: True, answers_after=4 * BUSY - 1) is None


def test_whether_it_works_is_the_time_of_its_first_thread(tmp_path: Path) -> None:
    stat = tmp_path / "7" / "task" / "7" / "stat"
    busy = works(7, tmp_path)
    assert not busy(), "it has ended"
    stat.parent.mkdir(parents=True)
    for user, system, worked in ((5, 1, False), (5, 1, False), (6, 1, True), (6, 2, True), (6, 2, False)):
        stat.write_text(f"7 (env oy) R) R 1 7 7 0 -1 4194560 1 0 0 0 {user} {system} 0 0 20 0 9 0\n")
        assert busy() is worked
