"""Shadows: a share of the requests goes to another target too, and nobody waits for it."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from serving import Rung, Serving, answered, route, seen

pytestmark = pytest.mark.envoy

Start = Callable[..., Rung]
Serve = Callable[..., Serving]
Wait = Callable[[Callable[[], Any]], Any]

ALL = 10_000


@pytest.mark.parametrize("stream", [False, True])
def test_a_shadow_is_a_request_of_its_own(start_rung: Start, serve: Serve, wait_until: Wait, *, stream: bool) -> None:
    alpha = start_rung("alpha")
    shadow = start_rung("shadow", settings={"header": "api-key"}, host="shadow.localhost")
    gateway = serve(route("chat", alpha, shadow=(shadow, ALL)))
    assert answered(gateway.ask("chat", stream=stream)) == (200, "alpha", "1")
    (copy,) = seen(shadow, 1)
    assert json.loads(copy.body)["model"] == "shadow-wire"
    assert copy.header("content-length") == str(len(copy.body))
    assert copy.target == "/shadow/v1/chat/completions"
    assert copy.header("api-key") == "key-of-shadow"
    assert copy.header("host") == "shadow.localhost"
    assert copy.header("authorization") is None
    assert alpha.sim.control.stats().problems == shadow.sim.control.stats().problems == {}

    (line,) = wait_until(lambda: gateway.lines(kind="shadow"))
    (own,) = wait_until(lambda: gateway.lines(kind="request"))
    assert line["request_id"] == own["request_id"]
    expected = {
        "consumer": "team/alice",
        "route": "team/chat",
        "model": "chat",
        "target": "shadow/only/small",
        "model_sent": "shadow-wire",
        "status": 200,
        "completion_tokens": 12,
    }
    assert {key: line[key] for key in expected} == expected
    assert line["prompt_tokens"] > 0
    # The client's request is metered once, and the copy is no second attempt of it.
    assert own["completion_tokens"] == 12
    assert own["target"] == "alpha/only/small"
    assert len(gateway.lines(kind="attempt")) == 1

    def counted() -> list[str]:
        metrics = gateway.envoy.admin("/stats/prometheus").splitlines()
        return [each for each in metrics if re.match(r"envoy_fairlead_shadow_completion_tokens(_total)?\{", each)]

    (series,) = wait_until(counted)
    assert series.endswith(" 12")
    for label in ('consumer="team/alice"', 'route="team/chat"', 'target="shadow/only/small"', 'model="small"'):
        assert label in series


def test_a_sample(start_rung: Start, serve: Serve, wait_until: Wait) -> None:
    alpha, shadow = start_rung("alpha"), start_rung("shadow")
    gateway = serve(route("chat", alpha, shadow=(shadow, 2500)), route("none", alpha, shadow=(shadow, 0)))
    for _ in range(200):
        assert gateway.ask("chat").status == 200
        assert gateway.ask("none").status == 200
    sent = "cluster.!shadow.upstream_rq_total"
    wait_until(lambda: gateway.envoy.counters(sent)[sent] == len(gateway.lines(kind="shadow")))
    assert len(shadow.records) == len(gateway.lines(kind="shadow"))
    assert 20 <= len(shadow.records) <= 80
    assert {line["route"] for line in gateway.lines(kind="shadow")} == {"team/chat"}


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"hang": True}, id="hang"),
        pytest.param({"reset": True}, id="reset"),
        pytest.param({"status": 500}, id="500"),
        pytest.param({"status": 401}, id="401"),
        pytest.param({"break_after_chunks": 1}, id="broken stream"),
    ],
)
def test_a_failing_shadow_hurts_nobody(start_rung: Start, serve: Serve, fault: dict[str, Any]) -> None:
    alpha, shadow = start_rung("alpha"), start_rung("shadow")
    gateway = serve(route("chat", alpha, shadow=(shadow, ALL)), route("direct", shadow, alpha))
    shadow.sim.control.fault(**fault)
    # More than may be in flight: what comes on top is dropped.
    for _ in range(40):
        answer = gateway.ask("chat", stream=True)
        assert answered(answer) == (200, "alpha", "1")
        assert answer.body.endswith(b"data: [DONE]\n\n")
    shadow.sim.control.clear()
    # Nor does it eject the target where it serves clients.
    assert answered(gateway.ask("direct")) == (200, "shadow", "1")


def test_a_dead_shadow_hurts_nobody(start_rung: Start, serve: Serve) -> None:
    alpha, shadow = start_rung("alpha"), start_rung("shadow")
    gateway = serve(route("chat", alpha, shadow=(shadow, ALL)))
    shadow.sim.control.die()
    assert [answered(gateway.ask("chat")) for _ in range(20)] == [(200, "alpha", "1")] * 20


def test_a_shadow_beside_bulkheads_and_retries(start_rung: Start, serve: Serve, wait_until: Wait) -> None:
    alpha, beta, shadow = start_rung("alpha", max_in_flight=5), start_rung("beta"), start_rung("shadow")
    gateway = serve(route("chat", alpha, beta, shadow=(shadow, ALL)))
    alpha.sim.control.fault(status=500)
    assert [answered(gateway.ask("chat")) for _ in range(5)] == [(200, "beta", "2")] * 5
    wait_until(lambda: len(gateway.lines(kind="shadow")) == 5)
    # One copy of each request, whatever its attempts.
    assert len(shadow.records) == 5
    assert all(rung.sim.control.stats().problems == {} for rung in (alpha, beta, shadow))
