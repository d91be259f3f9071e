"""A model of a provider's catalogue: what it makes, and what that costs."""

from collections.abc import Collection, Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import Field

from fairlead.api import quantity
from fairlead.api.form import Dollars, ModelId, ModelName, Number
from fairlead.api.protocol import Reasoning
from fairlead.api.resource import Part
from fairlead.api.rule import Rule


class LongPrompts(Part):
    """What all tokens of a request cost whose prompt is long, also those of its answer: nothing less than otherwise."""

    above_tokens: Annotated[int, Number(minimum=1)]
    """Prompts are long that have more tokens, from the provider's cache or not; one of just as many is not."""
    input: Dollars | None = None
    """In place of `input`. What is left out here and below is as it is without a long prompt."""
    output: Dollars | None = None
    """In place of `output`."""
    cached_input: Dollars | None = None
    """In place of `cachedInput`; at most `input`."""
    cache_write: Dollars | None = None
    """In place of `cacheWrite`."""
    cache_write_1h: Dollars | None = Field(default=None, alias="cacheWrite1h")
    """In place of `cacheWrite1h`."""
    audio_input: Dollars | None = None
    """In place of `audioInput`."""
    audio_output: Dollars | None = None
    """In place of `audioOutput`."""
    image_input: Dollars | None = None
    """In place of `imageInput`."""


_AS = {
    "input": ("input",),
    "output": ("output",),
    "cachedInput": ("cachedInput", "input"),
    "cacheWrite": ("cacheWrite", "input"),
    "cacheWrite1h": ("cacheWrite1h", "cacheWrite", "input"),
    "audioInput": ("audioInput", "input"),
    "audioOutput": ("audioOutput", "output"),
    "imageInput": ("imageInput", "input"),
}
"""Prices of tokens, and as what each costs where it is left out, in this order."""


def of_tokens(written: Mapping[str, str], kind: str) -> int:
    """Return nano-dollars for a million tokens of a kind, by what is written of a price; `output` may be left out."""
    return quantity.nanodollars(next((written[name] for name in _AS[kind] if name in written), "0"))


def of_long_prompts(written: Mapping[str, Any]) -> Mapping[str, str]:
    """Return what a price with `longPrompts` says of tokens of long prompts, as if it stood alone."""
    return {name: value for name, value in {**written, **written["longPrompts"]}.items() if name in _AS}


def _too_low(written: Any) -> Iterator[str]:
    if "longPrompts" in written:
        longer = of_long_prompts(written)
        own = [kind for kind in _AS if kind in written["longPrompts"]]  # the others are as these, or as without
        lower = [kind for kind in own if of_tokens(longer, kind) < of_tokens(written, kind)]
        yield from (f"longPrompts.{kind}" for kind in lower)
        if not lower and of_tokens(longer, "cachedInput") > of_tokens(longer, "input"):
            yield "longPrompts.cachedInput"


