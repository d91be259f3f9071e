"""Looks at a source for the page: the picture when somebody asks, what gateways count at intervals."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from fairlead.adapters.clock import SystemClock
from fairlead.budget.price import Price
from fairlead.console.history import EVERY_S, History, Point
from fairlead.console.picture import Picture
from fairlead.console.source import Source
from fairlead.errors import FairleadError
from fairlead.health.rehearsal import Span
from fairlead.runtime import rehearsal
from fairlead.runtime.rehearsal import Counted

FRESH_S = 2.0
"""A picture is shown again for so long: pages that ask together share one look."""
LOOK_S = 20.0


class Observer:
    """One source, seen by any number of pages."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._picture = Picture(source="", alerts=("nothing is known yet",))
        self._looked_s = float("-inf")
        self._looking = asyncio.Lock()
        self._before: dict[str, Counted] = {}
        self.history = History()

    async def picture(self) -> Picture:
        """Return the picture of the moment; where nobody answers, the one before with what is in the way."""
        loop = asyncio.get_running_loop()
        async with self._looking:
            if loop.time() - self._looked_s < FRESH_S:
                return self._picture
            try:
                async with asyncio.timeout(LOOK_S):
                    self._picture = await self._source.look()
            except (FairleadError, OSError, TimeoutError) as error:
                why = str(error) or f"no answer within {LOOK_S:g} s"
                self._picture = replace(self._picture, alerts=(f"what follows is old: {why}",))
            self._looked_s = loop.time()
            return self._picture

    async def watch(self) -> None:
        """Read what gateways count every few seconds, for ever."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._sample()
            except (FairleadError, OSError, TimeoutError):
                self._before = {}  # a gap, and not an hour's traffic in one point
            due = max(due + EVERY_S, loop.time())
            await asyncio.sleep(due - loop.time())

    async def _sample(self) -> None:
        gateways = await self._source.gateways()
        prices = await self._source.prices()
        read = dict(
            zip(
                gateways,
                await asyncio.gather(*(rehearsal.read(self._source.metrics, each) for each in gateways.values())),
                strict=True,
            )
        )
        spans = _spans(self._before, read, prices)
        self._before = read
        self.history.add(Point(at_s=int(SystemClock().now().timestamp()), spans=spans))


def _spans(
    before: Mapping[str, Counted], now: Mapping[str, Counted], prices: Mapping[str, Price]
) -> Mapping[str, Span]:
    """Return what happened in each region whose gateways answered, some of them at least, at both moments."""
    return {
        region: rehearsal.between(before[region], counted, prices)
        for region, counted in now.items()
        if region in before and counted.series and before[region].series
    }
