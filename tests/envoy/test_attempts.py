"""Attempts share one header map and one body: what one wrote, the next one must not send."""

from collections.abc import Callable

import pytest
from serving import Rung, Serving, answered, route

pytestmark = pytest.mark.envoy

Start = Callable[..., Rung]
Serve = Callable[..., Serving]


@pytest.mark.parametrize("second", ["b", "a-much-longer-name-than-the-first-one-has"])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_model_of_another_length_between_two_of_the_same(
    start_rung: Start, serve: Serve, second: str, *, chunked: bool
) -> None:
    # The body of the third attempt is the original: its length must be said anew, or the rest of it stays in the
    # connection as the beginning of somebody's next request.
    alpha, beta = (
        start_rung("alpha", settings={"models": ("same",)}),
        start_rung("beta", settings={"models": (second,)}),
    )
    gamma = start_rung("gamma", settings={"models": ("same",)})
    gateway = serve(route("chat", alpha, beta, gamma))
    rungs = (alpha, beta, gamma)
    body = b'{"model":"chat","messages":[{"role":"user","content":"Where are you?"}]}'
    for number in range(1, 4):
        alpha.sim.control.fault(status=503, count=1)
        beta.sim.control.fault(status=503, count=1)
        assert answered(gateway.post([body] if chunked else body)) == (200, "gamma", "3")
        for rung in rungs:
            assert len(rung.records) == number
            assert rung.records[-1].header("content-length") == str(len(rung.records[-1].body))
    assert all(rung.sim.control.stats().problems == {} for rung in rungs)
    assert {rung.records[-1].body.decode() for rung in (alpha, gamma)} == {body.decode().replace("chat", "same", 1)}


def test_the_last_resort_after_a_model_of_another_length(start_rung: Start, serve: Serve) -> None:
    alpha, beta = start_rung("alpha"), start_rung("beta", settings={"models": ("b",)})
    gateway = serve(route("chat", alpha, beta))
    alpha.sim.control.fault(status=503, count=1)
    beta.sim.control.fault(status=503, count=1)
    assert answered(gateway.ask("chat")) == (200, "alpha", "3")
    assert alpha.records[0].body == alpha.records[1].body


@pytest.mark.parametrize("second", [None, 5], ids=["plain", "with a bulkhead too"])
def test_after_a_target_with_a_bulkhead(start_rung: Start, serve: Serve, second: int | None) -> None:
    alpha, beta = start_rung("alpha", max_in_flight=5), start_rung("beta", max_in_flight=second)
    gateway = serve(route("chat", alpha, beta))
    alpha.sim.control.fault(status=503)
    assert answered(gateway.ask("chat")) == (200, "beta", "2")
    # The first attempt's way over its hop is not the second's, and no provider ever sees it.
    assert (len(alpha.records), len(beta.records)) == (1, 1)
    assert alpha.sim.control.stats().problems == beta.sim.control.stats().problems == {}
