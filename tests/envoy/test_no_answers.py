"""A 200 that is no answer is a failed attempt while nothing was sent on: the next rung answers, the last one is 502."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from cases import PATIENT, Cases
from running import Gateway, simple, target
from running_up import until
from wire import WireProvider

from fairlead import ir

pytestmark = pytest.mark.envoy

WHOLE, CHUNKED, CLOSED = "whole", "chunked", "until the end"
JSON, EVENTS, HTML = "application/json", "text/event-stream", "text/html; charset=utf-8"
CHOICES = '"choices":[{"index":0,"message":{"role":"assistant","content":"hi"}}]'
LONG = 2 << 20

NO_ANSWERS = {
    "error": '{"error":{"message":"overloaded","type":"server_error"}}',
    "error with blanks": ' {\n "id" : "x", "choices": [ ],\n "error" : { "code": 500 } }\n',
    "error as text": '{"error":"model not found"}',
    "error that is true": '{"error":true,"message":"no"}',
    "error behind members": json.dumps({"a": [1, {"b": '}"]'}], "c": 'x"y', "error": {"message": "m"}}),
    "error object": '{"object":"error","message":"m","code":400}',
    "anthropic": '{"type":"error","error":{"type":"overloaded_error","message":"m"}}',
    "failed response": '{"object":"response","status":"failed","error":{"code":"server_error"},"output":[]}',
    "empty": "",
    "blanks": " \n",
    "text": "upstream request timeout",
    "null": "null",
    "list": "[]",
    "cut": '{"choices":[{"message":{"content":"hi',
    "page": "<!doctype html><title>Log in</title>",
}
ANSWERS = {
    "plain": "{" + CHOICES + "}",
    "nothing in it": '{"id":"x","choices":[]}',
    "null error": '{"object":"chat.completion","error":null,' + CHOICES + "}",
    "empty errors": '{"error":{ },"choices":[]}',
    "an error beside choices": '{"error":{"code":"content_filter"},' + CHOICES + "}",
    "an error inside": '{"choices":[{"finish_reason":"error","error":{"message":"m"}}]}',
    "a message about errors": json.dumps(
        {"choices": [{"message": {"content": 'say {"error": {"a": 1}} or "object":"error"'}}]}
    ),
    "blanks around": "\n\n\n {" + CHOICES + "} \r\n",
}


def rung(name: str, provider: WireProvider, **fields: object) -> ir.Target:
    """Make a target at a provider."""
    upstream = ir.Upstream(host="127.0.0.1", port=provider.port, tls=False, base_path="/v1")
    return target(name, provider, **{"upstream": upstream, "breaker": PATIENT, **fields})  # type: ignore[arg-type]


def response(body: bytes, *headers: str, kind: str = JSON, form: str = WHOLE, status: int = 200) -> bytes:
    """Make the bytes of a provider's answer."""
    lines = [f"HTTP/1.1 {status} OK", "connection: close", *headers]
    if kind:
        lines.append(f"content-type: {kind}")
    if form == WHOLE:
        lines.append(f"content-length: {len(body)}")
    if form == CHUNKED:
        lines.append("transfer-encoding: chunked")
        middle = len(body) // 2
        parts = [part for part in (body[:middle], body[middle:]) if part]
        body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    return "\r\n".join([*lines, "", ""]).encode() + body


@pytest.fixture(scope="module")
def cases() -> Iterator[Cases]:
    with Cases(direct=100, limited=20) as running:
        yield running


def asked(cases: Cases, raw: bytes, *, limit: int | None = None, **members: object) -> list[tuple[int, str]]:
    """Ask where such an answer is the first rung's and another one follows, then where it is the only one's."""
    seen, case = [], cases.answer(raw, limit=limit)
    for name in (case.first, case.alone):
        answer = cases.running.ask(name, **members)
        seen.append((answer.status, answer.target if answer.status == 200 else answer.code))
    return seen


@pytest.mark.parametrize("form", [WHOLE, CHUNKED, CLOSED])
@pytest.mark.parametrize("case", NO_ANSWERS)
def test_the_next_rung_answers_and_the_last_one_is_a_502(cases: Cases, case: str, form: str) -> None:
    raw = response(NO_ANSWERS[case].encode(), form=form)
    assert asked(cases, raw) == [(200, "b/e/m"), (502, "bad_gateway")]


@pytest.mark.parametrize("limit", [None, 5], ids=["direct", "behind a bulkhead"])
@pytest.mark.parametrize(
    ("body", "kind", "stream"),
    [
        pytest.param(b"<html>", HTML, False, id="page"),
        pytest.param(b"<html>", HTML, True, id="page for a stream"),
        pytest.param(b"<html>", "", False, id="page without a type"),
        pytest.param(b"sorry", "text/plain", False, id="text"),
        pytest.param(b"", EVENTS, True, id="empty stream"),
        pytest.param(b"", "audio/mpeg", False, id="empty sound"),
        pytest.param(b"", "", True, id="nothing at all"),
        pytest.param(b'{"error":{"message":"m"}}', JSON, True, id="error for a stream"),
        pytest.param(b'{"error":{"message":"m"}}', "application/problem+json", False, id="problem"),
    ],
)
def test_whatever_type_it_is_said_to_be(
    cases: Cases, body: bytes, kind: str, limit: int | None, *, stream: bool
) -> None:
    raw = response(body, kind=kind)
    assert asked(cases, raw, limit=limit, stream=stream) == [(200, "b/e/m"), (502, "bad_gateway")]


