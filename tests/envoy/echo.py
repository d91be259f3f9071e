"""A provider that answers with what it got: the body of its answer is the request as it came, head and body."""

import asyncio
import threading
from types import TracebackType
from typing import Self

_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"


class Echo:
    """An HTTP/1.1 server on a free port of the loopback, in a thread of its own."""

    def __init__(self, *, short: bool = False, said: bytes = b"{}") -> None:
        self.port = 0
        self.requests = 0
        self.short = short
        self.said = said
        """What is answered instead, where `short`."""
        self.transports: set[asyncio.Transport] = set()
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="echo")

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            self._loop.create_server(lambda: _Connection(self), host="127.0.0.1", port=0)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(self._end())
        self._loop.close()

    async def _end(self) -> None:
        """Close every connection, those too that are just being accepted."""
        for accepting in asyncio.all_tasks() - {asyncio.current_task()}:
            accepting.cancel()
        await asyncio.sleep(0)
        for transport in tuple(self.transports):
            transport.abort()
        for _ in range(2):  # transports close their sockets in the loop's next round
            await asyncio.sleep(0)


class _Connection(asyncio.Protocol):
    def __init__(self, echo: Echo) -> None:
        self._echo = echo
        self._buffer = bytearray()
        self._expected = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._echo.transports.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's signature
        self._echo.transports.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= self._expected and (length := self._request_length()) is not None:
            request = bytes(self._buffer[:length])
            del self._buffer[:length]
            self._expected = 0
            self._echo.requests += 1
            answer = self._echo.said if self._echo.short else request
            self._transport.write(_HEAD % len(answer) + answer)

    def _request_length(self) -> int | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = bytes(self._buffer[:end]).lower()
        if b"transfer-encoding: chunked" in head:
            last = self._buffer.find(b"\r\n0\r\n\r\n", end)
            return None if last < 0 else last + 7
        _, _, rest = head.partition(b"\r\ncontent-length: ")
        self._expected = end + 4 + int(rest.split(b"\r\n", 1)[0] or 0)
        return self._expected if len(self._buffer) >= self._expected else None
