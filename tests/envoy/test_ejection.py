"""A target that fails is ejected, costs nothing while it is, and comes back."""

import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from serving import PATIENT, Rung, Serving, answered, route

from fairlead.ir import Breaker, Timeouts

pytestmark = pytest.mark.envoy

Start = Callable[..., Rung]
Serve = Callable[..., Serving]
Wait = Callable[[Callable[[], Any]], Any]

FIVE = Breaker(consecutive_failures=5, open_for_ms=60_000)
SHORT = Breaker(consecutive_failures=5, open_for_ms=5000)
QUICK = Timeouts(first_byte_ms=1500, response_ms=1500, stream_idle_ms=30_000, request_ms=60_000)


@pytest.mark.parametrize(
    ("fault", "timeouts"),
    [
        pytest.param({"status": 500}, PATIENT, id="500"),
        pytest.param({"status": 503, "retry_after": 1}, PATIENT, id="503: overloaded"),
        pytest.param({"status": 429, "retry_after": 7}, PATIENT, id="429: no quota left"),
        pytest.param({"status": 401}, PATIENT, id="401: our credential is wrong"),
        pytest.param({"status": 403}, PATIENT, id="403: our credential may not"),
        pytest.param({"reset": True}, PATIENT, id="reset"),
        pytest.param({"drop": True}, PATIENT, id="connection closed without an answer"),
        pytest.param({"hang": True}, QUICK, id="hang"),
    ],
)
def test_five_failures_in_a_row_eject(
    start_rung: Start, serve: Serve, wait_until: Wait, fault: Mapping[str, Any], timeouts: Timeouts
) -> None:
    alpha, beta = start_rung("alpha", breaker=FIVE), start_rung("beta")
    gateway = serve(route("chat", alpha, beta, timeouts=timeouts))
    alpha.sim.control.fault(**fault)
    assert [answered(gateway.ask("chat")) for _ in range(5)] == [(200, "beta", "2")] * 5
    wait_until(lambda: gateway.ejected(alpha))
    # Not even tried: an ejected rung costs no attempt and no time.
    assert [answered(gateway.ask("chat")) for _ in range(3)] == [(200, "beta", "1")] * 3
    assert len(alpha.records) == 5


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        pytest.param({"status": 404}, (200, "beta", "2"), id="404: clients could eject a provider"),
        pytest.param({"status": 400}, (400, "alpha", "1"), id="400: the client's doing"),
        pytest.param({"status": 422}, (422, "alpha", "1"), id="422: the client's doing"),
    ],
)
def test_other_statuses_do_not_eject(
    start_rung: Start, serve: Serve, fault: Mapping[str, Any], expected: tuple[int, str, str]
) -> None:
    alpha, beta = start_rung("alpha", breaker=FIVE), start_rung("beta")
    gateway = serve(route("chat", alpha, beta))
    alpha.sim.control.fault(**fault)
    assert [answered(gateway.ask("chat")) for _ in range(8)] == [expected] * 8
    alpha.sim.control.clear()
    assert answered(gateway.ask("chat")) == (200, "alpha", "1")


def test_a_refused_connection_ejects(start_rung: Start, serve: Serve, wait_until: Wait) -> None:
    alpha, beta = start_rung("alpha", breaker=FIVE), start_rung("beta")
    gateway = serve(route("chat", alpha, beta))
    alpha.sim.control.die()
    assert [answered(gateway.ask("chat")) for _ in range(5)] == [(200, "beta", "2")] * 5
    wait_until(lambda: gateway.ejected(alpha))
    assert answered(gateway.ask("chat")) == (200, "beta", "1")


def test_a_success_between_failures_starts_the_count_anew(start_rung: Start, serve: Serve) -> None:
    alpha, beta = start_rung("alpha", breaker=FIVE), start_rung("beta")
    gateway = serve(route("chat", alpha, beta))
    for _ in range(2):
        alpha.sim.control.fault(status=500, count=4)
        assert [answered(gateway.ask("chat")) for _ in range(5)] == [(200, "beta", "2")] * 4 + [(200, "alpha", "1")]


def test_the_number_of_failures_is_the_targets(start_rung: Start, serve: Serve, wait_until: Wait) -> None:
    alpha = start_rung("alpha", breaker=Breaker(consecutive_failures=2, open_for_ms=60_000))
    gateway = serve(route("chat", alpha, start_rung("beta")))
    alpha.sim.control.fault(status=500)
    assert [answered(gateway.ask("chat")) for _ in range(2)] == [(200, "beta", "2")] * 2
    wait_until(lambda: gateway.ejected(alpha))
    assert answered(gateway.ask("chat")) == (200, "beta", "1")


def test_streams_that_break_in_the_middle_eject(start_rung: Start, serve: Serve, wait_until: Wait) -> None:
    # By their share only: to Envoy each is a success, by its headers, and then a failure, never two in a row.
    alpha, beta = start_rung("alpha", breaker=FIVE), start_rung("beta")
    gateway = serve(route("chat", alpha, beta))
    alpha.sim.control.fault(break_after_chunks=2)
    arrived: list[bytes] = []

    def ejected_meanwhile() -> bool:
        arrived.extend(threads.map(gateway.stream, ["chat"] * 40))
        return gateway.ejected(alpha)

    # Many at once, and again: enough of them have to end within the same second.
    with ThreadPoolExecutor(20) as threads:
        wait_until(ejected_meanwhile)
    broken = [text for text in arrived if not text.endswith(b"data: [DONE]\n\n")]
    assert {text.count(b"data: ") for text in broken} == {2}
    assert len(broken) == len(alpha.records)
    assert answered(gateway.ask("chat", stream=True)) == (200, "beta", "1")


