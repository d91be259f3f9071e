"""Leases at a real gateway: a unit is taken without asking, and each request is reported once, however it ends."""

import http.client
import json
import re
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from leasing import BACK, REMAINING, WANT, LeaseServer
from running import CHAT, KEY, Answer, Gateway, simple, target
from running_up import until
from test_admission import closed, with_revision

from fairlead.demo.provider import SimulatedProvider
from fairlead.envoy import request_filter

pytestmark = pytest.mark.envoy
RESET_AT_CLOSE = struct.pack("ii", 1, 0)


@pytest.fixture(scope="module")
def provider() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(models=("sparrow", "heron"), keys=()) as running:
        yield running


@pytest.fixture(autouse=True)
def well(provider: SimulatedProvider) -> None:
    provider.control.clear()


@contextmanager
def gateway(
    server: LeaseServer, provider: SimulatedProvider, workers: int = 1, longest_s: int = 3600
) -> Iterator[Gateway]:
    """Run one that asks for leases at once, whoever comes."""
    with pytest.MonkeyPatch.context() as patch:
        source = request_filter.source
        often, longest = r"local OFTEN = \d+", r"local LONGEST = \d+"  # others may have patched it before

        def patched(**told: Any) -> str:
            return re.sub(longest, f"local LONGEST = {longest_s}", re.sub(often, "local OFTEN = 0", source(**told)))

        patch.setattr(request_filter, "source", patched)
        rungs = target("sim/one/sparrow", provider), target("sim/two/heron", provider)
        with Gateway(with_revision(simple(*rungs), "r1"), budget=server.server, concurrency=workers) as running:
            yield running


@pytest.fixture(scope="module")
def shared(provider: SimulatedProvider) -> Iterator[tuple[LeaseServer, Gateway]]:
    """One gateway with as many units as anybody wants, for requests of one piece and for streams."""
    server = LeaseServer()
    with gateway(server, provider) as running:
        for stream in (False, True):
            assert "x-fairlead-budget-remaining" in running.ask(stream=stream).headers
            until(lambda: running.ask(stream=stream).headers["x-fairlead-budget-remaining"] == REMAINING)  # noqa: B023
        yield server, running
    server.stop()


def reported(server: LeaseServer, request: str) -> list[str]:
    """How a request was reported; waits until it was, and until what came after it was as well."""
    return until(lambda: server.of(request), f"{request} was never reported")


@pytest.mark.parametrize(
    ("stream", "fault", "ending"),
    [
        pytest.param(False, {}, (200, "batched"), id="whole"),
        pytest.param(True, {}, (200, "batched"), id="stream"),
        pytest.param(False, {"usage": False}, (200, "called"), id="nobody counted"),
        pytest.param(True, {"usage": False}, (200, "called"), id="nobody counted the stream"),
        pytest.param(False, {"status": 400}, (400, "called"), id="refused by the provider"),
        pytest.param(False, {"status": 500, "model": "sparrow"}, (200, "called"), id="an attempt was lost"),
        pytest.param(False, {"reset": True, "model": "sparrow"}, (200, "called"), id="an attempt was cut"),
        pytest.param(False, {"status": 503, "count": 9}, (503, "called"), id="nobody answers"),
        pytest.param(True, {"break_after_chunks": 2}, (200, "called"), id="cut by the provider"),
        pytest.param(True, {"error_after_chunks": 2}, (200, "called"), id="ended by the provider's error"),
    ],
)
def test_each_request_is_reported_once(
    shared: tuple[LeaseServer, Gateway],
    provider: SimulatedProvider,
    stream: bool,
    fault: dict[str, Any],
    ending: tuple[int, str],
) -> None:
    server, running = shared
    status, how = ending
    if fault:
        provider.control.fault(**{"count": 1, **fault})
    checks = len(server.checks)
    name = ask(running, stream=stream)
    provider.control.clear()
    assert reported(server, name) == [how]
    assert len(server.checks) == checks, "nobody was asked"
    (report,) = [one for one in (*server.called, *server.batched) if one["id"] == name]
    assert re.fullmatch(r"[0-9a-f]+\.\d+", report["reservation"])
    assert report["status"] == str(status)
    after = ask(running)
    assert (reported(server, after), server.of(name)) == (["batched"], [how])


