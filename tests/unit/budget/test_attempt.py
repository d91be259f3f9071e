"""What an attempt without a count may have cost."""

from dataclasses import replace

import pytest

from fairlead.budget.attempt import TOKENS_PER_SECOND, UNNOTICED_MS, Attempt, possible_cost, possible_output
from fairlead.budget.estimate import Ask, Rung, bounds, reservation
from fairlead.budget.price import Price

RUNG = Rung(
    price=Price(input=1_000_000, output=3_000_000, cached_input=500_000),
    max_output_tokens=1_000,
    context_window=None,
    generates=True,
)
ASK = Ask(body_bytes=100, output_limit=200, choices=2)


def attempt(status: int = 0, elapsed_ms: int | None = 60_000) -> Attempt:
    return Attempt(target="p/e/m", status=status, elapsed_ms=elapsed_ms)


@pytest.mark.parametrize("status", [0, 200, 201, 204, 500, 502, 504, 520, 599])
def test_it_may_be_billed(status: int) -> None:
    assert possible_cost(attempt(status), ASK, RUNG, None, stream=False) == 50 + 2 * 200 * 3


@pytest.mark.parametrize("status", [300, 307, 400, 401, 402, 403, 404, 408, 422, 429, 499, 501, 503, 505, 529])
def test_its_provider_says_that_it_did_not_begin(status: int) -> None:
    assert possible_cost(attempt(status), ASK, RUNG, None, stream=False) == 0


@pytest.mark.parametrize(
    ("limit", "route_limit", "elapsed_ms", "outputs"),
    [
        (200, None, None, 200),
        (None, None, None, 1_000),
        (5_000, None, None, 1_000),
        (5_000, 300, None, 300),
        (200, None, 0, 0),
        (200, None, 10, TOKENS_PER_SECOND // 100),
        (200, None, 1, 4),
        (0, None, 60_000, 0),
    ],
)
def test_output_is_bounded_by_the_request_and_by_the_time(
    limit: int | None, route_limit: int | None, elapsed_ms: int | None, outputs: int
) -> None:
    ask = Ask(body_bytes=0, output_limit=limit)
    assert possible_cost(attempt(500, elapsed_ms), ask, RUNG, route_limit, stream=False) == outputs * 3


@pytest.mark.parametrize("body_bytes", [0, 1, 99, 10**9, 10**15])
@pytest.mark.parametrize("limit", [None, 0, 7, 10**15])
def test_it_is_never_more_than_the_reservation(body_bytes: int, limit: int | None) -> None:
    ask = Ask(body_bytes=body_bytes, output_limit=limit, choices=3)
    held = reservation(ask, bounds([RUNG], 500))
    assert possible_cost(attempt(), ask, RUNG, 500, stream=False) <= held + 1  # half a byte more, rounded up


ROOMY = Ask(body_bytes=0, output_limit=100_000)
WIDE = replace(RUNG, max_output_tokens=None)


@pytest.mark.parametrize(
    ("status", "stream", "elapsed_ms", "outputs", "why"),
    [
        (0, False, 2_000, 100_000, "it writes an answer in one piece to its end, though nobody waits"),
        (0, True, 2_000, 9_000, "it notices late that nobody reads its stream"),
        (200, True, 2_000, 8_000, "a stream that came to its end"),
        (200, False, 2_000, 8_000, "an answer that came to its end"),
        (500, False, 2_000, 8_000, "it failed, and so it ended"),
        (503, False, 2_000, 0, "it did not begin"),
        (0, True, None, 100_000, "nobody knows how long"),
    ],
)
def test_how_much_a_provider_can_have_written(
    status: int, elapsed_ms: int | None, outputs: int, why: str, *, stream: bool
) -> None:
    assert possible_output(attempt(status, elapsed_ms), ROOMY, WIDE, None, stream=stream) == outputs, why
    assert UNNOTICED_MS * TOKENS_PER_SECOND == 1_000_000
