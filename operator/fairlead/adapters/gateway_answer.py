"""What a gateway pod says that it serves: the digest in its readiness answer, asked for over the pod network."""

import json
from typing import Protocol

import httpx

READY_PATH = "/fairlead/ready"


class GatewayAnswers(Protocol):
    """Ask one gateway pod."""

    async def digest(self, address: str, port: int) -> str | None:
        """Return the digest that the pod at this address serves; None = no answer, or it drains."""


class HttpGatewayAnswers:
    """Over HTTP, on the port that clients use."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def digest(self, address: str, port: int) -> str | None:
        """Return the digest that the pod at this address serves; None = no answer, or it drains."""
        host = f"[{address}]" if ":" in address else address
        try:
            answer = await self._client.get(f"http://{host}:{port}{READY_PATH}")
            return str(answer.json()["digest"]) if answer.status_code == httpx.codes.OK else None
        except (httpx.HTTPError, json.JSONDecodeError, KeyError, TypeError):
            return None
