"""The HTTP applications of the budget server: whoever opens connections leaves room for those who ask."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvloop
from aiohttp import web

from fairlead.budgetserver import sites
from fairlead.budgetserver.sites import Site

PATIENCE_S = 60
MOST = 50
IDLE = 2_000
ASK = b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n"
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Serving:
    """A site with a path that answers at once and one that waits, and what it was told."""

    def __init__(self, most: int) -> None:
        self.go_on, self.waiting, self.crowded = asyncio.Event(), 0, 0
        application = web.Application()
        application.router.add_get("/readyz", self._ready)
        application.router.add_get("/wait", self._wait)
        application.router.add_post("/read", self._read)
        self.site = Site(application, most=most, crowded=self._note)
        self.port = 0
        self._writers: list[asyncio.StreamWriter] = []

    async def stop(self) -> None:
        self.go_on.set()
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), return_exceptions=True)
        await self.site.stop()

    def _note(self) -> None:
        self.crowded += 1

    async def _ready(self, _request: web.Request) -> web.Response:
        return web.Response(text="ready")

    async def _wait(self, _request: web.Request) -> web.Response:
        self.waiting += 1
        await self.go_on.wait()
        return web.Response(text="waited")

    async def _read(self, request: web.Request) -> web.Response:
        self.waiting += 1
        return web.Response(body=await request.read())

    async def connect(self, said: bytes = b"") -> Connection:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._writers.append(writer)
        writer.write(said)
        return reader, writer

    async def asked(self, connection: Connection | None = None, said: bytes = ASK) -> bytes:
        """Ask, on a new connection or one that is open, and return the first line; empty where it was closed."""
        reader, writer = connection or await self.connect()
        writer.write(said)
        return await answered(reader)

    async def busy(self, number: int, said: bytes = b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n") -> list[Connection]:
        """Open connections whose requests are under way."""
        wanted = self.waiting + number
        opened = [await self.connect(said) for _ in range(number)]
        while self.waiting < wanted:
            await asyncio.sleep(0)
        return opened


async def answered(reader: asyncio.StreamReader) -> bytes:
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]))
        return head.partition(b"\r")[0]
    return b""


@pytest.fixture(params=["uvloop", "asyncio"])
def run(request: pytest.FixtureRequest) -> Callable[[Callable[[Serving], Awaitable[None]]], None]:
    def run(story: Callable[[Serving], Awaitable[None]], most: int = MOST) -> None:
        async def whole() -> None:
            serving = Serving(most)
            serving.port = await serving.site.start("127.0.0.1:0")
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await story(serving)
            finally:
                await serving.stop()

        loop: Any = uvloop.new_event_loop if request.param == "uvloop" else None
        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(whole())

    return run


def test_thousands_that_say_nothing_keep_nobody_from_an_answer(run: Any) -> None:
    async def story(serving: Serving) -> None:
        known = await serving.connect()
        for number in range(IDLE):
            await serving.connect()
            if number % (MOST // 2) == 0:
                assert await serving.asked(known) == b"HTTP/1.1 200 OK", "who speaks now and then stays"
        assert await serving.asked() == b"HTTP/1.1 200 OK"
        assert serving.crowded == IDLE + 2 - MOST

    run(story)


def test_who_is_owed_an_answer_gets_it_and_a_further_one_is_refused(run: Any) -> None:
    async def story(serving: Serving) -> None:
        busy = await serving.busy(MOST)
        assert await serving.asked() == b""
        assert serving.crowded == 1
        serving.go_on.set()
        for reader, _ in busy:
            assert await answered(reader) == b"HTTP/1.1 200 OK"
        assert await serving.asked() == b"HTTP/1.1 200 OK", "they have their answers"

    run(story)


def test_a_body_that_never_comes_is_not_waited_for(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sites, "_SILENT_S", 0.0)

    async def story(serving: Serving) -> None:
        await serving.busy(MOST, b"POST /read HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n1")
        assert await serving.asked() == b"HTTP/1.1 200 OK"
        assert serving.crowded == 1

    run(story)


def test_who_leaves_makes_room(run: Any) -> None:
    async def story(serving: Serving) -> None:
        for _ in range(3 * MOST):
            connection = await serving.connect()
            assert await serving.asked(connection) == b"HTTP/1.1 200 OK"
            connection[1].close()
            await connection[1].wait_closed()
        assert serving.crowded == 0

    run(story)
