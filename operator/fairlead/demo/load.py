"""Light load in the background: what fails while something breaks, and who answers."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

import openai

from fairlead.demo.scene import Region

QUESTION: Any = [{"role": "user", "content": "Who are you?"}]
TIMEOUT_S = 30


def client(region: Region, key: str) -> openai.AsyncOpenAI:
    """Make the official client of a region's gateway, without retries of its own: a failure must show."""
    return openai.AsyncOpenAI(base_url=region.base_url, api_key=key, max_retries=0, timeout=TIMEOUT_S)


class Load:
    """Asks every gateway in turn, `per_second` times, until the context ends; then all answers are in."""

    def __init__(self, regions: Sequence[Region], *, model: str, key: str, per_second: float) -> None:
        self._regions, self._model, self._key = regions, model, key
        self.per_second = per_second
        self.sent = 0
        self.failures: list[str] = []
        self.answered_by: Counter[tuple[str, str]] = Counter()
        """By the region of the gateway and the region of the endpoint that answered."""
        self.answered_with: Counter[str] = Counter()
        """By model."""
        self.rescued = 0
        """Answers that took more than one attempt."""
        self.last_text: dict[str, str] = {}
        """The latest answer of each gateway, by region."""
        self._stop = asyncio.Event()
        self._news = asyncio.Condition()
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._running = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._running is not None:
            if kind is not None:
                self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=kind is not None)

    async def answers(self, count: int) -> None:
        """Wait until so many more answers or failures have come."""
        wanted = self._done + count
        async with self._news:
            await self._news.wait_for(lambda: self._done >= wanted)

    @property
    def _done(self) -> int:
        return len(self.failures) + self.answered_by.total()

    async def _run(self) -> None:
        start = time.monotonic()
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
            clients = [await stack.enter_async_context(client(region, self._key)) for region in self._regions]
            while not self._stop.is_set():
                turn = self.sent % len(clients)
                group.create_task(self._ask(clients[turn], self._regions[turn].name))
                self.sent += 1
                await asyncio.sleep(max(0.0, start + self.sent / self.per_second - time.monotonic()))

    async def _ask(self, through: openai.AsyncOpenAI, region: str) -> None:
        try:
            raw = await through.chat.completions.with_raw_response.create(model=self._model, messages=QUESTION)
            text = raw.parse().choices[0].message.content
        except openai.OpenAIError as error:
            self.failures.append(f"{region}: {error}")
        else:
            self.answered_by[region, raw.headers.get("x-fairlead-region", "-")] += 1
            self.answered_with[raw.headers.get("x-fairlead-target", "-").rpartition("/")[2]] += 1
            self.rescued += raw.headers.get("x-fairlead-attempts", "1") != "1"
            self.last_text[region] = (text or "").strip()
        async with self._news:
            self._news.notify_all()
