"""What a model costs in public, and how that differs from what is declared. The list itself is an adapter's."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Protocol

from fairlead.budget.price import USD

_PERCENT = 100
_MAKERS = frozenset({"anthropic", "openai"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicPrice:
    """Nano-dollars for a million tokens; None: the list has no price for tokens of that kind."""

    input: int
    output: int | None = None
    """None: the model's output costs nothing by itself, as that of an embedding model."""
    cached_input: int | None = None
    cache_write: int | None = None
    audio_input: int | None = None
    audio_output: int | None = None
    context_window: int | None = None
    """In tokens."""
    tiered: bool = False
    """Whether long prompts cost more than this."""


class PublicPrices(Protocol):
    """A list of public prices."""

    @property
    def edition(self) -> str:
        """Which list of which date, in words."""

    def of(self, base_url: str, model: str, *, maker: str | None = None) -> PublicPrice | None:
        """Return what the provider at a base URL takes for a model by its name on the wire; None: not known.

        `maker` is whose list counts where nobody knows the URL: a company's own gateway, for one.
        """


def maker(provider: str) -> str | None:
    """Return whose list counts for a provider of that name at an address that no list knows; None: nobody's."""
    return provider if provider in _MAKERS else None


PRICES: Mapping[str, str] = {
    "input": "input",
    "output": "output",
    "cached_input": "cachedInput",
    "cache_write": "cacheWrite",
    "audio_input": "audioInput",
    "audio_output": "audioOutput",
}
"""The prices that both sides know, and how a provider's `usdPerMillionTokens` calls them."""


def declarable(price: PublicPrice) -> Mapping[str, str]:
    """Return a `usdPerMillionTokens` of these prices, as resources write it.

    Without `output` where there is none; without a cached token that is dearer than a fresh one, which is refused.
    """
    found = {PRICES[field.name]: getattr(price, field.name) for field in fields(price) if field.name in PRICES}
    if (found["cachedInput"] or 0) > price.input:
        found["cachedInput"] = None
    return {name: dollars(nano) for name, nano in found.items() if nano is not None}


def differences(declared: Mapping[str, int], public: PublicPrice) -> Iterator[tuple[str, str]]:
    """Yield each price that both name and that differs, with how: `input`, `got `2.50`, 25% more than in public`.

    `declared` is nano-dollars by the names of `usdPerMillionTokens`.
    """
    for attribute, name in PRICES.items():
        theirs, ours = getattr(public, attribute), declared.get(name)
        if theirs is not None and ours is not None and theirs != ours:
            yield name, f"got `{dollars(ours)}`, {_relation(ours, theirs)} in public (`{dollars(theirs)}`)"


def written(price: PublicPrice) -> str:
    """Write the prices as a field of YAML: `{input: "2.50", output: "10.00"}`."""
    return "{" + ", ".join(f'{name}: "{value}"' for name, value in declarable(price).items()) + "}"


def _relation(ours: int, theirs: int) -> str:
    if not theirs:
        return "while it is free"
    return f"{_PERCENT * abs(ours - theirs) / theirs:.3g}% {'more' if ours > theirs else 'less'} than"


def dollars(nano: int) -> str:
    """Write nano-dollars as resources do: `2.50`, `0.075`, `0`."""
    whole, fraction = divmod(nano, USD)
    return f"{whole}.{f'{fraction:09d}'.rstrip('0'):0<2}" if nano else "0"
