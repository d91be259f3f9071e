"""One probe of a provider's endpoint: `GET`, over a connection of its own, told by the status line alone.

It takes the way that traffic takes: the same certificates, the name of the certificate checked, the same time to
connect, no redirect followed, no proxy. It sends no credential, keeps no cookie, and reads nothing of a body.
"""

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import httpx

from fairlead.errors import EnvoyError
from fairlead.statuses import Failure

CONNECT_S = 2.0
"""How long a connection may take, TLS included: as long as Envoy gives it (`clusters.CONNECT_TIMEOUT_MS`)."""
_CONNECTS_WITHIN = 0.9
_LONGEST_DETAIL = 200
_SERVER_ERRORS = range(500, 600)
_SENDS = "http11.send_request_headers.started"
"""httpcore's word for the moment at which a connection stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a probe met."""

    status: int
    """Of the answer; 0 without one."""
    failure: Failure | None
    """None: alive."""
    detail: str = ""
    """Of a failure without an answer, the words of system or TLS where there are some: `connection refused`. One line,
    bounded, and nothing of what came over the wire."""


_NO_CONNECTION = Finding(status=0, failure=Failure.CONNECTION_FAILED, detail="no connection in time")


class Probing(Protocol):
    """Ask one URL once."""

    async def ask(self, url: str, *, timeout_s: float) -> Finding:
        """Return what came within so many seconds. Raises nothing: whatever is wrong is a finding."""


def trust(ca_file: Path) -> ssl.SSLContext:
    """Load the certificates that endpoints are checked against.

    Raises:
        EnvoyError: the file cannot be read, or holds none.

    """
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except (OSError, ssl.SSLError) as error:
        raise EnvoyError(f"{ca_file}: got {error}, want a file with certificates in PEM") from None


class HttpProbes:
    """Probes over HTTP/1.1. A context, within one event loop."""

    def __init__(self, trusted: ssl.SSLContext) -> None:
        self._client = httpx.AsyncClient(
            verify=trusted,
            trust_env=False,
            cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=())),
            headers={"accept": "application/json", "accept-encoding": "identity", "user-agent": "fairlead-probe"},
            # A connection that is kept would hide a name that is gone and a port that refuses.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def ask(self, url: str, *, timeout_s: float) -> Finding:
        """Return what came within so many seconds, see `Probing`."""
        stands = False

        # Less than the whole: httpcore closes a connection whose TLS is late by its own timer, not by a cancellation.
        connect_s = min(CONNECT_S, _CONNECTS_WITHIN * timeout_s)

        async def trace(event: str, _: dict[str, Any]) -> None:
            nonlocal stands
            stands = stands or event == _SENDS

        try:
            async with (
                asyncio.timeout(timeout_s),
                self._client.stream(
                    "GET", url, timeout=httpx.Timeout(None, connect=connect_s), extensions={"trace": trace}
                ) as answer,
            ):
                return _of_status(answer.status_code)
        except TimeoutError:
            if stands:
                return Finding(status=0, failure=Failure.TIMED_OUT, detail=f"no answer within {timeout_s:g} s")
            return _NO_CONNECTION
        except httpx.ConnectTimeout:
            return _NO_CONNECTION
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError, ValueError) as error:
            return Finding(status=0, failure=failure(error), detail=words(error))


def _of_status(status: int) -> Finding:
    """Whoever answers below 500 is alive: without a credential, a refusal is what a sound endpoint says."""
    return Finding(status=status, failure=Failure.SERVER_ERROR if status in _SERVER_ERRORS else None)


def failure(error: Exception) -> Failure:
    """Sort what went wrong before there was a status."""
    if any(isinstance(cause, socket.gaierror) for cause in _chain(error)):
        return Failure.UNRESOLVABLE
    match error:
        case httpx.ConnectError():
            return Failure.CONNECTION_FAILED
        case httpx.RemoteProtocolError() if len([*_chain(error)]) > _OF_SILENCE:
            return Failure.NO_HTTP
        case httpx.UnsupportedProtocol() | httpx.InvalidURL() | ValueError():
            return Failure.NO_HTTP
        case _:
            return Failure.CONNECTION_CUT


_OF_SILENCE = 2
"""Errors in a chain of httpx and httpcore alone: they were told nothing. A third is the parser's: what it was told
is no HTTP."""


def words(error: Exception) -> str:
    """Take the words of TLS or of the system. What came over the wire is the provider's to choose, and is left out."""
    for cause in _chain(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return f"certificate not trusted: {cause.verify_message}"[:_LONGEST_DETAIL]
            case ssl.SSLError():
                return f"TLS failed: {cause.reason}".lower()[:_LONGEST_DETAIL]
            case socket.gaierror():
                return "no such name"
            case OSError() if cause.errno in errno.errorcode:
                return os.strerror(cause.errno or 0).lower()
            case _:
                pass
    return ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it came from."""
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        if isinstance(cause, BaseExceptionGroup) and cause.exceptions:
            cause = cause.exceptions[0]
        else:
            cause = cause.__cause__ or cause.__context__
