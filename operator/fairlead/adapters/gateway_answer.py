"""What a gateway pod says that it serves and holds: its digest, keys and credentials, asked for over HTTP."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

import httpx

from fairlead.adapters import exchange
from fairlead.adapters.answer import decoded
from fairlead.adapters.probe import Finding
from fairlead.envoy import held as protocol
from fairlead.envoy import probe
from fairlead.errors import AnswerError
from fairlead.health import attempts
from fairlead.statuses import Failure

_ANSWERED = "-"
_NEVER_ASKED = ("", "NC", "DT")
"""Envoy's flags of a question that went to nobody: none, and those of a cluster that is not there."""
READY_PATH = "/fairlead/ready"
_MOST_BYTES = 16 * 1024
"""Of an answer: a digest and its words are some hundred."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a pod holds of what is secret."""

    keys: bool
    """Whether it has loaded the keys that were asked for."""
    absent: frozenset[str] = frozenset()
    """Files with credentials that it was asked for, and that no request could take along; with `keys` only."""


class GatewayAnswers(Protocol):
    """Ask one gateway pod."""

    async def held(self, address: str, port: int, *, mark: str, files: Collection[str]) -> Held | None:
        """Ask whether a pod has the keys that `mark` stands for, and which files it lacks; None = no answer.

        Raises:
            AnswerError: what came is not what a gateway says.

        """

    async def digest(self, address: str, port: int) -> str | None:
        """Return the digest that the pod at this address serves; None = no answer, or it drains.

        Raises:
            AnswerError: what came is not what a gateway says.

        """

    async def probe(self, address: str, port: int, *, mark: str, endpoint: str, timeout_s: float) -> Finding | None:
        """Let a gateway ask an endpoint, `provider/endpoint`, with its credential; None = the gateway did not ask.

        Raises nothing, and takes so many seconds at most.
        """


class HttpGatewayAnswers:
    """Over HTTP, on the port that clients use."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def digest(self, address: str, port: int) -> str | None:
        """Return the digest that the pod at this address serves; None = no answer, or it drains."""
        answer = await self._get(address, port, READY_PATH)
        if answer is None or answer.status != httpx.codes.OK:
            return None
        found = decoded(answer.content)
        if not isinstance(found, dict) or not isinstance(found.get("digest"), str):
            raise AnswerError(f"{address}: got an answer without a digest, want what a gateway says")
        return str(found["digest"])

    async def held(self, address: str, port: int, *, mark: str, files: Collection[str]) -> Held | None:
        """Ask whether a pod has the keys that `mark` stands for, and which files it lacks; None = no answer."""
        asked = sorted(files)
        absent: set[str] = set()
        for first in range(0, max(len(asked), 1), protocol.MOST_FILES):
            some = asked[first : first + protocol.MOST_FILES]
            answer = await self._held(address, port, mark, some)
            if answer is None or not answer.keys:
                return answer
            absent |= answer.absent & {*some}
        return Held(keys=True, absent=frozenset(absent))

    async def probe(self, address: str, port: int, *, mark: str, endpoint: str, timeout_s: float) -> Finding | None:
        """Let a gateway ask an endpoint with its credential, see `GatewayAnswers`."""
        url = f"http://{_host(address)}:{port}{probe.PATH}"
        headers = {"x-api-key": mark, probe.ENDPOINT_HEADER: endpoint, "accept-encoding": "identity"}
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._client.stream("GET", url, headers=headers, timeout=timeout_s) as answer,
            ):
                return _finding(answer.status_code, answer.headers.get(probe.FLAGS_HEADER))
        except (TimeoutError, httpx.ReadTimeout):
            return Finding(status=0, failure=Failure.TIMED_OUT, detail=f"no answer within {timeout_s:g} s")
        except (httpx.HTTPError, httpx.InvalidURL, ValueError):
            return None

    async def _held(self, address: str, port: int, mark: str, files: Collection[str]) -> Held | None:
        headers = {"x-api-key": mark, protocol.FILES_HEADER: ",".join(files)}
        answer = await self._get(address, port, protocol.PATH, headers)
        if answer is None:
            return None
        if answer.status == httpx.codes.UNAUTHORIZED:
            return Held(keys=False)
        if answer.status != httpx.codes.OK:
            return None
        return Held(keys=True, absent=frozenset(answer.headers.get(protocol.ABSENT_HEADER, "").split(",")) - {""})

    async def _get(
        self, address: str, port: int, path: str, headers: Mapping[str, str] | None = None
    ) -> exchange.Answer | None:
        url = f"http://{_host(address)}:{port}{path}"
        try:
            return await exchange.get(self._client, url, headers=headers, most_bytes=_MOST_BYTES)
        except exchange.UnansweredError:
            return None
        except AnswerError as error:
            raise AnswerError(f"{address}: {error}") from error


def _finding(status: int, told: str | None) -> Finding | None:
    """Tell what an endpoint said to its credential; what it says of a model or a path is no matter of health."""
    made, _, flags = (told or "").partition(" ")
    if flags in _NEVER_ASKED or (flags == _ANSWERED and made == "0"):
        return None
    if flags != _ANSWERED:
        nameless = Failure.UNRESOLVABLE if "UH" in flags.split(",") else Failure.CONNECTION_FAILED
        return Finding(status=0, failure=attempts.failure((0, flags)) or nameless)
    failure = attempts.failure((status, flags))
    if status < httpx.codes.INTERNAL_SERVER_ERROR and failure is not Failure.CREDENTIAL_REJECTED:
        return Finding(status=status, failure=None)
    return Finding(status=status, failure=failure)


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address