def test_a_fifth_of_failures_ejects(start_rung: Start, serve: Serve, wait_until: Wait) -> None:
    breaker = Breaker(consecutive_failures=1000, open_for_ms=60_000)
    alpha, beta = start_rung("alpha", breaker=breaker), start_rung("beta")
    gateway = serve(route("chat", alpha, beta))
    alpha.sim.control.fault(status=500, probability=0.4)

    def ejected_meanwhile() -> bool:
        assert gateway.ask("chat").status == 200
        return gateway.ejected(alpha)

    wait_until(ejected_meanwhile)


def test_it_comes_back_after_a_while(start_rung: Start, serve: Serve, wait_until: Wait) -> None:
    alpha, beta = start_rung("alpha", breaker=SHORT), start_rung("beta")
    gateway = serve(route("chat", alpha, beta))
    alpha.sim.control.fault(status=500, count=5)
    began = time.monotonic()
    for _ in range(5):
        gateway.ask("chat")
    wait_until(lambda: gateway.ejected(alpha))
    seen = []

    def back() -> bool:
        seen.append(answered(gateway.ask("chat")))
        return seen[-1][1] == "alpha"

    wait_until(back)
    assert time.monotonic() - began > SHORT.open_for_ms / 1000
    assert set(seen[:-1]) <= {(200, "beta", "1")}, "a client noticed"
    assert seen[-1] == (200, "alpha", "1")


@pytest.mark.slow
def test_each_ejection_is_as_long_as_the_first(start_rung: Start, serve: Serve, wait_until: Wait) -> None:
    alpha = start_rung("alpha", breaker=Breaker(consecutive_failures=1, open_for_ms=3000))
    gateway = serve(route("chat", alpha, start_rung("beta")))
    took = []
    for _ in range(3):
        alpha.sim.control.fault(status=500, count=1)
        assert gateway.ask("chat").status == 200
        start = time.monotonic()
        wait_until(lambda: answered(gateway.ask("chat"))[1] == "alpha")
        took.append(time.monotonic() - start)
    # Envoy looks once a second, and by itself would eject for nine seconds the third time.
    assert took[2] < 8.5, took


def test_an_ejection_is_the_targets_in_all_routes_and_of_no_other(
    start_rung: Start, serve: Serve, wait_until: Wait
) -> None:
    alpha, beta, gamma = (start_rung(name, breaker=FIVE) for name in ("alpha", "beta", "gamma"))
    gateway = serve(route("chat", alpha, beta), route("other", alpha, gamma), route("third", beta, alpha))
    alpha.sim.control.fault(status=500)
    for _ in range(5):
        gateway.ask("chat")
    wait_until(lambda: gateway.ejected(alpha))
    assert answered(gateway.ask("other")) == (200, "gamma", "1")
    assert answered(gateway.ask("third")) == (200, "beta", "1")


def test_the_last_resort_serves_when_all_are_ejected(start_rung: Start, serve: Serve, wait_until: Wait) -> None:
    alpha, beta = start_rung("alpha", breaker=FIVE), start_rung("beta", breaker=FIVE)
    gateway = serve(route("chat", alpha, beta, max_attempts=3))
    alpha.sim.control.fault(status=503)
    beta.sim.control.fault(status=500)
    for _ in range(5):
        # The first rung once more, without ejection: its own error reaches the client.
        assert answered(gateway.ask("chat")) == (503, "alpha", "3")
    wait_until(lambda: gateway.ejected(alpha, beta))
    beta.sim.control.reset()
    answer = gateway.ask("chat")
    assert answer.status == 503
    assert "a fault that somebody asked for" in answer.body.decode()
    assert not beta.records
    alpha.sim.control.clear()
    # At once: nobody waits for an ejection to end.
    assert answered(gateway.ask("chat")) == (200, "alpha", "1")
    assert gateway.ejected(alpha, beta)


def test_all_are_down_and_one_is_back(start_rung: Start, serve: Serve, wait_until: Wait) -> None:
    alpha, beta = start_rung("alpha", breaker=FIVE), start_rung("beta", breaker=FIVE)
    gateway = serve(route("chat", alpha, beta))
    alpha.sim.control.die()
    beta.sim.control.die()
    for _ in range(5):
        answer = gateway.ask("chat")
        assert (answer.status, json.loads(answer.body)["error"]["code"]) == (503, "no_backend")
    wait_until(lambda: gateway.ejected(alpha, beta))
    alpha.sim.control.revive()
    assert answered(gateway.ask("chat")) == (200, "alpha", "1")


def test_a_share_of_failures_ejects_where_no_row_of_them_is_long(
    start_rung: Start, serve: Serve, wait_until: Wait
) -> None:
    alpha, beta = (
        start_rung("alpha", breaker=Breaker(consecutive_failures=1000, open_for_ms=60_000)),
        start_rung("beta"),
    )
    gateway = serve(route("chat", alpha, beta))

    def ejected() -> bool:
        alpha.sim.control.fault(status=500, count=10)
        assert {answered(gateway.ask("chat"))[0] for _ in range(40)} == {200}
        return gateway.ejected(alpha)

    wait_until(ejected)
    assert answered(gateway.ask("chat")) == (200, "beta", "1")
