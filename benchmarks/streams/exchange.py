"""A provider and its client in one process, so that an event is sent when the one before has arrived.

Otherwise a busy machine lets several events pile up, a gateway reads them at once, and what was measured is a burst.
There is one client, so that a gateway wakes up for each request and for each event.
"""

import asyncio
import re
import socket
from dataclasses import dataclass, field
from functools import cache

from benchmarks.cpu import cpu_seconds
from benchmarks.gateways.fairlead_gateway import CLIENT_KEY
from benchmarks.streams.loads import Load, answer, request
from benchmarks.streams.running import PATIENCE_S, Running

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_NUMBER = re.compile(rb'"user": ?"(\d+)"')
_UNSEEN = 3
"""Pieces at the end of a stream for which nobody waits: its usage, which not every client gets, and what follows."""


@dataclass(slots=True)
class _Arrived:
    """How many events a client has."""

    events: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class Exchange:
    """Serves `load` to whoever asks, and asks for it."""

    def __init__(self) -> None:
        self._load: Load | None = None
        self._asked = 0
        self._arrived: dict[int, _Arrived] = {}
        self._answer = cache(answer)
        self._connections: dict[int, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}

    async def serve(self, listening: socket.socket) -> asyncio.Server:
        """Answer at a socket that listens."""
        return await asyncio.start_server(self._serve, sock=listening, limit=1 << 20)

    async def cost(self, gateway: Running, load: Load) -> float:
        """Ask for one answer; return the microseconds of CPU that it takes the gateway.

        What a gateway does after its client has the answer counts for the next one.
        """
        self._load = load
        if gateway.port not in self._connections:
            self._connections[gateway.port] = await asyncio.open_connection("127.0.0.1", gateway.port, limit=1 << 20)
        before = cpu_seconds(gateway.pid)
        async with asyncio.timeout(PATIENCE_S):
            await self._ask(load, *self._connections[gateway.port])
        return (cpu_seconds(gateway.pid) - before) * 1e6

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await self._respond(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):  # or the measurement is over
            writer.close()

    async def _respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = _found(_LENGTH, await reader.readuntil(b"\r\n\r\n"))
        number = _found(_NUMBER, await reader.readexactly(length))
        if self._load is None:
            raise RuntimeError("nobody has asked")
        head, pieces = self._answer(self._load)
        if self._load.burst:
            writer.write(b"".join([head, *pieces]))
            return
        writer.write(head)
        for place, piece in enumerate(pieces, start=1):
            writer.write(piece)
            if place <= len(pieces) - _UNSEEN:
                await self._arrival(number, place)

    async def _arrival(self, number: int, events: int) -> None:
        arrived = self._arrived[number]
        while arrived.events < events:
            arrived.changed.clear()
            await arrived.changed.wait()

    async def _ask(self, load: Load, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._asked += 1
        arrived = self._arrived[self._asked] = _Arrived()
        body = request(load, self._asked)
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {CLIENT_KEY}\r\n"
        head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answered = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in answered[:20]:
            raise RuntimeError(answered.decode())
        if load.events:
            while b"[DONE]" not in await reader.readuntil(b"\n\n"):
                arrived.events += 1
                arrived.changed.set()
            await reader.readuntil(b"0\r\n\r\n")
        else:
            await reader.readexactly(_found(_LENGTH, answered))
        del self._arrived[self._asked]


def _found(pattern: re.Pattern[bytes], text: bytes) -> int:
    match = pattern.search(text)
    if match is None:
        raise RuntimeError(f"no {pattern.pattern!r} in {text!r}")
    return int(match[1])