@pytest.mark.parametrize("status", [201, 202, 204])
def test_other_statuses_that_say_yes_are_held_to_the_same(cases: Cases, status: int) -> None:
    assert asked(cases, response(b"", status=status))[0] == (200, "b/e/m")


@pytest.mark.parametrize(("status", "stream"), [("101", False), ("600", False), ("999", True), ("2000", False)])
def test_a_status_that_http_does_not_have_is_a_failed_attempt(cases: Cases, status: str, *, stream: bool) -> None:
    raw = response(ANSWERS["plain"].encode()).replace(b" 200 OK", f" {status} Strange".encode(), 1)
    assert asked(cases, raw, stream=stream) == [(200, "b/e/m"), (502, "bad_gateway")]


@pytest.mark.parametrize(
    ("kind", "headers"),
    [("audio/mpeg", []), ("application/octet-stream", []), (JSON, ["content-encoding: gzip"])],
    ids=["sound", "bytes", "gzip"],
)
def test_nothing_in_chunks_is_no_answer_either(cases: Cases, kind: str, headers: list[str]) -> None:
    assert asked(cases, response(b"", *headers, kind=kind, form=CHUNKED)) == [(200, "b/e/m"), (502, "bad_gateway")]


@pytest.mark.parametrize("form", [WHOLE, CHUNKED, CLOSED])
@pytest.mark.parametrize("case", ANSWERS)
def test_an_answer_passes_byte_by_byte(case: str, form: str) -> None:
    body = ANSWERS[case].encode()
    with (
        WireProvider(raw=response(body, form=form)) as first,
        WireProvider() as second,
        Gateway(simple(rung("a/e/m", first), rung("b/e/m", second))) as running,
    ):
        answer = running.ask()
    assert (answer.status, answer.target, answer.body) == (200, "a/e/m", body)


@pytest.mark.parametrize(
    ("body", "headers", "kind", "form", "stream"),
    [
        pytest.param(gzip.compress(b'{"choices":[]}'), ["content-encoding: gzip"], JSON, WHOLE, False, id="gzip"),
        pytest.param(
            gzip.compress(b'{"choices":[]}'), ["content-encoding: gzip"], JSON, CHUNKED, False, id="gzip, chunked"
        ),
        pytest.param(b"\xff\xfb\x90", [], "audio/mpeg", WHOLE, False, id="sound"),
        pytest.param(b"\xff\xfb\x90", [], "audio/mpeg", CHUNKED, False, id="sound, chunked"),
        pytest.param(b"data: {}\n\n", [], EVENTS, CHUNKED, True, id="stream"),
        pytest.param(b"data: {}\n\n", [], "text/plain", CHUNKED, True, id="stream that calls itself text"),
        pytest.param(b"data: {}\n\n", [], "", CLOSED, True, id="stream without a type"),
        pytest.param(b'data: {"error":{"message":"m"}}\n\n', [], EVENTS, CHUNKED, True, id="error event"),
        pytest.param(b'{"a":"' + b"x" * LONG + b'"}', [], JSON, WHOLE, False, id="long"),
        pytest.param(b'{"a":"' + b"x" * LONG + b'"}', [], JSON, CHUNKED, False, id="long, chunked"),
    ],
)
def test_what_cannot_be_looked_into_passes(
    body: bytes, headers: list[str], kind: str, form: str, *, stream: bool
) -> None:
    with WireProvider(raw=response(body, *headers, kind=kind, form=form)) as first:
        whole = replace(simple(rung("a/e/m", first)), limits=ir.Limits(request_bytes=8 << 20))
        with Gateway(whole) as running:
            answer = running.ask(stream=stream)
    assert (answer.status, answer.body) == (200, body)


def test_it_counts_against_its_endpoint() -> None:
    breaker = ir.Breaker(consecutive_failures=2, open_for_ms=60_000)
    for body in (b"", NO_ANSWERS["error"].encode()):
        with WireProvider(raw=response(body)) as first, WireProvider() as second:
            with Gateway(simple(rung("a/e/m", first, breaker=breaker), rung("b/e/m", second))) as running:
                answers = [running.ask() for _ in range(2)]
                until(lambda: running.is_ejected("a/e/m"))
                answers += [running.ask() for _ in range(4)]
            assert {(answer.status, answer.target) for answer in answers} == {(200, "b/e/m")}
            assert len(first.heads) == 2
