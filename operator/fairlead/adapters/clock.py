"""Time: the one place that asks for it."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the shells need to know of time."""

    def now(self) -> datetime:
        """Read the wall clock, UTC."""

    def monotonic(self) -> float:
        """Count seconds since some moment; never goes back."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's own."""

    def now(self) -> datetime:
        """Read the wall clock, UTC."""
        return datetime.now(UTC)  # noqa: TID251  this module is the clock

    def monotonic(self) -> float:
        """Count seconds since some moment; never goes back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
