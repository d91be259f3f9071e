"""The access log and the Prometheus series of a running gateway, and what they never hold."""

import http.server
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from running import CONSUMER, REGION, ROUTE, Gateway, credential, gateway, plan, route, simple, target

from fairlead import ir
from fairlead.demo.provider import SimulatedProvider

pytestmark = pytest.mark.envoy

PROMPT = "the very secret prompt"


@pytest.fixture(scope="module")
def first() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(models=("v-m", "v-s"), keys=("first-key",), region="one") as running:
        yield running


@pytest.fixture(scope="module")
def second() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(models=("v-n",), keys=("second-key",), header="api-key", region="two") as running:
        yield running


@pytest.fixture(scope="module")
def running(first: SimulatedProvider, second: SimulatedProvider) -> Iterator[Gateway]:
    primary = target("a/eu/m", first, wire_model="v-m", credential="first/key")
    fallback = target("b/us/n", second, wire_model="v-n", credential="second/key/api-key", region="us-east-1")
    copy = target("a/eu/s", first, wire_model="v-s", credential="first/key")
    full = replace(target("c/eu/m", first, wire_model="v-m", credential="first/key"), max_in_flight=1)
    whole = gateway(
        {
            "chat": route(ROUTE, plan(f"{ROUTE}/0", last=primary)),
            "copied": route(
                "team/copied", plan("team/copied/0", last=primary), shadow=ir.Shadow(target=copy.name, sample=10_000)
            ),
            "narrow": route("team/narrow", plan("team/narrow/0", last=full)),
        },
        {f"{ROUTE}/0": (primary, fallback), "team/copied/0": (primary,), "team/narrow/0": (full, fallback)},
        others=(copy,),
        credentials=(credential("first"), credential("second", "api-key")),
    )
    with Gateway(whole) as started:
        yield started


@pytest.fixture(autouse=True)
def _well(first: SimulatedProvider, second: SimulatedProvider) -> None:
    for provider in (first, second):
        provider.control.clear()
        provider.control.reset()


Wait = Callable[[Callable[[], Any]], Any]


def test_an_answer_is_one_line_and_its_attempt_another(running: Gateway, wait_until: Wait) -> None:
    answer = running.ask()
    (line,) = wait_until(lambda: running.line(answer))
    (attempt,) = wait_until(lambda: running.line(answer, "attempt"))
    who = {"consumer": CONSUMER, "route": ROUTE, "model": "chat", "stream": False, "gateway_region": REGION}
    where = {"target": "a/eu/m", "provider": "a", "region": REGION, "model_sent": "v-m", "status": 200, "flags": "-"}
    tokens = {"prompt_tokens": 2, "completion_tokens": 12, "cached_tokens": 0, "usage_status": 1, "model_served": "v-m"}
    assert {**line, **who, **where, **tokens, "attempts": 1, "details": "via_upstream"} == line
    assert {**attempt, **who, **where, "attempt": 1} == attempt
    assert line["latency_ms"] >= line["first_byte_ms"] >= 0
    assert line["bytes_out"] == attempt["bytes_out"] == len(answer.body)


def test_a_stream_counts_its_tokens(running: Gateway, wait_until: Wait) -> None:
    answer = running.ask(stream=True)
    (line,) = wait_until(lambda: running.line(answer))
    assert (line["stream"], line["prompt_tokens"], line["completion_tokens"]) == (True, 2, 12)


def test_tokens_after_a_retry_belong_to_who_answered(
    running: Gateway, first: SimulatedProvider, wait_until: Wait
) -> None:
    first.control.fault(reset=True, count=1)
    answer = running.ask()
    (line,) = wait_until(lambda: running.line(answer))
    assert (line["target"], line["region"], line["model_sent"], line["attempts"]) == ("b/us/n", "us-east-1", "v-n", 2)
    assert (line["prompt_tokens"], line["completion_tokens"]) == (2, 12)
    failed, served = wait_until(lambda: (lines := running.line(answer, "attempt"))[1:] and lines)
    assert (failed["attempt"], failed["target"], failed["status"], failed["first_byte_ms"]) == (1, "a/eu/m", 0, None)
    assert failed["flags"] == "UC"
    assert (served["attempt"], served["target"], served["status"]) == (2, "b/us/n", 200)


def test_the_last_resort_is_named_by_what_it_serves(
    running: Gateway, first: SimulatedProvider, second: SimulatedProvider, wait_until: Wait
) -> None:
    first.control.fault(status=500, count=1)
    second.control.fault(status=503, count=1)
    answer = running.ask()
    assert (answer.status, answer.target) == (200, "a/eu/m")
    (line,) = wait_until(lambda: running.line(answer))
    attempts = wait_until(lambda: (lines := running.line(answer, "attempt"))[2:] and lines)
    assert (line["target"], line["model_sent"], line["attempts"]) == ("a/eu/m", "v-m", 3)
    assert [(one["attempt"], one["target"], one["model_sent"], one["status"]) for one in attempts] == [
        (1, "a/eu/m", "v-m", 500),
        (2, "b/us/n", "v-n", 503),
        (3, "a/eu/m", "v-m", 200),
    ]


