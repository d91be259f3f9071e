"""What targets cost, as a `fairlead up` has written it down."""

from collections.abc import Mapping

from fairlead.budget.price import Price
from fairlead.standalone.status_document import Document

_UNITS = frozenset({"image", "minute", "millionCharacters", "thousandSearches"})


def prices_in(document: Document) -> Mapping[str, Price]:
    """Return the prices of all regions' targets by name; a target without a declared price is not there."""
    return {
        target["name"]: Price(
            input=price["input"],
            output=price["output"],
            cached_input=price["cachedInput"],
            cache_write=price.get("cacheWrite"),
            cache_write_1h=price.get("cacheWrite1h"),
            audio_input=price.get("audioInput"),
            audio_output=price.get("audioOutput"),
            image_input=price.get("imageInput"),
            image=price.get("image"),
            minute=price.get("minute"),
            million_characters=price.get("millionCharacters"),
            thousand_searches=price.get("thousandSearches"),
        )
        for region in document["regions"]
        for target in region["targets"]
        # One that says `byUnits` and no more is of the version before: nobody knows what its units cost.
        if (price := target["price"]) is not None and (not price.get("byUnits", False) or _UNITS & price.keys())
    }