class Price(Part):
    """Dollars per million tokens, as strings: prices are never floats."""

    input: Dollars
    """A million prompt tokens."""
    output: Dollars | None = None
    """A million completion tokens; needed for a Chat model (`"0"` if output is free)."""
    cached_input: Dollars | None = None
    """A million prompt tokens that the provider read from its cache; at most `input`, by which budgets reserve. Absent:
    the price of `input`."""
    cache_write: Dollars | None = None
    """A million prompt tokens that the provider wrote into its cache, where it charges for that. Absent: as `input`,
    and answers with such tokens count as estimated."""
    cache_write_1h: Dollars | None = Field(default=None, alias="cacheWrite1h")
    """The same for a cache that is kept for an hour. Absent: as `cacheWrite`."""
    audio_input: Dollars | None = None
    """A million prompt tokens of audio. Absent: as `input`, and answers with such tokens count as estimated."""
    audio_output: Dollars | None = None
    """A million completion tokens of audio. Absent: as `output`, and answers with such tokens count as estimated."""
    image_input: Dollars | None = None
    """A million prompt tokens of images. Absent: as `input`, and answers of an `Image` model with such tokens count as
    estimated."""
    long_prompts: LongPrompts | None = None
    """What requests with long prompts cost instead, where the provider takes more for them. Absent: the same."""

    def of_long_prompts(self) -> "Price":
        """Return the price of long prompts as one that stands alone."""
        longer = self.long_prompts
        other = {} if longer is None else {name: one for name, one in longer if one is not None}
        other.pop("above_tokens", None)
        return self.model_copy(update={**other, "long_prompts": None})

    constraints: ClassVar = (
        Rule(
            places=_too_low,
            # Eight prices of two sides, in each entry of each endpoint, are beyond CEL's cost limit.
            cel=None,
            message="got a price of long prompts below the one of shorter prompts, or a cached token dearer than a"
            " fresh one, want no less than without `longPrompts`, raise it, or leave it out",
            reads=(
                "input",
                "output",
                "cachedInput",
                "cacheWrite",
                "cacheWrite1h",
                "audioInput",
                "audioOutput",
                "imageInput",
                "longPrompts",
            ),
        ),
        Rule(
            holds=lambda value: (
                "cachedInput" not in value
                or quantity.nanodollars(value["cachedInput"]) <= quantity.nanodollars(value["input"])
            ),
            cel="!has(self.cachedInput) || double(self.cachedInput) <= double(self.input)",
            message="got a cached token dearer than a fresh one, want at most `input`, lower `cachedInput`",
            reads=("input", "cachedInput"),
            field="cachedInput",
        ),
    )


class ModelType(StrEnum):
    """What a model makes."""

    CHAT = "Chat"
    EMBEDDING = "Embedding"
    IMAGE = "Image"
    AUDIO = "Audio"
    RERANK = "Rerank"
    MODERATION = "Moderation"


WRITING = frozenset({ModelType.CHAT, ModelType.IMAGE, ModelType.AUDIO})
"""Types whose answers are tokens, too, where they are billed by tokens."""
TOKENS = "usdPerMillionTokens"
UNITS = {
    "usdPerImage": ModelType.IMAGE,
    "usdPerMinute": ModelType.AUDIO,
    "usdPerMillionCharacters": ModelType.AUDIO,
    "usdPerThousandSearches": ModelType.RERANK,
}
"""Prices by another unit than tokens, and the type that is billed by it."""


def prices_in(written: Collection[str]) -> frozenset[str]:
    """Return the prices that a model, or an endpoint's entry of it, has."""
    return frozenset(written).intersection((TOKENS, *UNITS))


def foreign_prices(written: Collection[str], type_: ModelType) -> tuple[str, ...]:
    """Return the prices by units that a type is not billed by."""
    return tuple(name for name, owner in UNITS.items() if name in written and owner != type_)


class Pricing(StrEnum):
    """Whether a model's price is declared."""

    DECLARED = "Declared"
    UNKNOWN = "Unknown"


