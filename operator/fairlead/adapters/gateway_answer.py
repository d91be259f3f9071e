"""What a gateway pod says that it serves: the digest in its readiness answer, asked for over the pod network."""

from typing import Protocol

import httpx

from fairlead.adapters.answer import decoded
from fairlead.errors import AnswerError

READY_PATH = "/fairlead/ready"


class GatewayAnswers(Protocol):
    """Ask one gateway pod."""

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
        host = f"[{address}]" if ":" in address else address
        try:
            answer = await self._client.get(f"http://{host}:{port}{READY_PATH}")
        except (httpx.HTTPError, httpx.InvalidURL):
            return None
        if answer.status_code != httpx.codes.OK:
            return None
        found = decoded(answer.content)
        if not isinstance(found, dict) or not isinstance(found.get("digest"), str):
            raise AnswerError(f"{address}: got an answer without a digest, want what a gateway says")
        return str(found["digest"])
