"""Prices and sums; every figure worked out by hand."""

import json
from collections import Counter
from typing import Any

from fairlead.demo.bill import Bill, Line, Price, Tokens, dollars, exact, prices, read_log, table

CHEAP = Price(input=180_000_000, cached=20_000_000, output=250_000_000)
PREMIUM = Price(input=2_500_000_000, cached=1_250_000_000, output=10_000_000_000)
LINE = Line(region="us-east-1", provider="cloud", model="open/chat")


def entry(**change: Any) -> str:
    line = {
        "kind": "request",
        "route": "team-web/a",
        "status": 200,
        "region": "us-east-1",
        "prompt_tokens": 10,
        "latency_ms": 7,
    }
    line |= {"target": "cloud/us/open/chat", "cached_tokens": 4, "completion_tokens": 3}
    return json.dumps(line | change)


def test_a_price_knows_the_cache() -> None:
    million = Tokens(requests=1, prompt=2_000_000, cached=1_000_000, completion=1_000_000)
    assert CHEAP.of(million) == 180_000_000 + 20_000_000 + 250_000_000


def test_a_price_rounds_down_to_a_nanodollar() -> None:
    assert Price(input=1, cached=1, output=1).of(Tokens(prompt=999_999)) == 0


def test_read_log_counts_answered_requests_of_the_routes() -> None:
    lines = [
        entry(),
        entry(cached_tokens=None),
        entry(kind="attempt"),
        entry(status=429),
        entry(route="team-web/other"),
        entry(region="eu-west-1"),
    ]
    bill = read_log(lines, frozenset({"team-web/a"}))
    assert bill.lines[LINE] == Tokens(requests=2, prompt=20, cached=4, completion=6)
    assert bill.total() == Tokens(requests=3, prompt=30, cached=8, completion=9)
    assert bill.took_ms[LINE] == {7.0: 2}


def test_bills_of_gateways_add_up() -> None:
    bill = Bill()
    for latency_ms in (7, 9):
        bill.add(read_log([entry(latency_ms=latency_ms)], frozenset({"team-web/a"})))
    assert bill.lines == {LINE: Tokens(requests=2, prompt=20, cached=8, completion=6)}
    assert bill.took_ms == {LINE: {7.0: 1, 9.0: 1}}


def test_prices_of_the_resources() -> None:
    models = [
        {"name": "a", "usdPerMillionTokens": {"input": "0.18", "output": "0.25", "cachedInput": "0.02"}},
        {"name": "vectors", "usdPerMillionTokens": {"input": "0.02"}},
    ]
    documents = [
        {"kind": "Secret", "metadata": {"name": "x"}},
        {"kind": "ModelProvider", "metadata": {"name": "cloud"}, "spec": {"models": models}},
    ]
    vectors = Price(input=20_000_000, cached=20_000_000, output=0)
    assert prices(documents) == {("cloud", "a"): CHEAP, ("cloud", "vectors"): vectors}


def test_table_sums_up() -> None:
    other = Line(region="eu-west-1", provider="cloud", model="open/chat")
    tokens = Tokens(requests=1, prompt=1_000_000, completion=1_000_000)
    took = {LINE: Counter({10.0: 99, 5000.0: 1}), other: Counter({20.0: 1})}
    rows = table(Bill(lines={LINE: tokens, other: tokens}, took_ms=took), {("cloud", "open/chat"): CHEAP}, PREMIUM)
    assert [row.split()[0] for row in rows] == ["region", "eu-west-1", "us-east-1", "total"]
    assert rows[-1].split()[-6:] == ["10", "ms", "20", "ms", "$0.8600", "$25.0000"]
    assert rows[2].split()[-6:-2] == ["10", "ms", "10", "ms"], "one of a hundred took longer"
    assert len({len(row) for row in rows}) == 1


def test_dollars() -> None:
    assert dollars(1_234_567_800_000) == "$1,234.5678"


def test_exact_dollars_have_all_digits_and_at_least_cents() -> None:
    assert [exact(each) for each in (0, 1, 100_000_000, 997_248_750, 1_234_000_000_000)] == [
        "$0.00",
        "$0.000000001",
        "$0.10",
        "$0.99724875",
        "$1,234.00",
    ]
