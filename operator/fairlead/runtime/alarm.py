"""What a loop waits for: that something is to be done now, or at a moment that was set before."""

import asyncio
from contextlib import suppress


class Alarm:
    """Rings when it is told to, and when a moment comes; rings on until it is silenced. Many calls are one.

    Made and used in one event loop, whose clock it goes by.
    """

    def __init__(self) -> None:
        self._rings = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def rings(self) -> bool:
        """Whether there is something to do."""
        return self._rings.is_set()

    def ring(self) -> None:
        """Let whoever waits begin now."""
        self._rings.set()

    def ring_in(self, seconds: float) -> None:
        """Let whoever waits begin in so many seconds; of several moments the earliest counts."""
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        if self._timer is not None and self._timer.when() <= due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(due, self._come)

    def _come(self) -> None:
        # A loop may call a nanosecond early: that it has come is told by the call, not by the clock.
        self._timer = None
        self._rings.set()

    def silence(self) -> None:
        """Take note: what was to be done is being done. A moment that is set stays set."""
        self._rings.clear()

    async def within(self, seconds: float | None) -> bool:
        """Wait until it rings, so many seconds at most (None: for ever); tell whether it does."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._rings.wait()
        return self.rings
