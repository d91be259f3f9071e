"""Children that end are brought back, ever more slowly, until they are told to end."""

import asyncio

from fairlead.errors import EnvoyError, FairleadError
from fairlead.runtime.children import keep_alive


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
