"""Prices: exact integers, one rounding, always up."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.budget.price import FREE, USD, Price, Tokens, cost, decimal, unpriced

PRICE = Price(input=180_000_000, output=250_000_000, cached_input=20_000_000)
WHOLE = Price(
    input=4_000_000,
    output=16_000_000,
    cached_input=1_000_000,
    cache_write=5_000_000,
    cache_write_1h=8_000_000,
    audio_input=40_000_000,
    audio_output=80_000_000,
    image_input=10_000_000,
)
NUMBERS = st.integers(0, 10**7)
PRICES = st.builds(
    Price, input=st.integers(0, 10**12), output=st.integers(0, 10**12), cached_input=st.integers(0, 10**12)
)

CASES = [
    (Tokens(input=1, output=0), PRICE, 180, "$0.18 per million is 180 nano-dollars per token"),
    (Tokens(input=11, output=22, cached=4), PRICE, 7 * 180 + 4 * 20 + 22 * 250, "cached tokens are part of the input"),
    (Tokens(input=3, output=0, cached=9), PRICE, 3 * 20, "more cached than input: all of them were cached"),
    (Tokens(input=-5, output=-1, cached=-1), PRICE, 0, "nothing is negative"),
    (Tokens(input=1, output=0), Price(input=1, output=0, cached_input=1), 1, "a part of a nano-dollar counts as one"),
    (Tokens(input=10**6, output=0), Price(input=1, output=0, cached_input=1), 1, "rounded once, not per token"),
    (Tokens(input=10**9, output=10**9), FREE, 0, "free is free"),
    (Tokens(input=10, output=0, cache_write=4), WHOLE, 6 * 4 + 4 * 5, "a cache write is dearer than a read"),
    (Tokens(input=10, output=0, cache_write_1h=4), WHOLE, 6 * 4 + 4 * 8, "for an hour it is dearest"),
    (
        Tokens(input=10, output=0, cached=2, cache_write=3, cache_write_1h=4),
        WHOLE,
        4 + 2 + 15 + 32,
        "all kinds at once",
    ),
    (Tokens(input=10, output=6, audio_input=3, audio_output=5), WHOLE, 7 * 4 + 3 * 40 + 16 + 5 * 80, "audio"),
    (Tokens(input=5, output=1, cached=5, cache_write=5), WHOLE, 25 + 16, "parts beyond the whole: the dearer first"),
    (Tokens(input=10, output=1, image_input=7), WHOLE, 3 * 4 + 7 * 10 + 16, "images"),
    (Tokens(input=10, output=0, image_input=7, cached=5), WHOLE, 7 * 10 + 3, "cached images cost as fresh ones"),
    (Tokens(input=10, output=0, image_input=7, cached=5), PRICE, 5 * 180 + 5 * 20, "images as text, which is cached"),
    (Tokens(input=5, output=2, audio_output=9), WHOLE, 20 + 160, "more audio than output"),
    (Tokens(input=10, output=6, cache_write_1h=10, audio_output=6), PRICE, 1800 + 1500, "no price: as text"),
    (Tokens(input=10, output=0, cache_write_1h=10), replace(WHOLE, cache_write_1h=None), 50, "as any cache write"),
]

UNPRICED = [
    (Tokens(input=9, output=9, cached=9), PRICE, ()),
    (Tokens(input=9, output=9, cache_write=1), PRICE, ("cacheWrite",)),
    (Tokens(input=9, output=9, cache_write_1h=1), replace(WHOLE, cache_write_1h=None), ()),
    (Tokens(input=9, output=9, audio_input=1, audio_output=1), PRICE, ("audioInput", "audioOutput")),
    (Tokens(input=9, output=9, cache_write=1, audio_input=1, audio_output=1), WHOLE, ()),
]


def test_images_need_a_price_of_their_own_where_images_are_made() -> None:
    seen = Tokens(input=9, output=9, image_input=1)
    assert (unpriced(PRICE, seen, text=False), unpriced(PRICE, seen)) == (("imageInput",), ())
    assert unpriced(WHOLE, seen, text=False) == ()
    assert unpriced(PRICE, Tokens(input=9, output=9), text=False) == ()


@pytest.mark.parametrize(("tokens", "price", "kinds"), UNPRICED)
def test_what_has_no_price_of_its_own_is_named(tokens: Tokens, price: Price, kinds: tuple[str, ...]) -> None:
    assert unpriced(price, tokens) == kinds


@pytest.mark.parametrize(("tokens", "price", "nanodollars", "why"), CASES, ids=[case[-1] for case in CASES])
def test_cost(tokens: Tokens, price: Price, nanodollars: int, why: str) -> None:
    assert cost(price, tokens) == nanodollars, why


@given(price=PRICES, inputs=NUMBERS, cached=NUMBERS, outputs=NUMBERS)
def test_cost_is_the_exact_sum_rounded_up_once(price: Price, inputs: int, cached: int, outputs: int) -> None:
    hits = min(cached, inputs)
    exact = Fraction((inputs - hits) * price.input + hits * price.cached_input + outputs * price.output, 10**6)
    assert 0 <= cost(price, Tokens(input=inputs, output=outputs, cached=cached)) - exact < 1


@pytest.mark.parametrize(
    ("given_", "written"),
    [(0, "0.00"), (5 * USD, "5.00"), (1, "0.000000001"), (1_230_000_000, "1.23"), (-USD // 2, "-0.50")],
)
def test_decimal(given_: int, written: str) -> None:
    assert decimal(given_) == written