def test_an_attempt_behind_a_bulkhead_is_logged_alike_and_leaves_nothing_behind(
    running: Gateway, first: SimulatedProvider, second: SimulatedProvider, wait_until: Wait
) -> None:
    first.control.fault(status=500, count=1)
    answer = running.ask("narrow")
    assert answer.target == "b/us/n"
    attempts = wait_until(lambda: (lines := running.line(answer, "attempt"))[1:] and lines)
    assert [(one["attempt"], one["consumer"], one["target"]) for one in attempts] == [
        (1, CONSUMER, "c/eu/m"),
        (2, CONSUMER, "b/us/n"),
    ]
    assert not first.control.stats().problems
    assert not second.control.stats().problems


def test_a_bulkhead_after_a_direct_attempt(first: SimulatedProvider, second: SimulatedProvider) -> None:
    # What the first attempt left for its log line must not reach HTTP/2.
    direct = target("b/us/n", second, wire_model="v-n", credential="second/key/api-key")
    full = replace(target("c/eu/m", first, wire_model="v-m", credential="first/key"), max_in_flight=1)
    keys = (credential("first"), credential("second", "api-key"))
    second.control.fault(status=503)
    with Gateway(simple(direct, full, credentials=keys)) as running:
        answer = running.ask()
        assert (answer.status, answer.target) == (200, "c/eu/m")
    assert not first.control.stats().problems


def test_a_shadow_has_a_line_of_its_own(running: Gateway, wait_until: Wait) -> None:
    answer = running.ask("copied", stream=True)
    (shadow,) = wait_until(lambda: running.line(answer, "shadow"))
    assert (shadow["target"], shadow["model_sent"], shadow["model"]) == ("a/eu/s", "v-s", "copied")
    assert (shadow["consumer"], shadow["route"], shadow["stream"]) == (CONSUMER, "team/copied", True)
    assert (shadow["prompt_tokens"], shadow["completion_tokens"], shadow["status"]) == (2, 12, 200)
    (attempt,) = wait_until(lambda: running.line(answer, "attempt"))
    assert attempt["target"] == "a/eu/m"  # and none for the copy


def test_what_the_gateway_answers_itself_is_logged(running: Gateway, wait_until: Wait) -> None:
    answer = running.ask("nobody/has-it")
    (line,) = wait_until(lambda: running.line(answer))
    assert (line["status"], line["model"], line["consumer"]) == (404, "nobody/has-it", CONSUMER)
    assert (line["target"], line["prompt_tokens"], line["first_byte_ms"]) == (None, None, None)


def test_a_provider_cannot_break_a_line(wait_until: Wait) -> None:
    answer_body = {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": 'a"quote\\, a \n line and \u00fc',
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    }

    class Strange(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.dumps(answer_body).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Strange) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        upstream = ir.Upstream(host="127.0.0.1", port=server.server_port, tls=False, base_path="/v1")
        with SimulatedProvider() as unused, Gateway(simple(target("a/eu/m", unused, upstream=upstream))) as running:
            answer = running.ask()
            (line,) = wait_until(lambda: running.line(answer))
        thread.join()
    assert (line["status"], line["prompt_tokens"], line["model_served"]) == (200, 1, "")


def test_series_have_their_labels(running: Gateway, first: SimulatedProvider, wait_until: Wait) -> None:
    labels = {"consumer": CONSUMER, "route": ROUTE, "target": "b/us/n", "region": "us-east-1", "model": "n"}

    def value(name: str, **more: str) -> float:
        wanted = {**labels, **more}
        for line in running.metrics().splitlines():
            found = re.fullmatch(r"envoy_fairlead_(\w+)\{(.*)\} ([\d.e+]+)", line)
            if found and found[1] == name and dict(re.findall(r'(\w+)="([^"]*)"', found[2])) == wanted:
                return float(found[3])
        return 0

    before = {name: value(name) for name in ("prompt_tokens", "completion_tokens")}
    first.control.fault(status=429, count=3)
    for _ in range(3):
        assert running.ask().target == "b/us/n"
    wait_until(lambda: value("requests", code="200") >= 3)
    wait_until(lambda: value("completion_tokens") == before["completion_tokens"] + 36)
    assert value("prompt_tokens") == before["prompt_tokens"] + 6
    wait_until(lambda: value("latency_ms_count") >= 3)
    wait_until(lambda: value("first_byte_ms_count") >= 3)


def test_the_metrics_port_shows_nothing_else(running: Gateway) -> None:
    port = running.port
    try:
        running.port = running.envoy.port("metrics")
        for path in ("/", "/stats", "/config_dump", "/quitquitquit", "/metrics/../config_dump", "/metrics"):
            assert running.send(path, "").status == 404, path  # also POST /metrics
    finally:
        running.port = port
    assert running.envoy.is_ready()


def test_no_prompt_key_or_credential_is_written_anywhere(
    running: Gateway, first: SimulatedProvider, wait_until: Wait
) -> None:
    first.control.fault(status=500, count=1)
    message = [{"role": "user", "content": PROMPT}]
    answers = [
        running.ask(messages=message),
        running.ask("copied", messages=message, headers={"x-api-key": "sk-other", "cookie": "session=sk-cookie"}),
        running.send("/v1/chat/completions?key=sk-query", '{"model":"chat","messages":[]}'),
        running.ask(key="sk-wrong"),
    ]
    for answer in answers:
        wait_until(lambda answer=answer: running.line(answer))
    written = running.everything_written()
    for secret in (PROMPT, "sk-alice", "sk-other", "sk-cookie", "sk-query", "sk-wrong", "first-key", "second-key"):
        assert secret not in written, secret


def test_the_admin_interface_is_a_socket_for_its_owner_alone(running: Gateway) -> None:
    assert (running.folder / "admin.sock").stat().st_mode & 0o777 == 0o600
