"""What a gateway pod says that it serves and holds: its digest, keys and credentials, asked for over HTTP."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

import httpx

from fairlead.adapters import exchange
from fairlead.adapters.answer import decoded
from fairlead.envoy import held as protocol
from fairlead.errors import AnswerError

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


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address
