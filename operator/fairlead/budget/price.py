"""Tokens, and other units, to nano-dollars.

The one rounding rule of Fairlead: a request costs the exact sum of its tokens times their prices, rounded **up** to a
whole nano-dollar, once. A price with at most three decimals per million tokens (`0.18`, `1.375`) is a whole number of
nano-dollars per token, so nothing is rounded at all.
"""

from dataclasses import dataclass, fields, replace

from fairlead.budget.unit import PER, Unit

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
    cache_write: int | None = None
    """Input tokens that the provider put into its cache; None: the catalogue names no price."""
    cache_write_1h: int | None = None
    """The same for a cache that holds for an hour; None: as `cache_write`."""
    audio_input: int | None = None
    """Input tokens that are audio; None: the catalogue names no price."""
    audio_output: int | None = None
    """Output tokens that are audio; None: the catalogue names no price."""
    image_input: int | None = None
    """Input tokens that are images; None: the catalogue names no price."""
    image: int | None = None
    """An image; None: the catalogue names no price by images."""
    minute: int | None = None
    """A minute of audio that is transcribed."""
    million_characters: int | None = None
    """A million characters that are spoken."""
    thousand_searches: int | None = None
    """A thousand searches."""
    known: bool = True
    """False: the catalogue names no price at all. All of it is 0 then, and nothing is free by that."""
    long_prompts: "LongPrompts | None" = None
    """What all tokens of a request cost instead whose prompt is long; None: the same."""

    def at(self, prompt: int) -> "Price":
        """Return the price of a request with so many tokens in its prompt, cached and written ones among them."""
        longer = self.long_prompts
        return self if longer is None or prompt <= longer.above else longer.price

    @property
    def highest(self) -> "Price":
        """The price of the longest prompts."""
        return self if self.long_prompts is None else self.long_prompts.price

    def of(self, unit: Unit) -> int | None:
        """Return what `PER` of a unit cost; None: nothing by that unit."""
        return {
            Unit.IMAGE: self.image,
            Unit.MILLISECOND: self.minute,
            Unit.CHARACTER: self.million_characters,
            Unit.SEARCH: self.thousand_searches,
        }[unit]

    @property
    def by_tokens(self) -> bool:
        """Whether tokens cost anything."""
        named = (self.cache_write, self.cache_write_1h, self.audio_input, self.audio_output, self.image_input)
        return self.long_prompts is not None or any((self.input, self.output, self.cached_input, *named))

    @property
    def by_units(self) -> bool:
        """Whether other units than tokens have a price."""
        return any(self.of(unit) is not None for unit in Unit)

    @property
    def is_free(self) -> bool:
        """Whether nothing costs anything, as the catalogue says."""
        if self.input or self.output:  # nearly all: this is asked of each report
            return False
        return self.known and not any(getattr(self, field.name) for field in fields(self) if field.name != "known")

    @property
    def written(self) -> int:
        """What a cache write costs: as fresh input where no price is named."""
        return self.input if self.cache_write is None else self.cache_write

    @property
    def written_1h(self) -> int:
        """What a write into the hour's cache costs: as any cache write where no price is named."""
        return self.written if self.cache_write_1h is None else self.cache_write_1h

    @property
    def heard(self) -> int:
        """What audio costs that comes in: as text where no price is named."""
        return self.input if self.audio_input is None else self.audio_input

    @property
    def spoken(self) -> int:
        """What audio costs that goes out: as text where no price is named."""
        return self.output if self.audio_output is None else self.audio_output

    @property
    def seen(self) -> int:
        """What images cost that come in: as text where no price is named."""
        return self.input if self.image_input is None else self.image_input


