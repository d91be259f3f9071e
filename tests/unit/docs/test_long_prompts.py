"""What docs/money.md says of models that cost more beyond a length of the prompt: one price holds for every length."""

import re
from pathlib import Path

import yaml

from fairlead.api.model import Price as PriceSpec
from fairlead.budget.estimate import Ask, Rung, bounds, reservation
from fairlead.budget.price import Price, Tokens, cost, decimal

PAGE = (Path(__file__).parents[3] / "docs" / "money.md").read_text()
SECTION = PAGE.split("### Long prompts")[1].split("\n### ")[0]
USD = 1_000_000_000
SHORT = Price(input=3 * USD, output=15 * USD, cached_input=3 * USD)
LONG = Price(input=6 * USD, output=45 * USD // 2, cached_input=6 * USD)
THRESHOLD = 200_000


def rung(price: Price) -> Rung:
    return Rung(price=price, max_output_tokens=2_000, context_window=1_000_000, generates=True)


def reserved(price: Price, body_bytes: int) -> int:
    return reservation(Ask(body_bytes=body_bytes, output_limit=None), bounds((rung(price),), None))


def test_a_long_prompt_is_booked_at_the_one_price() -> None:
    tokens = Tokens(input=400_000, output=2_000)
    found = re.search(r"are booked as \$([0-9.]+) and billed as \$([0-9.]+)\.", SECTION)
    assert found is not None
    assert found.groups() == (decimal(cost(SHORT, tokens)), decimal(cost(LONG, tokens)))
    assert reserved(SHORT, 400_000) < cost(LONG, tokens), "nor is it reserved"


def test_with_the_higher_price_nothing_is_booked_too_low() -> None:
    for inputs in (1, THRESHOLD, THRESHOLD + 1, 400_000):
        tokens = Tokens(input=inputs, output=2_000)
        billed = cost(LONG if inputs > THRESHOLD else SHORT, tokens)
        assert billed <= cost(LONG, tokens) <= reserved(LONG, inputs)


def test_a_body_of_the_threshold_has_no_longer_prompt() -> None:
    tokens = Tokens(input=THRESHOLD, output=2_000)
    assert reserved(SHORT, THRESHOLD) == cost(SHORT, tokens)


def test_the_example_sends_all_text_that_can_pass_the_threshold_to_the_higher_price() -> None:
    (written,) = re.findall(r"```yaml\n(.*?)```", SECTION, re.DOTALL)
    provider, route, _ = yaml.safe_load_all(written)
    short, long = provider["spec"]["models"]
    assert long["id"] == short["name"]
    for model, price in ((short, SHORT), (long, LONG)):
        spec = PriceSpec.model_validate(model["usdPerMillionTokens"])
        assert float(spec.input) * USD == price.input
        assert float(spec.output or "0") * USD == price.output
    assert route["spec"]["rules"][0]["when"]["promptTokens"]["atLeast"] * 4 <= THRESHOLD, "four bytes for a token"