def ask(running: Gateway, **members: Any) -> str:
    """Send a request, read what comes of its answer, and return its id."""
    body = json.dumps({"model": "chat", "messages": [{"role": "user", "content": "hello"}], **members})
    with closing(http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)) as connection:
        connection.request("POST", CHAT, body, {"content-type": "application/json", "authorization": f"Bearer {KEY}"})
        answer = connection.getresponse()
        with suppress(http.client.IncompleteRead):
            answer.read()
        return answer.headers["x-request-id"]


@pytest.mark.parametrize("fault", [{"stall_after_chunks": 2}, {"hang": True}], ids=["stream", "before any answer"])
def test_a_client_that_leaves_is_reported_by_a_call(
    shared: tuple[LeaseServer, Gateway], provider: SimulatedProvider, fault: dict[str, Any]
) -> None:
    server, running = shared
    provider.control.fault(**fault, count=1)
    before = len(server.called)
    leave(running.port, waits="hang" not in fault)
    until(lambda: len(server.called) > before)
    report = server.called[before]
    assert "." in report["reservation"]
    assert reported(server, ask(running)) == ["batched"]
    assert server.of(report["id"]) == ["called"]


def leave(port: int, *, waits: bool, **members: Any) -> None:
    """Ask for a stream, and end the connection: when its answer begins, or (`waits=False`) before."""
    asked = {"model": "chat", "stream": True, "messages": [{"role": "user", "content": "hello"}], **members}
    body = json.dumps(asked)
    head = f"host: x\r\nauthorization: Bearer {KEY}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(20 if waits else 0.2)
        connection.sendall(f"POST {CHAT} HTTP/1.1\r\n{head}\r\n\r\n{body}".encode())
        try:
            connection.recv(1)
        except TimeoutError:
            assert not waits
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)


def test_leased_answers_say_what_remains(shared: tuple[LeaseServer, Gateway]) -> None:
    _, running = shared
    assert running.ask().headers["x-fairlead-budget-remaining"] == REMAINING


def test_units_are_taken_once_by_all_workers(provider: SimulatedProvider) -> None:
    server = LeaseServer()
    server.units = 20
    with gateway(server, provider, workers=2) as running, ThreadPoolExecutor(8) as pool:
        answers: list[Answer] = list(pool.map(lambda _: running.ask(), range(300)))
        assert Counter(one.status for one in answers) == {200: 300}
        ids = [one.headers["x-request-id"] for one in answers]
        until(lambda: all(map(server.of, ids)))
        assert {len(server.of(one)) for one in ids} == {1}
    units = [one["reservation"] for one in (*server.called, *server.batched) if "." in one["reservation"]]
    assert len(units) == len(set(units)) > 100
    assert len(server.checks) + len(units) == 300
    server.stop()


def test_reports_outlive_a_restart_of_the_server(shared: tuple[LeaseServer, Gateway]) -> None:
    server, running = shared
    server.stop()
    ids = [ask(running) for _ in range(5)]
    assert not any(map(server.of, ids))
    server.start()
    until(lambda: all(map(server.of, ids)))
    assert [server.of(one) for one in ids] == [["batched"]] * 5


@pytest.fixture(scope="module")
def few(provider: SimulatedProvider) -> Iterator[tuple[LeaseServer, Gateway]]:
    """One gateway with leases of seven units."""
    server = LeaseServer()
    server.units = 7
    with gateway(server, provider) as running:
        yield server, running
    server.stop()


