"""Clients: in each region some that ask its own gateway at a steady rate, half of them for streams."""

import asyncio
import json
import threading
import time
from dataclasses import dataclass
from itertools import count
from typing import Self

import aiohttp

from regions.network import REGIONS, Network, Region

PER_SECOND = 50
"""Requests of all regions together."""
THERE = 30
"""How many of them are asked in the region that something happens to; the others share the rest."""
GATEWAY_PORT = 8101
PATIENCE_S = 30
ANYWHERE, RESIDENT = "chat", "private"
"""Model names that clients call: one that may be answered everywhere, one that may not leave its geo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a request."""

    region: str
    """Of the client and its gateway."""
    name: str
    stream: bool
    began_s: float
    """Monotonic."""
    took_s: float
    status: int
    """0: none came."""
    by: str = ""
    """The region that answered."""
    attempts: int = 0
    cut: bool = False
    """A stream that had begun, and did not come to its end."""
    error: str = ""

    @property
    def failed(self) -> bool:
        return self.status != 200 or bool(self.error and not self.cut)


class Load:
    """From `with` to its end."""

    def __init__(self, network: Network, there: Region) -> None:
        self._network, self._there = network, there
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(region,)) for region in REGIONS]
        self.answers: list[Answer] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, region: Region) -> None:
        with self._network.inside(region):
            asyncio.run(self._ask_on(region))

    async def _ask_on(self, region: Region) -> None:
        timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
        per_second = THERE if region is self._there else (PER_SECOND - THERE) / (len(REGIONS) - 1)
        async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as group:
            start = time.monotonic()
            for number in count():
                await asyncio.sleep(max(0.0, start + number / per_second - time.monotonic()))
                if self._stop.is_set():
                    return
                resident = region.geo == "eu" and number // 2 % 2 == 1
                name = RESIDENT if resident else ANYWHERE
                group.create_task(self._ask(session, region, name, stream=number % 2 == 1))

    async def _ask(self, session: aiohttp.ClientSession, region: Region, name: str, *, stream: bool) -> None:
        url = f"http://{region.address}:{GATEWAY_PORT}/v1/chat/completions"
        question = {"model": name, "messages": [{"role": "user", "content": "hi"}], "stream": stream}
        began = time.monotonic()
        status, by, attempts, error, cut, body = 0, "", 0, "", False, b""
        try:
            async with session.post(url, json=question) as response:
                status = response.status
                by = response.headers.get("x-fairlead-region", "")
                attempts = int(response.headers.get("x-fairlead-attempts", "0"))
                async for piece in response.content.iter_any():
                    body += piece
        except (aiohttp.ClientError, TimeoutError) as problem:
            error = repr(problem)
        if status == 200 and stream:
            cut = bool(error) or b"data: [DONE]" not in body
        elif status == 200 and not error:
            json.loads(body)
        elif not error:
            error = body.decode(errors="replace")[:300]
        self.answers.append(
            Answer(
                region=region.name,
                name=name,
                stream=stream,
                began_s=began,
                took_s=time.monotonic() - began,
                status=status,
                by=by,
                attempts=attempts,
                cut=cut,
                error=error,
            )
        )
