"""Tokens to nano-dollars.

The one rounding rule of Fairlead: a request costs the exact sum of its tokens times their prices, rounded **up** to a
whole nano-dollar, once. A price with at most three decimals per million tokens (`0.18`, `1.375`) is a whole number of
nano-dollars per token, so nothing is rounded at all.
"""

from dataclasses import dataclass

USD = 1_000_000_000
"""Nano-dollars in a dollar."""
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a million tokens cost, in nano-dollars."""

    input: int
    output: int
    cached_input: int
    """Input tokens that the provider found in its cache; the price of `input` where a catalogue names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What a provider counted for one request."""

    input: int
    """All input tokens, the cached ones included."""
    output: int
    cached: int = 0
    """How many of the input tokens came from the provider's cache."""


FREE = Price(input=0, output=0, cached_input=0)


def cost(price: Price, tokens: Tokens) -> int:
    """Return nano-dollars, rounded up. More cached tokens than input tokens count as all of them; none is negative."""
    inputs, outputs = max(0, tokens.input), max(0, tokens.output)
    cached = min(max(0, tokens.cached), inputs)
    return whole((inputs - cached) * price.input + cached * price.cached_input + outputs * price.output)


def whole(millionths: int) -> int:
    """Return millionths of a nano-dollar (tokens times the price of a million) in nano-dollars, rounded up."""
    return -(-millionths // _MILLION)


def decimal(nanodollars: int) -> str:
    """Write dollars for people: all digits that there are, at least two behind the point."""
    dollars, rest = divmod(abs(nanodollars), USD)
    return f"{'-' if nanodollars < 0 else ''}{dollars}.{f'{rest:09d}'.rstrip('0').ljust(2, '0')}"
