"""The table of estimates in docs/money.md: never below what the provider bills, never above the reservation."""

import re
from pathlib import Path

import pytest

from fairlead.budget.attempt import TOKENS_PER_SECOND, UNNOTICED_MS
from fairlead.budget.estimate import Ask, Rung, bounds, reservation
from fairlead.budget.price import Price, Tokens, cost
from fairlead.budgetserver import descriptor
from fairlead.budgetserver.answer import exact
from fairlead.budgetserver.charge import charge

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "money.md").read_text()
PREMIUM = Rung(
    price=Price(input=2_500_000_000, output=10_000_000_000, cached_input=1_250_000_000),
    max_output_tokens=16_384,
    context_window=128_000,
    generates=True,
)
BODY_BYTES, INPUT, LIMIT = 1_710, 399, 16_000
LEFT, STALLED = "DC", "SI"
ASK = Ask(body_bytes=BODY_BYTES, output_limit=LIMIT)
RESERVED = reservation(ASK, bounds([PREMIUM], None))


def report(
    *, stream: bool, sent: int, ms: int, flags: str = "-", status: int = 200, usage: str = "-"
) -> descriptor.Report:
    known = f"t/a r chat {BODY_BYTES} t/chat r p/e/m {str(stream).lower()} {status} {flags} 1 {sent} g"
    return descriptor.report(f"{known} 900 {ms} 1,0,p/e/m - - ; {LIMIT} 1 ; {usage}")


def stream(sent: int, ms: int, flags: str = LEFT, usage: str = "-") -> descriptor.Report:
    return report(stream=True, sent=sent, ms=ms, flags=flags, usage=usage)


def whole(sent: int, ms: int, usage: str = "-") -> descriptor.Report:
    return report(stream=False, sent=sent, ms=ms, usage=usage)


CASES = [
    ("the client left a non-streamed", 16_000, report(stream=False, sent=0, ms=2_000, flags=LEFT, status=0)),
    ("the client left a stream after 2 s", 100, stream(19_000, 2_000)),
    ("the client left a stream after 0.5 s", 200, stream(1_400, 500)),
    ("the client left a stream after 3 s", 1_500, stream(0, 3_000)),
    ("a stream stalled", 10, stream(1_900, 60_000, STALLED)),
    ("a stream ended", 100, stream(19_000, 2_000, "-")),
    ("an answer of 1,200 bytes", 300, whole(1_200, 1_000)),
    ("an answer of 1,200 bytes", 300, whole(1_200, 1_000, "1 0 0 0 0 0 0 0")),
    ("the same of 300 tokens", 3_300, whole(1_200, 1_000)),
    ("only the output was counted", 300, whole(1_200, 1_000, "2 - 300 0 0 0 0 0")),
    ("only the input was counted", 20, stream(3_800, 1_000, usage="2 399 - 0 0 0 0 0")),
    ("a total below its parts", 300, whole(1_200, 1_000, "3 399 300 0 0 0 0 0")),
]


def row(start: str) -> list[str]:
    """The two amounts at the end of a row."""
    (found,) = re.findall(rf"^\| {re.escape(start)}[^|]*\| (\$[0-9.]+) \| (\$[0-9.]+) \|$", PAGE, re.MULTILINE)
    return list(found)


@pytest.mark.parametrize(("start", "outputs", "ended"), CASES, ids=[case[0] for case in CASES])
def test_an_estimate_lies_between_the_truth_and_the_reservation(
    start: str, outputs: int, ended: descriptor.Report
) -> None:
    truth = cost(PREMIUM.price, Tokens(input=INPUT, output=outputs))
    booked = charge(ended, PREMIUM)
    assert booked.estimated
    assert truth <= booked.cost <= RESERVED
    assert row(start) == [f"${exact(truth)}", f"${exact(booked.cost)}"]


def test_what_the_page_says_of_its_example() -> None:
    assert f"a reservation of ${exact(RESERVED)}:" in PAGE
    assert f"{TOKENS_PER_SECOND:,} tokens a second" in PAGE
    assert f"goes on for {UNNOTICED_MS / 1000:g} s" in PAGE


@pytest.mark.parametrize("status", [429, 503])
def test_a_refusal_is_free(status: int) -> None:
    assert row("the provider refused") == ["$0", "$0"]
    assert charge(report(stream=False, sent=90, ms=60_000, status=status), PREMIUM).cost == 0


def test_below_the_truth_is_only_what_the_page_names() -> None:
    """Where each byte is a token, in a request or in an answer, an estimate is less than the bill."""
    ended = stream(3_000, 500)
    dense = cost(PREMIUM.price, Tokens(input=BODY_BYTES, output=3_000))
    assert charge(ended, PREMIUM).cost == cost(PREMIUM.price, Tokens(input=BODY_BYTES // 2, output=3_000)) < dense
    longer = stream(9_000, 500)
    assert charge(longer, PREMIUM).cost < cost(PREMIUM.price, Tokens(input=INPUT, output=9_000)), "half a token each"
    assert "only for text that takes more than half a token for each byte" in PAGE
