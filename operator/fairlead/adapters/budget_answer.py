"""What a budget server tells the operator: its spend, asked for over the pod network on the port of its metrics."""

from typing import Protocol

import httpx

from fairlead.adapters.answer import decoded
from fairlead.budget.spend import SpendSnapshot, decode
from fairlead.errors import AnswerError, BudgetConfigurationError, BudgetServerError

SPEND_PATH = "/v1/spend"
PORT = 8083
"""As the chart sets it."""


class BudgetAnswers(Protocol):
    """Ask one budget server's pod."""

    async def spend(self, address: str, port: int) -> SpendSnapshot:
        """Return what everybody has spent; raises `BudgetServerError` when there is no answer that can be read."""


class HttpBudgetAnswers:
    """Over HTTP; the client brings the timeout."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def spend(self, address: str, port: int) -> SpendSnapshot:
        """Return what everybody has spent; raises `BudgetServerError` when there is no answer that can be read."""
        host = f"[{address}]" if ":" in address else address
        try:
            answer = await self._client.get(f"http://{host}:{port}{SPEND_PATH}")
            answer.raise_for_status()
            found = decoded(answer.content)
        except (httpx.HTTPError, httpx.InvalidURL, AnswerError) as error:
            raise BudgetServerError(f"{address}: {str(error) or type(error).__name__}") from error
        if not isinstance(found, dict):
            raise BudgetServerError(f"{address}: got no JSON object")
        try:
            return decode(found)
        except BudgetConfigurationError as error:
            raise BudgetServerError(f"{address}: {error}") from error
