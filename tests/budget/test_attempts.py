"""What an attempt may have cost is booked, also where another one answered: `fairlead up`, real Envoys, SQLite."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from running_up import RunningUp, Site, provider, route, until

from budget.client import COST, budget, chat, usage
from budget.failing_provider import HANG, RESET, answer, failing

pytestmark = pytest.mark.envoy
Start = Callable[..., RunningUp]

FREE, POSSIBLE = "free", "possible"
WAYS: dict[str, tuple[bytes | None, str]] = {
    "refused": (None, FREE),
    "tls": (RESET, FREE),
    "status-400": (answer(400), FREE),
    "status-401": (answer(401), FREE),
    "status-404": (answer(404), FREE),
    "status-429": (answer(429), FREE),
    "status-307": (answer(307), FREE),
    "status-503": (answer(503), FREE),
    "status-529": (answer(529), FREE),
    "status-500": (answer(500), POSSIBLE),
    "status-502": (answer(502), POSSIBLE),
    "status-504": (answer(504), POSSIBLE),
    "reset-before-headers": (RESET, POSSIBLE),
    "reset-after-headers": (answer(200, b'{"cho', promised=500), POSSIBLE),
    "no-answer": (answer(200), POSSIBLE),
    "timeout": (HANG, POSSIBLE),
    "bulkhead-refused": (None, FREE),
    "bulkhead-reset": (RESET, POSSIBLE),
    "bulkhead-timeout": (HANG, POSSIBLE),
}
PASSED_ON = {"status-400"}
RESERVED = (130 + 2 * 100) * 1_000
"""Nano-dollars, at least: a body of at most 130 bytes at $1 a million tokens, and 100 tokens at $2."""


@pytest.fixture
def ports() -> Iterator[dict[str, int]]:
    """Start a provider for each way of failing."""
    with ExitStack() as stack:
        found = {name: stack.enter_context(failing(way)) for name, (way, _) in WAYS.items() if way is not None}
        with failing(HANG) as gone:
            found |= {name: gone for name, (way, _) in WAYS.items() if way is None}
        yield found


def write(site: Site, ports: dict[str, int], *, fallbacks: bool) -> None:
    """Write a provider and a route for each way."""
    for name, port in ports.items():
        scheme = "https" if name == "tls" else "http"
        made = provider(f"{scheme}://127.0.0.1:{port}/v1", "sparrow", name=name)
        del made["spec"]["endpoints"][0]["credential"]
        made["spec"]["healthCheck"] = {"type": "None"}
        made["spec"]["circuitBreaker"] = {"consecutiveFailures": 100}
        if name.startswith("bulkhead"):
            made["spec"]["circuitBreaker"]["maxInFlight"] = 5
        spec: dict[str, Any] = {"fallbacks": [{"provider": "sim", "model": "heron"}]} if fallbacks else {}
        patience = {"timeouts": {"response": "1s"}} if "timeout" in name else {}
        many = {"maxAttempts": 2 if fallbacks else 1}
        site.write(
            f"{name}.yaml", made, route(name, "sparrow", provider=name, maxOutputTokens=100, **spec, **patience, **many)
        )


def booked(port: int, model: str) -> tuple[int, int]:
    """Ask, and return the status and what it added to the budget, in nano-dollars."""
    before = round(usage(port)["budget"]["spent"] * 10**9)
    status = chat(port, model).status

    def after() -> int | None:
        found = usage(port)["budget"]
        return round(found["spent"] * 10**9) if not found["reserved"] else None

    wanted = WAYS[model][1] == POSSIBLE or status == 200
    until(lambda: (now := after()) is not None and (now > before or not wanted), f"{model}: nothing was booked")
    return status, (after() or 0) - before


@pytest.mark.parametrize("fallbacks", [True, False], ids=["another one answers", "nobody answers"])
def test_each_way_to_fail_has_its_booking(site: Site, start: Start, ports: dict[str, int], *, fallbacks: bool) -> None:
    write(site, ports, fallbacks=fallbacks)
    site.write("budget.yaml", budget(usd="1"))
    start(site).serving()
    (port,) = site.ports
    wrong = {}
    for name, (_, kind) in WAYS.items():
        status, amount = booked(port, name)
        answered = fallbacks and name not in PASSED_ON
        assert (status == 200) is answered, (name, status)
        lost = amount - (COST if answered else 0)
        if not (lost == 0 if kind == FREE else 0 < lost <= RESERVED):
            wrong[name] = lost
    assert not wrong


def test_attempts_that_were_given_up_end_a_budget(site: Site, start: Start, ports: dict[str, int]) -> None:
    write(site, {"timeout": ports["timeout"]}, fallbacks=True)
    limit = 1_000_000
    site.write("budget.yaml", budget(usd="0.001"))
    start(site).serving()
    (port,) = site.ports
    served = 0
    while (status := chat(port, "timeout").status) == 200:
        served += 1
        assert served < 10, "each may have cost a quarter of the limit"
        until(lambda: not usage(port)["budget"]["reserved"])
    assert status == 429
    spent = round(usage(port)["budget"]["spent"] * 10**9)
    assert limit / 2 < spent <= limit + RESERVED


def test_a_client_that_leaves_before_the_first_byte_pays_what_it_may_have_cost(
    site: Site, start: Start, ports: dict[str, int]
) -> None:
    write(site, {"reset-before-headers": ports["timeout"]}, fallbacks=False)
    site.write("budget.yaml", budget(usd="1"))
    start(site).serving()
    (port,) = site.ports
    with pytest.raises(TimeoutError):
        chat(port, "reset-before-headers", patience_s=0.5)
    spent = until(lambda: not usage(port)["budget"]["reserved"] and round(usage(port)["budget"]["spent"] * 10**9))
    assert 200_000 < spent <= RESERVED
    assert usage(port)["budget"]["estimated"] == usage(port)["budget"]["spent"]
