"""What a budget server tells the operator: its spend, asked for over the pod network on the port of its metrics."""

from typing import Protocol

import httpx

from fairlead.adapters import exchange
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
            answer = await exchange.get(self._client, f"http://{host}:{port}{SPEND_PATH}")
            if answer.status != httpx.codes.OK:
                raise BudgetServerError(f"{address}: got status {answer.status}, want 200")
            found = decoded(answer.content)
        except AnswerError as error:
            raise BudgetServerError(f"{address}: {error}") from error
        if not isinstance(found, dict):
            raise BudgetServerError(f"{address}: got no JSON object")
        try:
            return decode(found)
        except BudgetConfigurationError as error:
            raise BudgetServerError(f"{address}: {error}") from error
