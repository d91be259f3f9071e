"""The bill of the production hour, by the way that it goes: as its files declare, as the budget server would book."""

import asyncio
from collections import Counter
from decimal import Decimal
from functools import cache

import pytest
import yaml

from documents import ROOT
from fairlead.budget.price import USD, Price, Tokens, cost
from fairlead.demo import bill, ledger, ways
from fairlead.demo.scene import source
from fairlead.demo.trace import hour

NOW_MS = 1_795_000_000_000
SHORT = 2000
"""Tokens: `below` of the rule in `examples/demo/hour/routes.yaml`."""
PLAIN, RULES = "cloud/premium", "cloud/open-chat"


@pytest.fixture(scope="module")
def found() -> dict[str, ways.Column]:
    return {column.title: column for column in ways.columns(source(), hour())}


@cache
def _price(model: str) -> Price:
    declared = bill.prices(yaml.safe_load_all((ROOT / "examples/demo/resources/providers.yaml").read_text()))
    one = declared["cloud", model]
    return Price(input=one.input, output=one.output, cached_input=one.cached)


def _cost(model: str, **sizes: int) -> int:
    return cost(_price(model), Tokens(input=sizes["prompt"], output=sizes["completion"]))


def test_the_plain_way_is_one_model(found: dict[str, ways.Column]) -> None:
    trace = hour()
    wanted = sum(_cost("premium", prompt=one.prompt_tokens, completion=one.completion_tokens) for one in trace)
    assert found["plain"].nano_usd == wanted
    assert found["plain"].answers == Counter({PLAIN: len(trace)})


def test_rules_lead_what_is_short_to_the_cheap_model(found: dict[str, ways.Column]) -> None:
    trace = hour()
    models = ["open-chat" if one.prompt_tokens < SHORT else "premium" for one in trace]
    wanted = sum(
        _cost(model, prompt=one.prompt_tokens, completion=one.completion_tokens)
        for model, one in zip(models, trace, strict=True)
    )
    assert found["rules"].nano_usd == wanted
    assert found["rules"].answers == Counter(f"cloud/{model}" for model in models)
    assert found["rules"].answers[RULES] > 0


def test_the_budget_server_books_the_same() -> None:
    trace = hour()[:200]
    words = (ledger.words(number, one) for number, one in enumerate(trace))
    reports = [_through(report, "plain", "cloud/us/premium") for report in words]
    configuration = ways.Hour(source()).configuration
    booked = asyncio.run(ledger.booked(reports, configuration, now_ms=NOW_MS))
    (column, _) = ways.columns(source(), trace)[:2]
    assert sum(Decimal(one["spentUSD"]) * USD for one in booked) == column.nano_usd


def _through(report: str, route: str, target: str) -> str:
    words = report.split(" ")
    words[4], words[6] = f"{ledger.NAMESPACE}/{route}", target
    return " ".join(words)


def test_the_documentation_has_the_table(found: dict[str, ways.Column]) -> None:
    text = (ROOT / "docs/money.md").read_text()
    for row in ways.table(tuple(found.values())):
        assert row.rstrip() in text
