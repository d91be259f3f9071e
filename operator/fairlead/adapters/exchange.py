"""One question over HTTP to a process nearby, whose answer nobody has to trust: no cookies, no compression, bounded."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path

import httpx

from fairlead.errors import AnswerError

MOST_BYTES = 16 * 1024 * 1024
"""Of any answer: the spend of some 50,000 accounts."""
_PART_S = 2.0
_WHOLE_S = 5.0
"""How long each part of an answer may take, and all of it: one that trickles in would never end."""
_PLAIN = "identity"


class UnansweredError(AnswerError):
    """Nobody is there, or nobody answered in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came."""

    status: int
    headers: httpx.Headers
    content: bytes


def client(transport: httpx.AsyncBaseTransport | None = None, base_url: str = "") -> httpx.AsyncClient:
    """Make a client for processes nearby: past the proxies of the environment, and it keeps no cookie of anybody."""
    none = CookieJar(policy=DefaultCookiePolicy(allowed_domains=()))
    return httpx.AsyncClient(transport=transport, base_url=base_url, timeout=_PART_S, trust_env=False, cookies=none)


def at_socket(path: Path) -> httpx.AsyncHTTPTransport:
    """Return the way to a Unix socket. Without TLS there: else each way made takes 20 ms to read all certificates."""
    return httpx.AsyncHTTPTransport(uds=str(path), verify=False)


async def get(
    client: httpx.AsyncClient, url: str, *, headers: Mapping[str, str] | None = None, most_bytes: int | None = None
) -> Answer:
    """Ask for what stands at a URL.

    Raises:
        UnansweredError: nobody is there, or not in time.
        AnswerError: what came is no HTTP, compressed although nobody asked for that, or larger than
            `most_bytes`, or `MOST_BYTES` where that is not said.

    """
    return await _exchange(client, "GET", url, headers or {}, most_bytes or MOST_BYTES)


async def post(client: httpx.AsyncClient, url: str) -> Answer:
    """Order what a URL stands for, without a body; raises as `get` does."""
    return await _exchange(client, "POST", url, {}, MOST_BYTES)


async def _exchange(
    client: httpx.AsyncClient, method: str, url: str, headers: Mapping[str, str], most_bytes: int
) -> Answer:
    asked = {**headers, "accept-encoding": _PLAIN}
    try:
        async with asyncio.timeout(_WHOLE_S), client.stream(method, url, headers=asked) as answer:
            content = await _content(answer, most_bytes)
            return Answer(status=answer.status_code, headers=answer.headers, content=content)
    except httpx.ProtocolError as error:
        raise AnswerError(f"got no HTTP: {_reason(error)}") from error
    except (httpx.TransportError, httpx.InvalidURL, TimeoutError) as error:
        raise UnansweredError(_reason(error)) from error
    except (httpx.HTTPError, ValueError) as error:  # text that no header can carry is a UnicodeError, a ValueError
        raise AnswerError(_reason(error)) from error


async def _content(answer: httpx.Response, most_bytes: int) -> bytes:
    # A few KiB of gzip can be a GiB: what is compressed is refused before anybody unpacks it.
    if (encoding := answer.headers.get("content-encoding", _PLAIN)) != _PLAIN:
        raise AnswerError(f"got an answer in the encoding {encoding[:20]!r}, want it plain")
    content = bytearray()
    async for part in answer.aiter_bytes():
        content += part
        if len(content) > most_bytes:
            raise AnswerError(f"got more than {most_bytes} bytes, want fewer")
    return bytes(content)


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
