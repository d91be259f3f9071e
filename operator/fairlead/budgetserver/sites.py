"""Where the HTTP applications listen: with a bound on connections, as gRPC's listener has one.

Where there are too many, a new connection takes the place of that which was silent the longest, of those that are owed
no answer. One that is owed an answer and says nothing for longer than any step of a store takes is not waited for: its
client does not send the body that it announced.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

from aiohttp import web

from fairlead.http2.address import listen
from fairlead.http2.links import Links

_SILENT_S = 10.0
"""How long a request may be under way on a connection on which nothing comes."""
SHARE = 1 / 8
"""Of the files that the process may open, for the connections of one site; gRPC's listener has half."""


class Site:
    """One application on one address."""

    def __init__(self, application: web.Application, *, most: int, crowded: Callable[[], None]) -> None:
        """`most`: connections at once; `crowded` is told of each that was closed to make room, or found none."""
        application.middlewares.append(_under_way)
        self._runner = web.AppRunner(application, access_log=None)
        self._links: Links[_Link] = Links(most, share=SHARE)
        self._crowded = crowded
        self._server: asyncio.Server | None = None

    async def start(self, address: str) -> int:
        """Listen on `host:port`, or `unix:<path>`; return the port in use, or 0. Raises `OSError`."""
        await self._runner.setup()
        self._server, port = await listen(address, self._link)
        return port

    async def stop(self) -> None:
        """Take no more connections, answer what is under way, and close all."""
        if self._server is not None:
            self._server.close()
        await self._runner.cleanup()

    def _link(self) -> "_Link":
        serve = cast("web.Server", self._runner.server)  # set up in `start`
        return _Link(serve(), self._links, self._crowded)


class _Link(asyncio.Protocol):
    """One connection: tells the others that it is there, and hands all on to aiohttp."""

    def __init__(self, inner: asyncio.Protocol, links: "Links[_Link]", crowded: Callable[[], None]) -> None:
        self._inner = inner
        """aiohttp's part."""
        self._links = links
        self._crowded = crowded
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._spoke_s = self._loop.time()
        self._begun = False
        self.under_way = 0
        """Requests whose handler runs."""

    @property
    def is_idle(self) -> bool:
        """Tell whether the client waits for nothing, or does not say what it wants."""
        return not self.under_way or self._loop.time() - self._spoke_s > _SILENT_S

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        gone = self._links.add(self)
        if gone is not None:
            self._crowded()
            gone.abort()
        if gone is not self:
            self._begun = True
            self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self._spoke_s = self._loop.time()
        self._links.spoke(self)
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        self._links.discard(self)
        if self._begun:
            self._inner.connection_lost(error)


@web.middleware
async def _under_way(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Note on its connection that a request is under way."""
    link = request.transport.get_protocol() if request.transport is not None else None
    if not isinstance(link, _Link):
        return await handler(request)
    link.under_way += 1
    try:
        return await handler(request)
    finally:
        link.under_way -= 1
