"""What a gateway counts by itself, asked for at its metrics port."""

from types import TracebackType
from typing import Protocol, Self

import httpx

from fairlead.errors import EnvoyError

PATH = "/metrics"
_MOST_BYTES = 32 * 1024 * 1024
"""A gateway of the largest catalogue shows a tenth of it."""


_TIMEOUT_S = 2.0


class GatewayMetrics(Protocol):
    """Ask one gateway process."""

    async def read(self, address: str, *, only: str) -> str:
        """Return the series whose names, as Envoy has them, match `only` (RE2, part of the name).

        `address` is `host:port`. Raises `EnvoyError` when there is no answer that can be read.
        """


class HttpGatewayMetrics:
    """Over HTTP, without the proxies of the environment: gateways are near. A context."""

    def __init__(self) -> None:
        self._client = httpx.AsyncClient(timeout=_TIMEOUT_S, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def read(self, address: str, *, only: str) -> str:
        """Return the series whose names match, see `GatewayMetrics`."""
        try:
            async with self._client.stream("GET", f"http://{address}{PATH}", params={"filter": only}) as answer:
                answer.raise_for_status()
                content = bytearray()
                async for part in answer.aiter_bytes():
                    content += part
                    if len(content) > _MOST_BYTES:
                        raise EnvoyError(f"{address}: got more than {_MOST_BYTES} bytes of metrics")
                return content.decode()
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeDecodeError) as error:
            raise EnvoyError(f"{address}: {str(error) or type(error).__name__}") from error
