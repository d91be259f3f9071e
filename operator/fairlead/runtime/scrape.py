"""Reading what gateways count about themselves: each answer becomes a text, or a sentence on why there is none.

No answer, and no source, is an error: none can end a loop.
"""

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from yarl import URL

from fairlead.adapters import disk
from fairlead.adapters.gateway_metrics import HttpGatewayMetrics
from fairlead.errors import EnvoyError, StateError
from fairlead.runtime.parallel import each

_FILE = "file:"
_READ_S, _RESOLVE_S = 4.0, 1.0
"""Whoever waits for all of them waits so long for one that hangs."""
_AT_ONCE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """What one gateway showed."""

    gateway: str
    """`host:port`."""
    text: str
    """Prometheus' text format."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A gateway that could not be read, or a source that names none."""

    gateway: str
    problem: str


class Scraper:
    """Reads all gateways behind some sources.

    A source is a URL, which stands for every address that its name has, or `file:PATH` with one URL a line.
    """

    def __init__(self, sources: Sequence[str], *, only: str) -> None:
        """`only` says which series are asked for, as `GatewayMetrics.read` has it: a whole page can be tens of MB."""
        self._sources = tuple(sources)
        self._only = {"filter": only}
        self._gateways = HttpGatewayMetrics(timeout_s=_READ_S)

    async def close(self) -> None:
        """Let go of the connections; the next `read` opens others."""
        await self._gateways.aclose()

    async def read(self) -> tuple[Metrics | Unread, ...]:
        """Read every gateway once, some at a time. Raises nothing."""
        places = [place for url in self._urls() for place in await _places(url)]
        return tuple(await each(places, self._read, at_once=_AT_ONCE))

    async def _read(self, place: tuple[str, URL] | Unread) -> Metrics | Unread:
        if isinstance(place, Unread):
            return place
        gateway, url = place
        try:
            return Metrics(gateway=gateway, text=await self._gateways.text(url, self._only))
        except EnvoyError as error:
            return Unread(gateway=gateway, problem=str(error))

    def _urls(self) -> list[str]:
        urls = []
        for source in self._sources:
            urls += _lines(Path(source.removeprefix(_FILE))) if source.startswith(_FILE) else [source]
        return urls


def _lines(path: Path) -> list[str]:
    """Return a file's words; none while it is away, what is no UTF-8 replaced."""
    try:
        return (disk.read(path) or b"").decode("utf-8", "replace").split()
    except StateError:
        return []


async def _places(written: str) -> list[tuple[str, URL] | Unread]:
    """Return name and URL of each gateway behind a URL."""
    try:
        url = URL(written)
        host, port = url.host or "", url.port or 80
        if not host:
            return [Unread(gateway=written, problem="got no host, want a URL such as `http://gateway:9090/metrics`")]
    except ValueError as error:
        return [Unread(gateway=written, problem=str(error))]
    try:
        async with asyncio.timeout(_RESOLVE_S):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError):  # a label that is too long is a UnicodeError, which is a ValueError
        return [(f"{host}:{port}", url)]
    addresses = sorted({str(entry[4][0]) for entry in found})
    return [(f"{address}:{port}", url.with_host(address)) for address in addresses]
