"""Attempts are counted by arm, target and what became of them, whoever asked."""

import re
import socket
from collections.abc import Callable
from typing import Any

import pytest
from running import Gateway, simple, target
from wire import WireProvider

from fairlead import ir

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
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = closed.getsockname()[1]
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
            histogram = [
                line for line in running.metrics().splitlines() if "fairlead_attempt_first_byte_ms_count" in line
            ]
    fates = {name: (code, flags, count) for (name, code, flags), count in counts.items()}
    assert fates["a/e/m"][1:] == ("UF", 3)
    assert fates["b/e/m"] == ("503", "-", 3)
    assert fates["c/e/m"][2] == 3
    assert fates["c/e/m"][1] not in ("-", "UF")
    assert fates["d/e/m"] == ("200", "-", 3)
    assert len(histogram) == 1
    assert 'd/e/m"' in histogram[0]
