"""The public prices that `genai-prices` carries, by the address that a provider is called at."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import genai_prices
from genai_prices.data_snapshot import get_snapshot

from fairlead.budget.price import USD
from fairlead.budget.public_price import PublicPrice

_MOST_NANODOLLARS = 10**9 * USD
"""What a resource can declare is less."""


class GenaiPrices:
    """The list inside the installed package: nothing is fetched. Prices are those that hold `at` a time with a zone."""

    def __init__(self, at: datetime) -> None:
        self._at = at
        self._list = get_snapshot()

    @property
    def edition(self) -> str:
        """Package and version, and the newest date from which one of its prices holds: it bears no date of its own."""
        starts = {
            start
            for provider in self._list.providers
            for model in provider.models
            if isinstance(model.prices, list)
            for price in model.prices
            if (start := getattr(price.constraint, "start_date", None)) is not None and start <= self._at.date()
        }
        newest = f", newest price of {max(starts).isoformat()}" if starts else ""
        return f"genai-prices {genai_prices.__version__}{newest}"

    def of(self, base_url: str, model: str, *, maker: str | None = None) -> PublicPrice | None:
        """Return a model's price; None also where the list has it in a unit other than text tokens alone."""
        try:
            provider = self._list.find_provider(None, None, base_url)
        except LookupError:
            if maker is None:
                return None
            provider = self._list.find_provider(None, maker, None)
        found = provider.find_model(model, all_providers=self._list.providers)
        if found is None or not found.prices:
            return None
        prices = found.get_prices(self._at)
        fresh = _nanodollars(getattr(prices, "input_mtok", None))
        if fresh is None:
            return None
        return PublicPrice(
            input=fresh,
            output=_nanodollars(getattr(prices, "output_mtok", None)),
            cached_input=_nanodollars(getattr(prices, "cache_read_mtok", None)),
            cache_write=_nanodollars(getattr(prices, "cache_write_mtok", None)),
            audio_input=_nanodollars(getattr(prices, "input_audio_mtok", None)),
            audio_output=_nanodollars(getattr(prices, "output_audio_mtok", None)),
            context_window=found.context_window,
            tiered=any(hasattr(getattr(prices, name, None), "tiers") for name in ("input_mtok", "output_mtok")),
        )


def _nanodollars(price: Any) -> int | None:
    """Take a price, of several tiers the first; None for none, and for what no resource can declare."""
    amount = getattr(price, "base", price)
    if not isinstance(amount, Decimal) or not amount.is_finite():
        return None
    nano = int((amount * USD).to_integral_value())
    return nano if 0 <= nano < _MOST_NANODOLLARS else None
