"""Attempts are counted by arm, target and what became of them, whoever asked."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from running import Gateway, simple, target
from wire import WireProvider

from fairlead import ir
from fairlead.demo.provider import SimulatedProvider
from fairlead.health import attempts
from fairlead.runtime import readings
from fairlead.runtime.readings import GatewayPlace
from ports import free_port

pytestmark = pytest.mark.envoy

Wait = Callable[[Callable[[], Any]], Any]
PATIENT = ir.Breaker(consecutive_failures=1000, open_for_ms=1000)


def rung(name: str, provider: WireProvider, port: int = 0) -> ir.Target:
    upstream = ir.Upstream(host="127.0.0.1", port=port or provider.port, tls=False, base_path="/v1")
    return target(name, provider, upstream=upstream, breaker=PATIENT)  # type: ignore[arg-type]


def counted(running: Gateway) -> dict[tuple[str, str, str], int]:
    """Attempts by target, code and flags."""
    found = {}
    for line in running.metrics().splitlines():
        if line.startswith("envoy_fairlead_attempt_total{"):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
            assert "consumer" not in labels
            assert labels["arm"], labels
            found[labels["target"], labels["code"], labels["flags"]] = int(line.split()[-1])
    return found


def test_each_attempt_has_its_target_and_its_fate(wait_until: Wait) -> None:
    nobody = free_port()
    with WireProvider(503) as failing, WireProvider(raw=b"HTTP/1.1 ") as cutting, WireProvider(200) as well:
        rungs = (
            rung("a/e/m", well, nobody),
            rung("b/e/m", failing),
            rung("c/e/m", cutting),
            rung("d/e/m", well),
        )
        with Gateway(simple(*rungs)) as running:
            for _ in range(3):
                assert running.ask().target == "d/e/m"
            counts = wait_until(lambda: sum((now := counted(running)).values()) == 12 and now)
    fates = {name: (code, flags, count) for (name, code, flags), count in counts.items()}
    assert fates["a/e/m"][1:] == ("UF", 3)
    assert fates["b/e/m"] == ("503", "-", 3)
    assert fates["c/e/m"][2] == 3
    assert fates["c/e/m"][1] not in ("-", "UF")
    assert fates["d/e/m"] == ("200", "-", 3)


def test_first_bytes_are_those_of_streams_through_a_bulkhead_too(wait_until: Wait) -> None:
    with SimulatedProvider(models=("m",), keys=()) as provider:
        limited = target("b/e/m", provider, max_in_flight=9)
        for rung in (target("a/e/m", provider), limited):
            with Gateway(simple(rung)) as running:
                for stream in (False, False, True, True, True):
                    assert running.ask(stream=stream).status == 200

                def read_of(running: Gateway = running, rung: ir.Target = rung) -> Any:
                    return readings.reading(running.metrics(), GatewayPlace(name="g", region="r", address="-"), [rung])

                # Envoy adds up its histograms every few seconds, also in the middle of these.
                wait_until(lambda: sum(read_of().first_bytes.get(rung.name, {}).values()) >= 3)  # noqa: B023
                read = read_of()
                assert sum(read.first_bytes[rung.name].values()) == 3, "an answer in one piece has none"
                assert read.totals[rung.name] == {(200, "-"): 5}


@pytest.mark.parametrize(
    ("body", "broken"),
    [
        pytest.param(b"", 1, id="nothing"),
        pytest.param(b"\n\n", 1, id="line ends"),
        pytest.param(b'data: {"error":{"message":"overloaded"}}\n\n', 1, id="an error"),
        pytest.param(b': PROCESSING\n\ndata: { "error" : "overloaded" }\n\ndata: [DONE]\n\n', 1, id="behind a comment"),
        pytest.param(
            b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n', 1, id="anthropic"
        ),
        pytest.param(b'data: {"error":{"message":"overloaded"}}', 1, id="an error without an end"),
        pytest.param(b'data: {"error":null,"choices":[]}\n\n', 0, id="no error"),
        pytest.param(b'data: {"id":"x","choices":[]}\n\ndata: {"error":{"message":"m"}}\n\n', 0, id="an error later"),
        pytest.param(b'data: {"choices":[{"delta":{"content":"{\\"error\\":1}"}}]}\n\n', 0, id="a word"),
    ],
)
def test_a_stream_that_brings_no_answer_is_a_failed_attempt_though_it_is_passed_on(
    wait_until: Wait, body: bytes, broken: int
) -> None:
    halves = [part for part in (body[:9], body[9:]) if part]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in halves) + b"0\r\n\r\n"
    head = (
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    place = GatewayPlace(name="g", region="r", address="-")
    with WireProvider(raw=head + chunks) as only, Gateway(simple(rung("a/e/m", only))) as running:
        answer = running.ask(stream=True)
        assert (answer.status, answer.body) == (200, body)
        wait_until(lambda: counted(running))
        totals = readings.reading(running.metrics(), place, [rung("a/e/m", only)]).totals["a/e/m"]
    assert attempts.since({}, totals) == {attempts.BROKEN if broken else (200, "-"): 1}
