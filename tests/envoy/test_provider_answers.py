"""What a provider says that concerns the gateway alone reaches no client: redirects, empty accounts, forged names."""

import contextlib
import http.client
import json

import pytest
from cases import PATIENT, Cases
from running import Answer, Gateway, simple, target
from running_up import until
from wire import WireProvider

from fairlead import ir, statuses
from fairlead.health import attempts
from fairlead.runtime import readings
from fairlead.runtime.readings import GatewayPlace
from fairlead.statuses import Failure

pytestmark = pytest.mark.envoy

REDIRECTS = (300, 301, 302, 303, 304, 305, 307, 308, 399)


def rung(name: str, provider: WireProvider, breaker: ir.Breaker = PATIENT, limit: int | None = None) -> ir.Target:
    """Make a target at a provider."""
    upstream = ir.Upstream(host="127.0.0.1", port=provider.port, tls=False, base_path="/v1")
    return target(name, provider, upstream=upstream, breaker=breaker, max_in_flight=limit)  # type: ignore[arg-type]


def response(status: int, *headers: str) -> bytes:
    """Make the bytes of an answer that names itself."""
    body = b"" if status == 304 else b'{"from":"first","choices":[]}'
    lines = [f"HTTP/1.1 {status} S", "content-type: application/json", f"content-length: {len(body)}", *headers]
    return "\r\n".join([*lines, "connection: close", "", ""]).encode() + body


REFUSALS = [*REDIRECTS, *(int(status) for status, one in statuses.MEANINGS.items() if one.told and status.isdecimal())]
PASSED = [int(status) for status, one in statuses.MEANINGS.items() if not one.told and status.isdecimal()]
ANTHROPIC = "/v1/messages"


@pytest.mark.parametrize("limit", [None, 5], ids=["direct", "behind a bulkhead"])
def test_the_next_rung_answers_and_the_last_one_is_a_502_that_says_why(limit: int | None) -> None:
    statuses_asked = (*REFUSALS, *PASSED)
    count = len(statuses_asked)
    with Cases(direct=0 if limit else count, limited=count if limit else 0) as cases:
        for status in statuses_asked:
            raw = response(status, "location: https://elsewhere.example/v1/chat/completions", "set-cookie: a=b")
            case, running, before = cases.answer(raw, limit=limit), cases.running, len(cases.first.heads)
            answer = running.ask(case.first, stream=status % 2 == 0)
            assert (answer.status, answer.target, len(cases.first.heads) - before) == (200, "b/e/m", 1), status
            answers = [
                running.ask(case.alone),
                running.ask(case.alone, stream=True),
                running.ask(case.alone, path=ANTHROPIC, max_tokens=9),
            ]
            for answer in answers:
                assert not {"location", "set-cookie"} & set(answer.headers), status
            if status in PASSED:
                assert {answer.status for answer in answers} == {status}
                continue
            assert {answer.status for answer in answers} == {502}, status
            assert {answer.code for answer in answers[:2]} == {"provider_refused"}
            said = json.loads(answers[2].body)
            assert (said["type"], said["error"]["type"]) == ("error", "api_error")
            assert said["error"]["message"] == answers[0].message
            assert ("status 3xx" if status in REDIRECTS else f"status {status}") in answers[0].message


def test_half_a_stream_is_a_cut_one_and_bytes_that_are_no_answer_are_no_http() -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    half = head + b'c\r\ndata: {"a":1' + b"\r\n"
    for raw, reason in ((half, Failure.CONNECTION_CUT), (b"SSH-2.0-x\r\n", Failure.NO_HTTP)):
        with WireProvider(raw=raw) as first, Gateway(simple(rung("a/e/m", first))) as running:
            with contextlib.suppress(http.client.HTTPException):
                running.ask(stream=True)
            place = GatewayPlace(name="g", region="r", address="-")
            targets = [rung("a/e/m", first)]
            totals = until(lambda: readings.reading(running.metrics(), place, targets).totals)  # noqa: B023
        assert {attempts.failure(outcome) for outcome in totals["a/e/m"]} == {reason}, (raw, totals)


@pytest.mark.parametrize("status", [302, 308, 402])
def test_a_rung_that_is_elsewhere_or_unpaid_is_ejected(status: int) -> None:
    breaker = ir.Breaker(consecutive_failures=2, open_for_ms=60_000)
    with WireProvider(raw=response(status, "location: /b")) as first, WireProvider() as second:
        with Gateway(simple(rung("a/e/m", first, breaker), rung("b/e/m", second))) as running:
            answers = [running.ask() for _ in range(2)]
            until(lambda: running.is_ejected("a/e/m"))
            answers += [running.ask() for _ in range(4)]
        assert {(answer.status, answer.target) for answer in answers} == {(200, "b/e/m")}
        assert len(first.heads) == 2


@pytest.mark.parametrize("limit", [None, 5], ids=["direct", "behind a bulkhead"])
def test_no_header_of_a_provider_steers_envoy_or_is_taken_for_ours(limit: int | None) -> None:
    forged = (
        "x-envoy-ratelimited: true",
        "x-envoy-overloaded: true",
        "x-envoy-anything: 1",
        "x-fairlead-budget-remaining: 9",
        "x-fairlead-route: team/other",
        "X-Fairlead-Cache: hit",
        "set-cookie: a=b",
        "set-cookie: c=d",
        "x-request-cost: 1",
    )
    with WireProvider(raw=response(200, *forged)) as first, WireProvider() as second:
        with Gateway(simple(rung("a/e/m", first, limit=limit), rung("b/e/m", second))) as running:
            answer: Answer = running.ask()
        # A paid answer is not thrown away for a header on it.
        assert (answer.status, answer.target, len(first.heads), len(second.heads)) == (200, "a/e/m", 1, 0)
    assert answer.headers["x-fairlead-route"] != "team/other"
    absent = {"x-fairlead-budget-remaining", "x-fairlead-cache", "set-cookie", "x-request-cost"}
    assert not [name for name in answer.headers if name.startswith("x-envoy-") or name in absent]


def test_a_429_of_a_provider_that_runs_envoy_itself_leads_to_the_next_rung() -> None:
    raw = response(429, "x-envoy-ratelimited: true")
    with (
        WireProvider(raw=raw) as first,
        WireProvider() as second,
        Gateway(simple(rung("a/e/m", first), rung("b/e/m", second))) as running,
    ):
        assert running.ask().target == "b/e/m"


@pytest.mark.parametrize("path", ["/v1/chat/completions", ANTHROPIC])
def test_a_200_in_another_shape_is_said_in_the_shape_of_the_clients_api(path: str) -> None:
    body = b'{"neither":"of them"}'
    head = (
        f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    with WireProvider(raw=head.encode() + body) as first, Gateway(simple(rung("a/e/m", first))) as running:
        answer = running.ask(path=path, max_tokens=9)
    assert answer.status == 502
    said = json.loads(answer.body)
    assert said["error"]["message"] == "The model's provider gave no answer that can be understood."
    assert (said.get("type"), said["error"]["type"]) == (
        ("error", "api_error") if path == ANTHROPIC else (None, "server_error")
    )
