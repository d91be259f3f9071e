"""What a gateway says that it serves, and everything that is no such answer."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from fairlead.adapters.gateway_answer import HttpGatewayAnswers
from fairlead.errors import AnswerError


def _ask(answer: Callable[[httpx.Request], httpx.Response], address: str = "10.0.0.1") -> str | None:
    async def ask() -> str | None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            return await HttpGatewayAnswers(client).digest(address, 8080)

    return asyncio.run(ask())


@pytest.mark.parametrize(("address", "host"), [("10.0.0.1", "10.0.0.1"), ("fd00::1", "[fd00::1]")])
def test_a_digest(address: str, host: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert str(request.url) == f"http://{host}:8080/fairlead/ready"
        return httpx.Response(200, json={"digest": "d"})

    assert _ask(answer, address) == "d"


def _refuses(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("connection refused", request=request)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(_refuses, id="nobody there"),
        pytest.param(lambda _: httpx.Response(503, json={"digest": "d"}), id="it drains"),
    ],
)
def test_no_answer_is_no_news(answer: Callable[[httpx.Request], httpx.Response]) -> None:
    assert _ask(answer) is None


def test_an_address_that_is_none_has_no_answer() -> None:
    assert _ask(lambda _: httpx.Response(200), "10.0.0.1\n") is None


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"\xff\xfe\xfd", id="no UTF-8"),
        pytest.param(b'{"digest": "\xff"}', id="no UTF-8 within"),
        pytest.param(b"hello", id="no JSON"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b"[1]", id="another JSON"),
        pytest.param(b"{}", id="no digest"),
        pytest.param(b'{"digest": 7}', id="a digest that is none"),
    ],
)
def test_what_is_not_an_answer_is_one_error(content: bytes) -> None:
    with pytest.raises(AnswerError):
        _ask(lambda _: httpx.Response(200, content=content))
