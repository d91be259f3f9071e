"""A step for many things at once is over only when each has ended, and no more than so many are under way."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from fairlead.errors import ClusterError
from fairlead.runtime.parallel import each

Step = Callable[[str], Awaitable[str]]


class Steps:
    """Steps of several turns of the loop each; those of `failing` fail at once."""

    def __init__(self, *failing: str) -> None:
        self._failing = failing
        self.ended: list[str] = []
        self.under_way = self.most = 0

    async def run(self, item: str) -> str:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            if item in self._failing:
                raise ClusterError(item)
            await _pass(5)
            self.ended.append(item)
            return item.upper()
        finally:
            self.under_way -= 1


async def _pass(turns: int) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


async def _each(items: Sequence[str], step: Step, at_once: int) -> list[str]:
    return await each(items, step, at_once=at_once)


def test_a_step_that_fails_leaves_none_under_way_and_ends_no_other() -> None:
    async def story() -> None:
        steps = Steps("b")
        with pytest.raises(ClusterError, match="b"):
            await _each("abcd", steps.run, 3)
        assert steps.under_way == 0, "a retry would meet it"
        assert sorted(steps.ended) == ["a", "c", "d"]

    asyncio.run(story())


def test_of_two_that_fail_the_first_item_is_told_not_the_first_in_time() -> None:
    async def fail(item: str) -> str:
        await _pass(5 if item == "a" else 0)
        raise ClusterError(item)

    with pytest.raises(ClusterError, match="a"):
        asyncio.run(_each("ab", fail, 2))


@pytest.mark.parametrize("at_once", [1, 3])
def test_so_many_are_under_way_and_what_they_return_stands_in_the_order_of_the_items(at_once: int) -> None:
    steps = Steps()
    assert asyncio.run(_each("hgfedcba", steps.run, at_once)) == list("HGFEDCBA")
    assert steps.most == at_once


def test_an_end_from_outside_ends_all() -> None:
    async def story() -> None:
        steps = Steps()
        running = asyncio.create_task(_each("abc", steps.run, 2))
        await _pass(3)
        assert steps.under_way == 2
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert (steps.under_way, steps.ended) == (0, [])

    asyncio.run(story())
