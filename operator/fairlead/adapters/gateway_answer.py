"""What a gateway pod says that it serves and holds: its digest, keys and credentials, asked for over HTTP."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

import httpx

from fairlead.adapters.answer import decoded
from fairlead.envoy import held as protocol
from fairlead.errors import AnswerError

READY_PATH = "/fairlead/ready"


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
        """Ask whether a pod has the keys that `mark` stands for, and which files it lacks; None = no answer."""

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
        try:
            answer = await self._client.get(f"http://{_host(address)}:{port}{READY_PATH}")
        except (httpx.HTTPError, httpx.InvalidURL):
            return None
        if answer.status_code != httpx.codes.OK:
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
        try:
            answer = await self._client.get(f"http://{_host(address)}:{port}{protocol.PATH}", headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL):
            return None
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            return Held(keys=False)
        if answer.status_code != httpx.codes.OK:
            return None
        return Held(keys=True, absent=frozenset(answer.headers.get(protocol.ABSENT_HEADER, "").split(",")) - {""})


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address
