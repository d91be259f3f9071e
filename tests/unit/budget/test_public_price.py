import pytest

from fairlead.budget.public_price import PublicPrice, declarable, differences, dollars

USD = 1_000_000_000


@pytest.mark.parametrize(
    ("nano", "text"),
    [(0, "0"), (USD, "1.00"), (2_500_000_000, "2.50"), (75_000_000, "0.075"), (1, "0.000000001"), (12 * USD, "12.00")],
)
def test_dollars_are_written_as_resources_write_them(nano: int, text: str) -> None:
    assert dollars(nano) == text


def test_a_cached_token_that_is_dearer_than_a_fresh_one_is_not_declared() -> None:
    price = PublicPrice(input=USD, output=2 * USD, cached_input=3 * USD, audio_output=4 * USD)
    assert declarable(price) == {"input": "1.00", "output": "2.00", "audioOutput": "4.00"}


def test_differences_are_of_what_both_name() -> None:
    public = PublicPrice(input=2 * USD, output=8 * USD, cache_write=USD, audio_input=0)
    declared = {"input": 2_500_000_000, "output": 6 * USD, "cachedInput": USD, "audioInput": USD}
    assert list(differences(declared, public)) == [
        ("input", "got `2.50`, 25% more than in public (`2.00`)"),
        ("output", "got `6.00`, 25% less than in public (`8.00`)"),
        ("audioInput", "got `1.00`, while it is free in public (`0`)"),
    ]


def test_the_same_prices_do_not_differ() -> None:
    public = PublicPrice(input=2 * USD, output=8 * USD)
    assert list(differences({"input": 2 * USD, "output": 8 * USD, "cachedInput": USD}, public)) == []
