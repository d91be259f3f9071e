"""What a Prometheus says becomes one number, no data, or an error; never a number that nobody measured."""

import asyncio
import json
from typing import Any

import pytest

from endpoint import Endpoint
from fairlead.adapters.prometheus import HttpPrometheus, number
from fairlead.errors import AnswerError

URL = "http://prometheus:9090"


def said(result: Any, kind: str = "vector", **members: Any) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}, **members}).encode()


def series(value: Any) -> dict[str, Any]:
    return {"metric": {}, "value": [1_700_000_000.5, value]}


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (said([series("0.25")]), 0.25),
        (said([1_700_000_000, "-3"], "scalar"), -3.0),
        (said([series("1e-3")], infos=["PromQL info: metric might not be a counter"]), 0.001),
        (said([]), None),
        (said([series("NaN")]), None),
    ],
)
def test_one_number_or_no_data(content: bytes, value: float | None) -> None:
    assert number(content, 200, URL) == value


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        (b"", 200, "no answer of Prometheus' API"),
        (b"<html>", 502, "got status 502"),
        (b"[" * 100_000, 200, "no answer of Prometheus' API"),
        (
            b'{"status":"error","error":"parse error: unexpected\\n character"}',
            400,
            "status 400: parse error",
        ),
        (said([series("1")]), 503, "status 503"),
        (said([series("1"), series("2")]), 200, "got 2 series, want one"),
        (said([series("+Inf")]), 200, "got +Inf, want a finite number"),
        (said([series("-Inf")]), 200, "got -Inf"),
        (said([series(0.5)]), 200, "got no number"),
        (said([series("fast")]), 200, "got no number"),
        (said([series("1")], "matrix"), 200, "got no number"),
        (said("1", "string"), 200, "got no number"),
        (said([{}]), 200, "got no number"),
        (said([series("1")], warnings=["1 store did not answer"]), 200, "perhaps half an answer"),
    ],
)
def test_whatever_else_is_an_error(content: bytes, status: int, message: str) -> None:
    with pytest.raises(AnswerError, match=f"^{URL}: .*") as raised:
        number(content, status, URL)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


async def asked(answer: bytes, *, timeout_s: float) -> float | None:
    """Ask a server that says these bytes, and nothing where there are none."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        if not answer:
            await asyncio.Event().wait()

    async with Endpoint(serve) as port:
        return await HttpPrometheus().value(f"http://127.0.0.1:{port}/prefix/", "up", timeout_s=timeout_s)


def answer(body: bytes, status: str = "200 OK", *headers: bytes) -> bytes:
    head = [b"HTTP/1.1 " + status.encode(), b"content-length: %d" % len(body), *headers]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def test_a_number_comes_over_http() -> None:
    assert asyncio.run(asked(answer(said([series("7")])), timeout_s=60)) == 7


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no answer within 0.2 s"),
        (answer(b"", "302 Found", b"location: http://127.0.0.1:1/"), "got status 302"),
        (b"nonsense\r\n\r\n", "http://127.0.0.1"),
        (answer(b"1" * 3_000_000), "got more than 1048576 bytes"),
    ],
)
def test_who_hangs_or_sends_elsewhere_or_never_ends_is_an_error(content: bytes, message: str) -> None:
    with pytest.raises(AnswerError) as raised:
        asyncio.run(asked(content, timeout_s=60 if content else 0.2))
    assert message in str(raised.value)


def test_nobody_there_is_an_error() -> None:
    with pytest.raises(AnswerError, match=r"127\.0\.0\.1"):
        asyncio.run(HttpPrometheus().value("http://127.0.0.1:1", "up", timeout_s=30))
