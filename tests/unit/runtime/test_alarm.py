"""What is due: now, at a moment, and never lost in between."""

import asyncio
from collections.abc import Awaitable, Callable

from fairlead.runtime.alarm import Alarm

SOON_S = 0.01
PATIENCE_S = 20


def _with(story: Callable[[Alarm], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await story(Alarm())

    asyncio.run(run())


def test_what_rang_before_somebody_waits_is_not_lost() -> None:
    async def story(alarm: Alarm) -> None:
        alarm.ring()
        alarm.ring()
        assert await alarm.within(PATIENCE_S)
        alarm.silence()
        assert not await alarm.within(SOON_S)

    _with(story)


def test_of_several_moments_the_earliest_counts() -> None:
    async def story(alarm: Alarm) -> None:
        alarm.ring_in(2 * PATIENCE_S)
        alarm.ring_in(SOON_S)
        alarm.ring_in(2 * PATIENCE_S)
        assert await alarm.within(None)

    _with(story)


def test_a_moment_that_has_come_makes_room_for_the_next() -> None:
    async def story(alarm: Alarm) -> None:
        for _ in range(3):
            alarm.ring_in(SOON_S)
            assert await alarm.within(None)
            alarm.silence()

    _with(story)


def test_a_moment_stays_set_when_it_is_silenced() -> None:
    async def story(alarm: Alarm) -> None:
        alarm.ring_in(SOON_S)
        alarm.ring()
        alarm.silence()
        assert not alarm.rings
        assert await alarm.within(None)

    _with(story)


def test_a_moment_that_came_a_moment_early_is_none_that_is_still_to_come() -> None:
    async def story(alarm: Alarm) -> None:
        loop = asyncio.get_running_loop()
        early = 5e-10  # less than what the loop tells apart
        now = loop.time()
        loop.time = lambda: now  # type: ignore[method-assign]
        alarm.ring_in(early)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert alarm.rings
        alarm.silence()
        alarm.ring_in(early)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert alarm.rings

    _with(story)
