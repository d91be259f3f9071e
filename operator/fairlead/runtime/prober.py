"""Probes of all endpoints: one for each and interval, jittered, a bounded number at a time.

Of the operator and of `fairlead up`, not of each gateway or model: an endpoint is asked once.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from fairlead.adapters.clock import Clock
from fairlead.adapters.probe import Finding
from fairlead.health.endpoint import Probe
from fairlead.runtime.alarm import Alarm

AT_ONCE = 32
"""Probes under way at the same time. One that finds no room waits: late is better than a burst."""
JITTER = 0.1
"""Of the interval, both ways: observers that started together do not stay together."""
FIRST_WITHIN_MS = 1_000
"""The first probe of an endpoint comes within that, or within its interval where that is less."""
_KEPT = 10_000
"""Finished probes that wait to be judged; of more the oldest go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One endpoint and where it is asked."""

    endpoint: str
    """`provider/endpoint`."""
    identity: str
    """Of its address and credential: what was asked at another one is nobody's."""
    url: str
    interval_ms: int
    timeout_ms: int
    with_credential: bool = False
    """Whether a gateway is to ask, which adds the credential."""


class Ask(Protocol):
    """How a place is asked: within its time, whatever comes. Raises nothing."""

    async def __call__(self, place: Place, /) -> Finding | None:
        """Return what came; None where no gateway could be told to ask, which says nothing of the endpoint."""


@dataclass(slots=True)
class _Turn:
    place: Place
    due_ms: int
    """By the event loop's clock."""
    under_way: bool = False


class Prober:
    """Asks each place in its turn. One task runs `run`; whoever judges takes what has ended with `take`."""

    def __init__(self, ask: Ask, clock: Clock, draw: Callable[[], float]) -> None:
        """`draw` returns a random number from 0 to 1."""
        self._ask, self._clock, self._draw = ask, clock, draw
        self._turns: dict[str, _Turn] = {}
        self._ended: deque[Probe] = deque(maxlen=_KEPT)
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._changed = Alarm()
        self.found = Alarm()
        """Rings when a probe has ended."""

    def expect(self, places: Sequence[Place]) -> None:
        """Ask these places from now on, and no others. One that stays the same keeps its turn."""
        now = _now_ms()
        turns = {}
        for place in places:
            turn = self._turns.get(place.endpoint)
            if turn is None or turn.place.identity != place.identity:
                first_ms = min(place.interval_ms, FIRST_WITHIN_MS) * self._draw()
                turn = _Turn(place=place, due_ms=now + int(first_ms))
            elif turn.place.interval_ms != place.interval_ms:
                turn.due_ms = min(turn.due_ms, now + self._pause_ms(place))
            turn.place = place
            turns[place.endpoint] = turn
        self._turns = turns
        self._changed.ring()

    def take(self) -> tuple[Probe, ...]:
        """Return the probes that have ended since the last call, in the order in which they did."""
        taken = tuple(self._ended)
        self._ended.clear()
        self.found.silence()
        return taken

    async def run(self) -> None:
        """Ask until cancelled; no probe outlives it."""
        async with asyncio.TaskGroup() as group:
            while True:
                now = _now_ms()
                for turn in self._turns.values():
                    if turn.due_ms <= now and not turn.under_way:
                        turn.under_way = True
                        turn.due_ms = now + self._pause_ms(turn.place)
                        group.create_task(self._one(turn, turn.place))
                await self._wait()

    async def _wait(self) -> None:
        """Wait until a turn comes, or the turns are others."""
        waiting = [turn.due_ms for turn in self._turns.values() if not turn.under_way]
        await self._changed.within(max(0.0, (min(waiting) - _now_ms()) / 1000) if waiting else None)
        self._changed.silence()

    async def _one(self, turn: _Turn, place: Place) -> None:
        async with self._gate:
            began_ms = self._wall_ms()
            finding = await self._ask(place)
            ended_ms = self._wall_ms()
        turn.under_way = False
        self._changed.ring()
        current = self._turns.get(place.endpoint)
        if finding is None or current is None or current.place.identity != place.identity:
            return
        self._ended.append(
            Probe(
                endpoint=place.endpoint,
                began_ms=began_ms,
                ended_ms=max(began_ms, ended_ms),
                failure=finding.failure,
                status=finding.status,
                detail=finding.detail,
                with_credential=place.with_credential,
            )
        )
        self.found.ring()

    def _pause_ms(self, place: Place) -> int:
        return round(place.interval_ms * (1 + JITTER * (2 * self._draw() - 1)))

    def _wall_ms(self) -> int:
        return int(self._clock.now().timestamp() * 1000)


def _now_ms() -> int:
    return int(asyncio.get_running_loop().time() * 1000)
