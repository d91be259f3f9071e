"""Reservations are upper bounds; estimates use bytes."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.budget.estimate import Ask, Rung, bounds, reservation, shown_tokens, uncounted
from fairlead.budget.price import Price, Tokens, cost
from fairlead.budget.unit import Asked, Unit

PRICE = Price(input=1_000_000, output=3_000_000, cached_input=500_000)  # 1 and 3 nano-dollars per token


def rung(limit: int | None = None, window: int | None = None, *, generates: bool = True, factor: int = 1) -> Rung:
    price = Price(input=PRICE.input * factor, output=PRICE.output * factor, cached_input=PRICE.cached_input)
    return Rung(price=price, max_output_tokens=limit, context_window=window, generates=generates)


OWN = replace(PRICE, cache_write=1_250_000, cache_write_1h=2_000_000, audio_input=40_000_000, audio_output=9_000_000)
SEEN = replace(PRICE, image_input=3_000_000)
CASES = [
    (Ask(body_bytes=100, output_limit=10), (rung(),), None, 100 + 30, "a token per byte, and the request's own limit"),
    (Ask(body_bytes=100, output_limit=10), (rung(7),), None, 100 + 21, "the model's cap is smaller"),
    (Ask(body_bytes=100, output_limit=10), (rung(7),), 5, 100 + 15, "the route's is smallest"),
    (Ask(body_bytes=100, output_limit=None), (rung(window=1000),), None, 100 + 3000, "no limit: the context window"),
    (Ask(body_bytes=100, output_limit=None), (rung(),), None, 100 + 3 * 4096, "nothing known: 4096"),
    (Ask(body_bytes=100, output_limit=10**12), (rung(window=1000),), None, 100 + 3000, "a window bounds what is asked"),
    (Ask(body_bytes=100, output_limit=10**12), (rung(5000, 1000),), None, 100 + 3000, "a window below the cap"),
    (Ask(body_bytes=100, output_limit=10**12), (rung(),), None, 100 + 3 * 10**7, "nothing known: no model writes more"),
    (Ask(body_bytes=100, output_limit=10, choices=4), (rung(),), None, 100 + 120, "n answers"),
    (Ask(body_bytes=5000, output_limit=10), (rung(window=1000),), None, 1000 + 30, "no more than a window goes in"),
    (
        Ask(body_bytes=5000, output_limit=10, choices=3),
        (rung(window=1000),),
        None,
        3000 + 90,
        "for each of the prompts",
    ),
    (
        Ask(body_bytes=5000, output_limit=10),
        (rung(window=1000, generates=False),),
        None,
        5000,
        "of each of many inputs",
    ),
    (Ask(body_bytes=100, output_limit=10), (rung(), rung(factor=2)), None, 260, "the dearest rung"),
    (Ask(body_bytes=100, output_limit=10), (rung(generates=False),), None, 100, "embeddings answer no tokens"),
    (Ask(body_bytes=100, output_limit=0), (rung(),), None, 100, "a limit of zero is a limit"),
    (
        Ask(body_bytes=100, output_limit=-3, choices=0),
        (rung(),),
        None,
        100,
        "nonsense does not make it cheaper than that",
    ),
    (Ask(body_bytes=100, output_limit=10), (), None, 0, "no target, no cost"),
    (
        Ask(body_bytes=100, output_limit=10, goes_on=True),
        (rung(window=1000),),
        None,
        1000 + 30,
        "what is kept is input",
    ),
    (Ask(body_bytes=5000, output_limit=10, goes_on=True), (rung(window=1000),), None, 1030, "no more than goes in"),
    (Ask(body_bytes=100, output_limit=10, goes_on=True), (rung(),), None, 130, "a rung that keeps nothing"),
    (Ask(body_bytes=100, output_limit=10), (replace(rung(), price=OWN),), None, 200 + 90, "a cache write, audio out"),
    (Ask(body_bytes=100, output_limit=10), (replace(rung(), price=SEEN),), None, 300 + 30, "all of it images"),
    (
        Ask(body_bytes=100, output_limit=10, asked=Asked(unit=Unit.IMAGE, count=1, inputs=16_484)),
        (replace(rung(), price=SEEN, text=False),),
        None,
        16_484 * 3 + 30,
        "a form's images",
    ),
]


@pytest.mark.parametrize(("ask", "rungs", "cap", "amount", "why"), CASES, ids=[case[-1] for case in CASES])
def test_reservation(ask: Ask, rungs: tuple[Rung, ...], cap: int | None, amount: int, why: str) -> None:
    assert reservation(ask, bounds(rungs, cap)) == amount, why


@given(
    body=st.integers(1, 10**6),
    limit=st.integers(0, 10**5),
    share=st.floats(0, 1),
    cached=st.integers(0, 10**6),
)
def test_a_request_that_obeys_costs_at_most_its_reservation(body: int, limit: int, share: float, cached: int) -> None:
    tokens = Tokens(input=int(body * share), output=int(limit * share), cached=cached)
    assert cost(PRICE, tokens) <= reservation(Ask(body_bytes=body, output_limit=limit), bounds((rung(),), None))


@pytest.mark.parametrize(("sent", "tokens"), [(0, 0), (1, 1), (33, 17), (-1, 0)])
def test_an_answer_has_two_bytes_to_a_token_however_it_is_cut_into_chunks(sent: int, tokens: int) -> None:
    assert shown_tokens(sent) == tokens


def test_tokens_of_unknown_kinds_cost_what_the_dearest_of_them_does() -> None:
    assert uncounted(rung(), inputs=51, outputs=9) == 51 + 9 * 3
    assert uncounted(replace(rung(), price=OWN), inputs=51, outputs=9) == 51 * 2 + 9 * 9
    assert uncounted(rung(generates=False), inputs=5, outputs=9) == 5
