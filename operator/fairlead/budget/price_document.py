"""A price, as the budget server's configuration and the status of a `fairlead up` have it."""

from dataclasses import replace
from typing import Any

from fairlead.budget.configuration_document import TargetDocument, TokensDocument
from fairlead.budget.price import LongPrompts, Price


def price_document(price: Price) -> dict[str, Any]:
    """Write a price, in nano-dollars; what the catalogue does not name is not there."""
    units = {
        "image": price.image,
        "minute": price.minute,
        "millionCharacters": price.million_characters,
        "thousandSearches": price.thousand_searches,
    }
    longer = price.long_prompts
    return {
        **_tokens_document(price),
        **{name: one for name, one in units.items() if one is not None},
        # Without one not there: servers of a version before read on as long as no model has one.
        **({} if longer is None else {"longPrompts": {"aboveTokens": longer.above, **_tokens_document(longer.price)}}),
    }


def _tokens_document(price: Price) -> dict[str, int]:
    named = {
        "cacheWrite": price.cache_write,
        "cacheWrite1h": price.cache_write_1h,
        "audioInput": price.audio_input,
        "audioOutput": price.audio_output,
        "imageInput": price.image_input,
    }
    return {
        "input": price.input,
        "output": price.output,
        "cachedInput": price.cached_input,
        **{name: one for name, one in named.items() if one is not None},
    }


def price_in(target: TargetDocument) -> Price:
    """Read the price of a target."""
    base, longer = _of_tokens(target, target), target.long_prompts
    if longer is None:
        return base
    return replace(base, long_prompts=LongPrompts(above=longer.above_tokens, price=_of_tokens(longer, target)))


def _of_tokens(tokens: TokensDocument, target: TargetDocument) -> Price:
    return Price(
        input=tokens.input,
        output=tokens.output,
        cached_input=tokens.cached_input,
        cache_write=tokens.cache_write,
        cache_write_1h=tokens.cache_write_1h,
        audio_input=tokens.audio_input,
        audio_output=tokens.audio_output,
        image_input=tokens.image_input,
        image=target.image,
        minute=target.minute,
        million_characters=target.million_characters,
        thousand_searches=target.thousand_searches,
        known=target.known,
    )
