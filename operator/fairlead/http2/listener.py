"""Sockets: who connects, what comes, what goes, and an orderly end."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import cast

import structlog

from fairlead.http2 import unary
from fairlead.http2.address import listen
from fairlead.http2.connection import MOST_STREAMS, Connection, Request
from fairlead.http2.errors import Code, ConnectionBrokenError
from fairlead.http2.links import Links
from fairlead.http2.unary import CallError, Status

_GREETING_S = 10.0
"""How long a connection may take to begin as one of HTTP/2 does."""
_SLOW_S = 30.0
"""How long a client may read nothing of what waits for it. Meanwhile nothing is read of what it sends."""
_LARGEST_BACKLOG = 1 << 20
"""Bytes of answers that wait for a client, above which it counts as slow."""
MOST_CONNECTIONS = 4_096
"""Connections at once, or half of what this process may open. A worker of a gateway has one or two."""
_SHARE = 1 / 2
"""Of what this process may open, for connections."""
log = structlog.get_logger("fairlead.http2")

Handler = Callable[[bytes], Awaitable[bytes]]
"""Answers one message with another, or raises `CallError`. A client that gives up waiting does not cancel it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What is answered."""

    handlers: Mapping[str, Handler]
    """By `/<service>/<method>`."""
    broken: Callable[[str], None]
    """Told why a connection was closed that sent what no client may send."""
    crowded: Callable[[], None] = lambda: None
    """Told of each connection that was closed to make room, or that there was no room for."""


class Listener:
    """Answers calls on one address.

    Where there are too many connections, a new one takes the place of that which was silent the longest, of those that
    are owed no answer: a client that opens many and says nothing loses its own. Where all are owed one, it is closed.
    """

    def __init__(self, service: Service, *, most: int = MOST_CONNECTIONS) -> None:
        self._service = service
        self._links: Links[_Link] = Links(most, share=_SHARE)
        self._server: asyncio.Server | None = None
        self._emptied = asyncio.Event()

    async def start(self, address: str) -> int:
        """Listen on `host:port`, or `unix:<path>`; return the port in use, or 0. Raises `OSError`."""
        self._server, port = await listen(address, self._link)
        return port

    async def stop(self, grace_s: float) -> None:
        """Take no more calls, answer those under way, and close all connections, at the latest after this time."""
        if self._server is not None:
            self._server.close()
        for link in self._links.all():
            link.drain()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                while self._links:
                    self._emptied.clear()
                    await self._emptied.wait()
        for link in self._links.all():
            link.abort()

    def _link(self) -> "_Link":
        return _Link(self._service, self._links, self._emptied)


class _Link(asyncio.Protocol):
    """One connection, between its transport and its state."""

    def __init__(self, service: Service, links: "Links[_Link]", emptied: asyncio.Event) -> None:
        self._service = service
        self._links = links
        self._emptied = emptied
        self._connection = Connection()
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._running: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        """When a client that does not begin, or does not read, is given up."""
        self._flushes = False
        self._drains = False
        self._closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        transport.set_write_buffer_limits(high=_LARGEST_BACKLOG)
        # A client whose machine is gone says no goodbye; idle ones are welcome.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        gone = self._links.add(self)
        if gone is not None:
            self._service.crowded()
            gone.abort()
        if self._closed:
            return
        self._timer = self._loop.call_later(_GREETING_S, self.abort)
        self._flush()

    def connection_lost(self, _error: Exception | None) -> None:
        self._closed = True
        self._stop_timer()
        self._links.discard(self)
        self._emptied.set()

    def data_received(self, data: bytes) -> None:
        if self._closed:
            return
        self._links.spoke(self)
        greeted = self._connection.is_greeted
        try:
            for request in self._connection.receive(data):
                self._begin(request)
        except ConnectionBrokenError as error:
            self._service.broken(str(error))
            self._connection.broken(error)
            self._close()
            return
        if not greeted and self._connection.is_greeted:
            self._stop_timer()
        self._flush()
        self._end_if_drained()

    @property
    def is_idle(self) -> bool:
        """Tell whether the client waits for nothing."""
        return not self._running and self._connection.is_idle

    def pause_writing(self) -> None:
        """Stop listening to a client that does not read."""
        self._transport.pause_reading()
        self._stop_timer()
        self._timer = self._loop.call_later(_SLOW_S, self.abort)

    def resume_writing(self) -> None:
        if not self._closed:
            self._stop_timer()
            self._transport.resume_reading()

    def drain(self) -> None:
        """Ask the client to go, and close when it has all its answers."""
        self._drains = True
        self._connection.drain()
        self._flush()

    def abort(self) -> None:
        """Close at once."""
        self._closed = True
        self._transport.abort()

    def _begin(self, request: Request) -> None:
        if len(self._running) >= 2 * MOST_STREAMS:  # those that were given up run on
            raise ConnectionBrokenError(Code.ENHANCE_YOUR_CALM, "got too many requests that are given up at once")
        task = self._loop.create_task(self._serve(request))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _serve(self, request: Request) -> None:
        body, trailers = b"", unary.OK_TRAILERS
        try:
            message = unary.message(request, self._service.handlers)
            body = unary.framed(await self._service.handlers[request.head.path](message))
        except CallError as error:
            trailers = unary.failure(error)
        except Exception:
            log.exception("rpc.failed")
            trailers = unary.failure(CallError(Status.UNKNOWN, "the call failed"))
        self._connection.answer(request.stream, unary.OK_HEAD, body, trailers)
        if not self._flushes:  # what is answered in one turn of the loop goes out together
            self._flushes = True
            self._loop.call_soon(self._flush_answers)

    def _flush_answers(self) -> None:
        self._flushes = False
        self._flush()
        self._end_if_drained()

    def _flush(self) -> None:
        out = self._connection.taken()
        if out and not self._closed:
            self._transport.write(out)

    def _end_if_drained(self) -> None:
        if self._drains and self._connection.is_drained and self._connection.is_idle:
            self._close()

    def _close(self) -> None:
        """Close when what was written has gone out, or a while later."""
        if self._closed:
            return
        self._flush()
        self._closed = True
        self._transport.close()
        self._stop_timer()
        self._timer = self._loop.call_later(_GREETING_S, self._transport.abort)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
