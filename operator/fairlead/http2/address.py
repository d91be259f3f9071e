"""Where a server listens: `host:port`, or `unix:<path>`."""

import asyncio
from collections.abc import Callable

_UNIX = "unix:"
_BACKLOG = 1024


async def listen(address: str, connection: Callable[[], asyncio.Protocol]) -> tuple[asyncio.Server, int]:
    """Listen there; return the server, and the port in use, or 0. Raises `OSError`.

    `connection` makes one for each client. An IPv6 address may be in brackets.
    """
    loop = asyncio.get_running_loop()
    if address.startswith(_UNIX):
        return await loop.create_unix_server(connection, address.removeprefix(_UNIX), backlog=_BACKLOG), 0
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    server = await loop.create_server(connection, host, int(port), backlog=_BACKLOG)
    bound: int = server.sockets[0].getsockname()[1]
    return server, bound
