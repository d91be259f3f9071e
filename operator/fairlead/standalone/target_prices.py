"""What targets cost, as a `fairlead up` has written it down."""

from collections.abc import Mapping
from dataclasses import replace

from fairlead.budget.price import LongPrompts, Price
from fairlead.standalone import status_document
from fairlead.standalone.status_document import Document, TokenPrices

_UNITS = frozenset({"image", "minute", "millionCharacters", "thousandSearches"})


def prices_in(document: Document) -> Mapping[str, Price]:
    """Return the prices of all regions' targets by name; a target without a declared price is not there."""
    return {
        target["name"]: _price(price)
        for region in document["regions"]
        for target in region["targets"]
        # One that says `byUnits` and no more is of the version before: nobody knows what its units cost.
        if (price := target["price"]) is not None and (not price.get("byUnits", False) or _UNITS & price.keys())
    }


def _price(written: status_document.Price) -> Price:
    base, longer = _of_tokens(written, written), written.get("longPrompts")
    if longer is None:
        return base
    return replace(base, long_prompts=LongPrompts(above=longer["aboveTokens"], price=_of_tokens(longer, written)))


def _of_tokens(tokens: TokenPrices, written: status_document.Price) -> Price:
    return Price(
        input=tokens["input"],
        output=tokens["output"],
        cached_input=tokens["cachedInput"],
        cache_write=tokens.get("cacheWrite"),
        cache_write_1h=tokens.get("cacheWrite1h"),
        audio_input=tokens.get("audioInput"),
        audio_output=tokens.get("audioOutput"),
        image_input=tokens.get("imageInput"),
        image=written.get("image"),
        minute=written.get("minute"),
        million_characters=written.get("millionCharacters"),
        thousand_searches=written.get("thousandSearches"),
    )
