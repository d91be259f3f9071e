"""What the production hour saves at declared prices, booked by the budget server's code; the documentation has it."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from documents import ROOT
from fairlead.budget.price import USD, Price, Tokens, cost
from fairlead.cli import main
from fairlead.demo import bill, ledger
from fairlead.demo.replay import ROUTES
from fairlead.demo.scene import source
from fairlead.demo.trace import Service, hour

NOW_MS = 1_795_000_000_000
MODELS = {Service.CONVERSATION: "open-chat", Service.CODE: "open-code"}
LEAST, MOST = 58, 97
"""Percent: what routing to cheaper models is known to save."""


@pytest.fixture(scope="module")
def booked() -> list[dict[str, Any]]:
    return asyncio.run(ledger.savings(hour(), ledger.rules(source()), now_ms=NOW_MS))


def _prices() -> dict[str, Price]:
    declared = bill.prices(yaml.safe_load_all((ROOT / "examples/demo/resources/providers.yaml").read_text()))
    return {
        model: Price(input=one.input, output=one.output, cached_input=one.cached)
        for (provider, model), one in declared.items()
        if provider == "cloud"
    }


@pytest.mark.parametrize("service", list(Service))
def test_the_ledger_says_what_the_prices_do(booked: list[dict[str, Any]], service: Service) -> None:
    prices = _prices()
    tokens = [Tokens(input=one.prompt_tokens, output=one.completion_tokens) for one in hour() if one.service is service]
    (one,) = [found for found in booked if found["route"] == f"team-web/{ROUTES[service]}"]
    for name, model in (("spentUSD", MODELS[service]), ("baselineUSD", "premium")):
        assert Decimal(one[name]) * USD == sum(cost(prices[model], each) for each in tokens), name
    assert Decimal(one["savedUSD"]) == Decimal(one["baselineUSD"]) - Decimal(one["spentUSD"])
    assert float(one["estimatedUSD"]) == 0, "every request of the trace has its count"
    assert LEAST <= ledger.share(one) <= MOST


def test_the_documentation_has_what_the_command_prints(booked: list[dict[str, Any]]) -> None:
    text = (ROOT / "docs/money.md").read_text()
    for line in ledger.lines(booked, len(hour())):
        assert line.partition(", since")[0] in text
    for one in booked:
        assert f"{round(ledger.share(one))} %" in text


def test_what_is_estimated_is_marked() -> None:
    first, second = hour()[:2]
    told = ledger.words(0, first), ledger.words(1, second)
    uncounted = told[1].rpartition(" ; ")[0] + " ; -"

    async def book() -> list[dict[str, Any]]:
        return await ledger.booked([told[0], uncounted], ledger.rules(source()), now_ms=NOW_MS)

    found = asyncio.run(book())
    assert "of it estimated" in "\n".join(ledger.lines(found, 2))


def test_the_command_needs_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = hour()
    short = [one for service in Service for one in [each for each in trace if each.service is service][:25]]
    monkeypatch.setattr("fairlead.demo.trace.hour", lambda: short)
    result = CliRunner().invoke(main, ["demo", "--hour"])
    assert result.exit_code == 0, result.output
    assert result.output.startswith("50 requests of a production hour")
    assert result.output.count("% saved") == 2