class Model(Part):
    """A model of the provider's catalogue."""

    name: ModelName
    """The name that routes use; unique in the provider."""
    id: ModelId | None = None
    """The model's name on the wire. Absent: `name`."""
    type: ModelType = ModelType.CHAT
    """`Chat`: text, chat and responses. `Embedding`: vectors, which another model's never replace. `Image`: pictures.
    `Audio`: speech and transcriptions. `Rerank`: the order of documents. `Moderation`: whether a text is harmful. A
    fallback is of the same type (`docs/other-endpoints.md`)."""
    usd_per_million_tokens: Price | None = None
    """What the provider takes, in dollars per million tokens; a price is needed unless `pricing: Unknown`. What is free
    says `input: "0"`."""
    usd_per_image: Dollars | None = None
    """What an image costs, of an `Image` model; instead of tokens, or beside them where both are billed."""
    usd_per_minute: Dollars | None = None
    """What a minute of audio costs that an `Audio` model transcribes; with this price alone, that is all it does."""
    usd_per_million_characters: Dollars | None = None
    """What a million characters of text cost that an `Audio` model speaks; with this price alone, that is all it
    does."""
    usd_per_thousand_searches: Dollars | None = None
    """What a thousand searches cost, of a `Rerank` model; one has up to 100 documents (`docs/other-endpoints.md`)."""
    pricing: Pricing = Pricing.DECLARED
    """`Unknown`: nobody knows a price. The model is served, its tokens are counted and book no dollars, and no budget
    bounds what it costs: policies on its routes say so."""
    context_window: Annotated[int, Number(minimum=1)] | None = None
    """Tokens of prompt and answer together. Where nothing else bounds a request's output, budgets reserve this much;
    absent: 4096."""
    max_output_tokens: Annotated[int, Number(minimum=1)] | None = None
    """The most that the model answers in one request, in tokens; bounds what a budget reserves. Absent: unknown."""
    reasoning: Reasoning = Reasoning.LEAVE_OUT
    """How the model is told how much to think, where a request reaches it in other words than it came in
    (`docs/messages.md`, `docs/chat-completions.md`). `LeaveOut`: not at all. `Effort`: `reasoning_effort`; where
    `protocol` is `Anthropic`, `thinking` of type `adaptive` with an `effort`. `Budget`: `thinking` with
    `budget_tokens`, where `protocol` is `Anthropic` or `Bedrock`."""

    @property
    def is_priced(self) -> bool:
        """Whether it has a price."""
        units = (self.usd_per_image, self.usd_per_minute, self.usd_per_million_characters)
        prices = (self.usd_per_million_tokens, *units, self.usd_per_thousand_searches)
        return any(one is not None for one in prices)

    constraints: ClassVar = (
        Rule(
            holds=lambda value: bool(prices_in(value)) == (value["pricing"] == Pricing.DECLARED),
            cel=f"({' || '.join(f'has(self.{name})' for name in (TOKENS, *UNITS))}) == (self.pricing == 'Declared')",
            message="want a price that its type may have, such as `usdPerMillionTokens`, or `pricing: Unknown`, and not"
            " both, write the one or the other",
            reads=(TOKENS, *UNITS, "pricing"),
            field="usdPerMillionTokens",
        ),
        Rule(
            places=lambda value: foreign_prices(value, value["type"]),
            cel=" && ".join(f"(!has(self.{name}) || self.type == '{owner}')" for name, owner in UNITS.items()),
            message="got a price by a unit that models of this type are not billed by, want `usdPerImage` of an Image,"
            " `usdPerMinute` and `usdPerMillionCharacters` of an Audio and `usdPerThousandSearches` of a Rerank model"
            " alone, remove it, or change `type`",
            reads=("type", *UNITS),
        ),
        Rule(
            holds=lambda value: value["type"] not in WRITING or "output" in value.get(TOKENS, {"output": "0"}),
            cel=f"!(self.type in {sorted(map(str, WRITING))}) || !has(self.usdPerMillionTokens)"
            " || has(self.usdPerMillionTokens.output)",
            message="got a price of tokens without one for output, which a model of this type has, want `output`, write"
            ' `output: "0"` if it is free',
            reads=("type", "usdPerMillionTokens"),
            field="usdPerMillionTokens",
        ),
        Rule(
            holds=lambda value: (
                value["type"] in WRITING
                or "usdPerMillionTokens" not in value
                or (
                    quantity.nanodollars(value["usdPerMillionTokens"].get("output", "0")) == 0
                    and "audioOutput" not in value["usdPerMillionTokens"]
                    and not {"output", "audioOutput"} & value["usdPerMillionTokens"].get("longPrompts", {}).keys()
                )
            ),
            cel=f"self.type in {sorted(map(str, WRITING))} || !has(self.usdPerMillionTokens)"
            " || (!has(self.usdPerMillionTokens.audioOutput)"
            " && (!has(self.usdPerMillionTokens.longPrompts) || (!has(self.usdPerMillionTokens.longPrompts.output)"
            " && !has(self.usdPerMillionTokens.longPrompts.audioOutput)))"
            " && (!has(self.usdPerMillionTokens.output) || double(self.usdPerMillionTokens.output) == 0.0))",
            message="got a price for the output of an Embedding, Moderation or Rerank model, which has none, want"
            " neither `output` nor `audioOutput`, remove it",
            reads=("type", "usdPerMillionTokens"),
            field="usdPerMillionTokens",
        ),
    )
