"""The bill of the production hour, by the way that it goes: as its files declare, as the budget server would book."""

import asyncio
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from functools import cache

import pytest
import yaml

from documents import ROOT
from fairlead.budget.price import USD, Price, Tokens, cost
from fairlead.demo import bill, ledger, ways
from fairlead.demo.scene import source
from fairlead.demo.trace import Arrival, Service, hour

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


def test_latency_is_what_the_declared_speeds_make_of_the_answers(found: dict[str, ways.Column]) -> None:
    trace = hour()

    def whole_ms(model: str, one: Arrival) -> float:
        first_ms, a_second = {"open-chat": (200, 150), "premium": (600, 60)}[model]
        return first_ms + one.completion_tokens * 1000 / a_second

    assert found["plain"].took_ms == Counter(whole_ms("premium", one) for one in trace)
    models = ["open-chat" if one.prompt_tokens < SHORT else "premium" for one in trace]
    assert found["rules"].took_ms == Counter(map(whole_ms, models, trace))
    assert found["cascade, best"].took_ms == Counter(whole_ms("open-chat", one) for one in trace)
    both = (
        whole_ms("open-chat", one) + (whole_ms("premium", one) if one.service is Service.CODE else 0) for one in trace
    )
    assert found["cascade, worst"].took_ms == Counter(both)
    assert found["cache, best"].took_ms[ways.HIT_MS] == found["cache, best"].answers[ways.CACHE]


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


def test_a_cascade_pays_for_both_models_where_answers_are_rejected(found: dict[str, ways.Column]) -> None:
    trace = hour()
    sizes = [(one, {"prompt": one.prompt_tokens, "completion": one.completion_tokens}) for one in trace]
    cheap = sum(_cost("open-chat", **size) for _, size in sizes)
    dear = sum(_cost("premium", **size) for one, size in sizes if one.service is Service.CODE)
    assert (found["cascade, best"].nano_usd, found["cascade, worst"].nano_usd) == (cheap, cheap + dear)
    streams = sum(one.service is Service.CONVERSATION for one in trace)
    assert found["cascade, best"].answers == Counter({RULES: len(trace)})
    assert found["cascade, worst"].answers == Counter({RULES: streams, PLAIN: len(trace) - streams})


def test_a_cache_answers_what_can_be_a_request_of_before() -> None:
    first = Arrival(at_s=0, service=Service.CODE, prompt_tokens=9, completion_tokens=1)
    again = [replace(first, at_s=at_s) for at_s in (0, 599, 600, 1199)]
    others = [replace(first, prompt_tokens=8), replace(first, service=Service.CONVERSATION)]
    (way,) = (one for one in ways.WAYS if one.repeats)
    column = ways.Hour(source()).column(way, [*others, *again])
    assert column.answers == Counter({PLAIN: 4, ways.CACHE: 2})
    assert column.nano_usd == sum(_cost("premium", prompt=size, completion=1) for size in (8, 9, 9, 9))
