"""What targets cost is read from the status as it was written."""

from typing import Any, cast

from fairlead.budget.price import LongPrompts, Price
from fairlead.budget.price_document import price_document
from fairlead.standalone.status_document import Document
from fairlead.standalone.target_prices import prices_in


def test_prices_of_long_prompts_are_read_as_they_were_written() -> None:
    longer = Price(input=6, output=22, cached_input=1, cache_write=8, audio_input=9)
    price = Price(input=3, output=15, cached_input=1, long_prompts=LongPrompts(above=200_000, price=longer))
    target: Any = {"name": "p/e/m", "price": price_document(price)}
    assert prices_in(cast("Document", {"regions": [{"targets": [target]}]})) == {"p/e/m": price}
