"""What a process nearby may answer with, over real sockets, and that no later question suffers from it."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable

import pytest

from endpoint import Endpoint
from fairlead.adapters import exchange
from fairlead.adapters.budget_answer import HttpBudgetAnswers
from fairlead.adapters.gateway_answer import HttpGatewayAnswers
from fairlead.errors import AnswerError, BudgetServerError

Ask = Callable[[HttpGatewayAnswers, HttpBudgetAnswers, int], Awaitable[object]]
WELL = b'{"digest": "d"}'
HEADERS = b"set-cookie: a=\xff\xfe; path=/\r\n"


def _answer(content: bytes, headers: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n%s\r\n%s" % (len(content), headers, content)


def _with(answer: bytes, ask: Ask) -> tuple[object, list[bytes]]:
    """Answer each question with these bytes; return what came of `ask`, and the questions."""
    questions: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            questions.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer)
            await writer.drain()

    async def run() -> object:
        async with Endpoint(serve) as port, exchange.client() as client:
            return await ask(HttpGatewayAnswers(client), HttpBudgetAnswers(client), port)

    return asyncio.run(asyncio.wait_for(run(), 30)), questions


def test_no_cookie_is_kept_and_nothing_is_asked_for_compressed() -> None:
    async def ask(gateway: HttpGatewayAnswers, _: HttpBudgetAnswers, port: int) -> object:
        return [await gateway.digest("127.0.0.1", port) for _ in range(2)]

    found, questions = _with(_answer(WELL, HEADERS), ask)
    assert found == ["d", "d"]
    assert len(questions) == 2
    assert all(b"cookie" not in question.lower() for question in questions)
    assert all(b"accept-encoding: identity\r\n" in question.lower() for question in questions)


async def _digest(gateway: HttpGatewayAnswers, _: HttpBudgetAnswers, port: int) -> object:
    return await gateway.digest("127.0.0.1", port)


async def _held(gateway: HttpGatewayAnswers, _: HttpBudgetAnswers, port: int) -> object:
    return await gateway.held("127.0.0.1", port, mark="m", files=())


async def _spend(_: HttpGatewayAnswers, budget: HttpBudgetAnswers, port: int) -> object:
    return await budget.spend("127.0.0.1", port)


@pytest.mark.parametrize(
    ("ask", "error"),
    [
        pytest.param(_digest, AnswerError, id="digest"),
        pytest.param(_held, AnswerError, id="held"),
        pytest.param(_spend, BudgetServerError, id="spend"),
    ],
)
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(_answer(b" " * (exchange.MOST_BYTES + 1)), id="too large"),
        pytest.param(_answer(gzip.compress(WELL), b"content-encoding: gzip\r\n"), id="compressed"),
        pytest.param(_answer(WELL, b"content-encoding: gzip\r\n"), id="compressed by its own word"),
        pytest.param(b"\xff\xfe\xfd\r\n\r\n", id="no HTTP"),
    ],
)
def test_what_is_no_answer_is_one_error(answer: bytes, ask: Ask, error: type[Exception]) -> None:
    with pytest.raises(error):
        _with(answer, ask)


def test_a_question_that_no_header_can_carry_is_an_error() -> None:
    async def ask(gateway: HttpGatewayAnswers, _: HttpBudgetAnswers, port: int) -> object:
        return await gateway.held("127.0.0.1", port, mark="m\u20ac", files=())

    with pytest.raises(AnswerError):
        _with(_answer(WELL), ask)
