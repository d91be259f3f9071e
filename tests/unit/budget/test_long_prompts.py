"""Long prompts cost more, from the first token beyond the threshold, and nothing costs more than is reserved."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from fairlead.budget.estimate import Ask, Rung, bounds, reservation, uncounted
from fairlead.budget.price import LongPrompts, Price, Tokens, cost, cost_of_sum

ABOVE = 1_000
_KINDS = ("cache_write", "cache_write_1h", "audio_input", "audio_output", "image_input")


def _raised(base: Price, more: int) -> Price:
    named = {name: getattr(base, name) for name in ("input", "output", "cached_input", *_KINDS)}
    return replace(base, **{name: one + more for name, one in named.items() if one is not None})


@st.composite
def prices(draw: st.DrawFn) -> Price:
    each = st.integers(0, 10**10)
    fresh = draw(each)
    base = Price(
        input=fresh,
        output=draw(each),
        cached_input=draw(st.integers(0, fresh)),
        **{name: draw(st.none() | each) for name in _KINDS[:2]},
    )
    return replace(base, long_prompts=LongPrompts(above=ABOVE, price=_raised(base, draw(each))))


@st.composite
def tokens(draw: st.DrawFn) -> Tokens:
    inputs = draw(st.integers(0, 3 * ABOVE) | st.sampled_from([ABOVE - 1, ABOVE, ABOVE + 1]))
    cached = draw(st.integers(0, inputs))
    written = draw(st.integers(0, inputs - cached))
    return Tokens(input=inputs, output=draw(st.integers(0, 500)), cached=cached, cache_write=written)


PRICE = Price(
    input=3_000_000,
    output=15_000_000,
    cached_input=300_000,
    long_prompts=LongPrompts(above=ABOVE, price=Price(input=6_000_000, output=22_000_000, cached_input=600_000)),
)


def test_at_the_threshold_the_base_price_and_beyond_it_the_other_for_all_tokens() -> None:
    assert cost(PRICE, Tokens(input=ABOVE, output=10)) == ABOVE * 3 + 10 * 15
    assert cost(PRICE, Tokens(input=ABOVE + 1, output=10)) == (ABOVE + 1) * 6 + 10 * 22


def test_cached_tokens_make_a_prompt_long() -> None:
    assert cost(PRICE, Tokens(input=ABOVE + 1, output=0, cached=ABOVE)) == -(-(6 * 10**6 + ABOVE * 600_000) // 10**6)


def test_of_a_sum_no_prompt_is_taken_as_long() -> None:
    assert cost_of_sum(PRICE, Tokens(input=5 * ABOVE, output=10)) == 5 * ABOVE * 3 + 10 * 15


@given(prices(), tokens(), st.integers(0, 2 * ABOVE), st.integers(0, 100))
def test_more_tokens_never_cost_less(price: Price, some: Tokens, inputs: int, outputs: int) -> None:
    more = replace(some, input=some.input + inputs, output=some.output + outputs)
    assert cost(price, some) <= cost(price, more)


@given(prices(), tokens(), st.integers(0, 2 * ABOVE), st.booleans())
def test_what_fits_the_body_costs_no_more_than_was_reserved(price: Price, some: Tokens, rest: int, text: bool) -> None:
    rung = Rung(price=price, max_output_tokens=500, context_window=None, generates=True, text=text)
    ask = Ask(body_bytes=some.input + rest, output_limit=None)
    reserved = reservation(ask, bounds((rung,), None))
    assert cost(price, some) <= uncounted(rung, inputs=some.input, outputs=some.output) <= reserved
