"""A budget server's spend over HTTP, and everything that is none."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from fairlead.adapters.budget_answer import PORT, HttpBudgetAnswers
from fairlead.budget.spend import SpendSnapshot, document
from fairlead.errors import BudgetServerError

SPEND = SpendSnapshot(configuration="b", store_up=True, accounts=())


def _ask(answer: Callable[[httpx.Request], httpx.Response], address: str = "10.0.0.1") -> SpendSnapshot:
    async def ask() -> SpendSnapshot:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            return await HttpBudgetAnswers(client).spend(address, PORT)

    return asyncio.run(ask())


@pytest.mark.parametrize(("address", "host"), [("10.0.0.1", "10.0.0.1"), ("fd00::1", "[fd00::1]")])
def test_a_spend_snapshot(address: str, host: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert str(request.url) == f"http://{host}:8083/v1/spend"
        return httpx.Response(200, json=document(SPEND))

    assert _ask(answer, address) == SPEND


def _refuses(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("connection refused", request=request)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(_refuses, "10.0.0.1: connection refused", id="nobody there"),
        pytest.param(lambda _: httpx.Response(404), "404", id="an older one without it"),
        pytest.param(lambda _: httpx.Response(200, text="hello"), "10.0.0.1: ", id="no JSON"),
        pytest.param(lambda _: httpx.Response(200, content=b"\xff"), "10.0.0.1: ", id="no UTF-8"),
        pytest.param(lambda _: httpx.Response(200, content=b"[" * 100_000), "10.0.0.1: ", id="deep"),
        pytest.param(lambda _: httpx.Response(200, json=[1]), "got no JSON object", id="another JSON"),
        pytest.param(lambda _: httpx.Response(200, json={"version": 2}), "want `1`", id="another version"),
    ],
)
def test_no_spend_snapshot(answer: Callable[[httpx.Request], httpx.Response], said: str) -> None:
    with pytest.raises(BudgetServerError, match=said.replace("(", "\\(")):
        _ask(answer)