def given(server: LeaseServer) -> list[str]:
    """All that was given back so far."""
    words = [one[BACK] for one in server.checks] + [one["back"] for one in (*server.called, *server.batched)]
    return [lease for text in words if text != "-" for lease in text.split(";")]


def leased(server: LeaseServer, running: Gateway) -> bool:
    """Tell whether a request takes a unit."""
    checks = len(server.checks)
    assert running.ask().status == 200
    return len(server.checks) == checks


def test_what_nobody_used_in_time_is_given_back_by_what_is_said_next(few: tuple[LeaseServer, Gateway]) -> None:
    server, running = few
    server.life_s = -1
    running.ask(stream=True)
    server.life_s = 3600
    assert server.checks[-1][WANT] == "4,1024,-,1"
    until(lambda: given(server))
    assert given(server) == [f"{server.granted:04x}:1-7"]
    running.ask(stream=True)
    assert given(server) == [f"{server.granted:04x}:1-7"], "once"


def test_a_lease_whose_request_got_no_answer_is_given_back_by_its_report(
    few: tuple[LeaseServer, Gateway], provider: SimulatedProvider
) -> None:
    server, running = few
    provider.control.fault(hang=True, count=1)
    leave(running.port, waits=False, max_tokens=9)
    until(lambda: f"{server.granted:04x}:1-7" in given(server))
    assert server.checks[-1][WANT] == "4,1024,9,1"


def test_other_policies_end_a_lease(few: tuple[LeaseServer, Gateway]) -> None:
    server, running = few
    until(lambda: leased(server, running))
    before = len(given(server))
    running.serve(with_revision(running.whole, "r2"))
    until(lambda: not leased(server, running) and len(given(server)) > before)
    assert not leased(server, running)
    running.serve(with_revision(running.whole, "r1"))
    until(lambda: leased(server, running))


def test_other_terms_end_a_lease(few: tuple[LeaseServer, Gateway]) -> None:
    server, running = few
    until(lambda: leased(server, running))
    before, whole = len(given(server)), running.whole
    assert whole.budget is not None
    running.serve(replace(whole, budget=replace(whole.budget, terms="other")))
    until(lambda: not leased(server, running) and len(given(server)) > before)
    assert not leased(server, running)
    server.revision = "r1.other"
    until(lambda: leased(server, running))
    server.revision = "r1"
    running.serve(whole)
    until(lambda: leased(server, running))


def test_a_refusal_ends_the_leases_of_its_consumer(few: tuple[LeaseServer, Gateway]) -> None:
    server, running = few
    until(lambda: leased(server, running))
    server.refusal = closed("team/chat|chat", size="9999 - 1")
    assert running.ask(messages=[{"role": "user", "content": "x" * 20_000}]).status == 429
    server.refusal = None
    assert not leased(server, running), "the check of each request"
    assert server.checks[-1][BACK] != "-"


def test_a_report_says_that_a_lease_was_asked_for_where_nobody_answered(few: tuple[LeaseServer, Gateway]) -> None:
    server, running = few
    until(lambda: leased(server, running))
    server.silent = True
    name = ask(running, max_tokens=23)  # a size that no lease is for
    server.silent = False
    assert server.checks[-1][WANT] == "4,1024,23,1"
    assert reported(server, name) == ["called"]
    (report,) = [one for one in server.called if one["id"] == name]
    assert (report["reservation"], report["back"]) == ("", "asked")
    answered = ask(running, max_tokens=24)
    assert reported(server, answered)
    assert "asked" not in [one["back"] for one in server.called if one["id"] == answered]


def test_a_lease_that_another_clock_lets_last_for_hours_ends_as_soon_as_any(provider: SimulatedProvider) -> None:
    server = LeaseServer()
    with gateway(server, provider, longest_s=2) as running:
        # Nobody takes as many units as a lease has: what is given back has ended.
        until(lambda: running.ask().status == 200 and any(":" in word for word in given(server)))
    server.stop()
