"""What a gateway counts by itself, asked for at its metrics port."""

from collections.abc import Mapping
from types import TracebackType
from typing import Protocol, Self

import aiohttp
from yarl import URL

from fairlead.errors import EnvoyError

PATH = "/metrics"
_PLAIN = "identity"
_MOST_BYTES = 32 * 1024 * 1024
"""A gateway of the largest catalogue shows a tenth of it."""


class GatewayMetrics(Protocol):
    """Ask one gateway process."""

    async def read(self, address: str, *, only: str) -> str:
        """Return the series whose names, as Envoy has them, match `only` (RE2, part of the name).

        `address` is `host:port`. Raises `EnvoyError` when there is no answer that can be read.
        """


class HttpGatewayMetrics:
    """Over HTTP, without the proxies of the environment: gateways are near. A context, within one event loop."""

    def __init__(self, *, timeout_s: float = 2.0) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._opened: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections; the next reading opens others."""
        if self._opened is not None:
            await self._opened.close()
            self._opened = None

    async def read(self, address: str, *, only: str) -> str:
        """Return the series whose names match, see `GatewayMetrics`."""
        return await self.text(f"http://{address}{PATH}", {"filter": only})

    async def text(self, url: str | URL, query: Mapping[str, str] | None = None) -> str:
        """Return what an address shows.

        Raises:
            EnvoyError: there is no answer, or none that can be read.

        """
        if self._opened is None:
            # No cookie is kept. Nothing is unpacked: a few KiB of gzip can be a GiB.
            self._opened = aiohttp.ClientSession(
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                headers={"accept-encoding": _PLAIN},
            )
        content = bytearray()
        try:
            async with self._opened.get(url, params=query) as answer:
                answer.raise_for_status()
                if (encoding := answer.headers.get("content-encoding", _PLAIN)) != _PLAIN:
                    raise EnvoyError(f"{url}: got metrics in the encoding {encoding[:20]!r}, want them plain")
                async for part in answer.content.iter_any():
                    content += part
                    if len(content) > _MOST_BYTES:
                        raise EnvoyError(f"{url}: got more than {_MOST_BYTES} bytes of metrics, want fewer")
            return content.decode()
        except UnicodeDecodeError as error:
            raise EnvoyError(f"{url}: got metrics that are not UTF-8, want text: {error.reason}") from None
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:  # a URL that is none is a ValueError
            raise EnvoyError(f"{url}: {str(error) or type(error).__name__}") from error
