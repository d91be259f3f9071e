"""Time that passes fifty times as fast: loops with real waits, in tests that end soon."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

FASTER = 50
BEGAN = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class FastClock:
    """`fairlead.adapters.clock.Clock`, so many times as fast. `ahead` moves it by hand."""

    def __init__(self, faster: float = FASTER) -> None:
        self._faster = faster
        self._began = time.monotonic()
        self._ahead_s = 0.0

    def ahead(self, seconds: float) -> None:
        self._ahead_s += seconds

    def now(self) -> datetime:
        return BEGAN + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return (time.monotonic() - self._began) * self._faster + self._ahead_s

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._faster)
