"""What the installed list says of models whose prices are a matter of record."""

from datetime import UTC, datetime

import pytest

from fairlead.adapters.public_prices import GenaiPrices

LIST = GenaiPrices(datetime(2026, 11, 29, tzinfo=UTC))
OPENAI = "https://api.openai.com/v1"


def test_its_edition_names_package_and_date() -> None:
    assert LIST.edition.startswith("genai-prices 0.")
    assert ", newest price of 202" in LIST.edition


def test_a_date_that_is_still_to_come_is_not_its_own() -> None:
    assert "newest price of 20" not in GenaiPrices(datetime(1990, 1, 1, tzinfo=UTC)).edition


def test_a_price_is_per_million_tokens_in_nano_dollars() -> None:
    price = LIST.of(OPENAI, "gpt-4o")
    assert price is not None
    assert (price.input, price.output, price.cached_input) == (2_500_000_000, 10_000_000_000, 1_250_000_000)
    assert price.context_window == 128_000
    assert not price.tiered


def test_vectors_have_no_price_for_output() -> None:
    price = LIST.of(OPENAI, "text-embedding-3-small")
    assert price is not None
    assert (price.input, price.output) == (20_000_000, None)


@pytest.mark.parametrize("model", ["whisper-1", "nobody-knows-it", "", "gpt-4o\n", "日本"])
def test_what_has_no_price_by_the_token_has_none(model: str) -> None:
    assert LIST.of(OPENAI, model) is None


def test_the_address_says_whose_price_it_is() -> None:
    assert LIST.of("https://openrouter.ai/api/v1", "openai/gpt-4o") is not None
    assert LIST.of("http://127.0.0.1:11434/v1", "gpt-4o") is None
    assert LIST.of("http://127.0.0.1:11434/v1", "gpt-4o", maker="openai") == LIST.of(OPENAI, "gpt-4o")


def test_the_lowest_of_several_tiers_counts_and_is_marked() -> None:
    price = LIST.of("https://generativelanguage.googleapis.com", "gemini-2.5-pro")
    assert price is not None
    assert price.tiered
    assert price.input == 1_250_000_000