@dataclass(frozen=True, slots=True, kw_only=True)
class LongPrompts:
    """The price of requests with more than so many tokens in their prompt: of all their tokens, not of those beyond.

    So Anthropic and Google bill (https://docs.claude.com/en/docs/about-claude/pricing,
    https://ai.google.dev/gemini-api/docs/pricing). No part of it is lower than the price of shorter prompts.
    """

    above: int
    """In tokens; a prompt of just as many is not long."""
    price: Price
    """Complete, units of other kinds included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What a provider counted for one request."""

    input: int
    """All input tokens, the cached ones included."""
    output: int
    cached: int = 0
    """How many of the input tokens came from the provider's cache."""
    cache_write: int = 0
    """How many of the input tokens went into it, for five minutes or so."""
    cache_write_1h: int = 0
    """How many of the input tokens went into it for an hour."""
    audio_input: int = 0
    """How many of the input tokens are audio."""
    audio_output: int = 0
    """How many of the output tokens are audio."""
    image_input: int = 0
    """How many of the input tokens are images."""


FREE = Price(input=0, output=0, cached_input=0)
UNKNOWN = replace(FREE, known=False)
"""Of a model without a price: its tokens are counted, and book nothing."""


NO_TOKENS = Tokens(input=0, output=0)


def cost(price: Price, tokens: Tokens, unit: Unit | None = None, count: int = 0) -> int:
    """Return nano-dollars of a request's tokens, and of so many of a unit, rounded up once; no count is negative.

    Parts that are more than the whole count as all of it: the dearer kinds first, what came from the cache last.
    """
    return cost_of_sum(price.at(tokens.input), tokens, unit, count)


def cost_of_sum(price: Price, tokens: Tokens, unit: Unit | None = None, count: int = 0) -> int:
    """Return the same of tokens of many requests: how long each prompt was is not known, so none is taken as long."""
    inputs, outputs = max(0, tokens.input), max(0, tokens.output)
    total = 0
    for part, each in (
        (tokens.audio_input, price.heard),
        (0 if price.image_input is None else tokens.image_input, price.seen),  # as text they may be cached
        (tokens.cache_write_1h, price.written_1h),
        (tokens.cache_write, price.written),
        (tokens.cached, price.cached_input),
    ):
        taken = min(max(0, part), inputs)
        inputs -= taken
        total += taken * each
    audio = min(max(0, tokens.audio_output), outputs)
    total += inputs * price.input + audio * price.spoken + (outputs - audio) * price.output
    return whole(total) if unit is None else with_units(total, price.of(unit) or 0, unit, count)


def with_units(millionths: int, each: int, unit: Unit, count: int) -> int:
    """Return millionths of a nano-dollar, and so many of a unit at a price, in nano-dollars, rounded up once."""
    per = PER[unit]
    return -(-(millionths * per + max(0, count) * each * _MILLION) // (per * _MILLION))


def unpriced(price: Price, tokens: Tokens, *, text: bool = True) -> tuple[str, ...]:
    """Name the kinds of tokens that were counted and have no price of their own, by their fields in the catalogue.

    To a model of `text`, images cost as text does everywhere, so that they need no price.
    """
    price = price.at(tokens.input)
    if not price.known:
        return tuple(name for name, count in (("input", tokens.input), ("output", tokens.output)) if count > 0)
    named = {
        "cacheWrite": price.cache_write is None and tokens.cache_write + tokens.cache_write_1h > 0,
        "audioInput": price.audio_input is None and tokens.audio_input > 0,
        "audioOutput": price.audio_output is None and tokens.audio_output > 0,
        "imageInput": price.image_input is None and tokens.image_input > 0 and not text,
    }
    return tuple(name for name, lacking in named.items() if lacking)


def whole(millionths: int) -> int:
    """Return millionths of a nano-dollar (tokens times the price of a million) in nano-dollars, rounded up."""
    return -(-millionths // _MILLION)


def decimal(nanodollars: int) -> str:
    """Write dollars for people: all digits that there are, at least two behind the point."""
    dollars, rest = divmod(abs(nanodollars), USD)
    return f"{'-' if nanodollars < 0 else ''}{dollars}.{f'{rest:09d}'.rstrip('0').ljust(2, '0')}"
