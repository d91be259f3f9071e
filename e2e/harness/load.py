"""Clients that ask at a steady rate, whatever the answers: failed requests are counted, not retried."""

import asyncio
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Self

import aiohttp


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one request."""

    asked_at: float
    """Monotonic seconds."""
    took_s: float
    status: int
    """0 = no answer."""
    target: str
    error: str = ""


@dataclass(slots=True)
class Load:
    """Requests at `rate` per second to a gateway, from `with` to its end."""

    url: str
    key: str
    model: str
    rate: float = 50.0
    stream: bool = False
    answers: list[Answer] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(60)

    @property
    def failed(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.status != 200]

    @property
    def by_target(self) -> Counter[str]:
        return Counter(answer.target for answer in self.answers)

    def first_of(self, target: str) -> Answer | None:
        return next((answer for answer in list(self.answers) if answer.target == target), None)

    async def _run(self) -> None:
        timeout = aiohttp.ClientTimeout(total=30)
        async with (
            aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as session,
            asyncio.TaskGroup() as tasks,
        ):
            due = time.monotonic()
            while not self._stop.is_set():
                tasks.create_task(self._ask(session))
                due += 1 / self.rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _ask(self, session: aiohttp.ClientSession) -> None:
        body = {"model": self.model, "messages": [{"role": "user", "content": "Hello"}], "stream": self.stream}
        asked_at = time.monotonic()
        status, target, error = 0, "", ""
        try:
            async with session.post(
                f"{self.url}/v1/chat/completions", json=body, headers={"authorization": f"Bearer {self.key}"}
            ) as response:
                content = await response.text()
                status = response.status
                target = response.headers.get("x-fairlead-target", "")
                if status != 200:
                    error = content[:300]
                elif self.stream and "[DONE]" not in content:
                    status, error = 0, f"a stream was cut: {content[-100:]}"
                elif not self.stream:
                    json.loads(content)
        except (aiohttp.ClientError, TimeoutError, ValueError) as found:
            error = repr(found)
        self.answers.append(
            Answer(asked_at=asked_at, took_s=time.monotonic() - asked_at, status=status, target=target, error=error)
        )
