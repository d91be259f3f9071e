"""Each way in which a request can end has its booking."""

from dataclasses import replace

import pytest

from fairlead.budget.belief import Doubt
from fairlead.budget.estimate import Rung
from fairlead.budget.price import Price
from fairlead.budgetserver import descriptor
from fairlead.budgetserver.charge import Charge, charge
from fairlead.budgetserver.descriptor import Report

RUNG = Rung(
    price=Price(input=1_000_000, output=3_000_000, cached_input=500_000),
    max_output_tokens=None,
    context_window=None,
    generates=True,
)
BASE = dict.fromkeys((*descriptor.REPORT, "usage"), "-") | {
    "bytes": "100",
    "stream": "true",
    "flags": "-",
    "attempts": "1",
}


def report(words: dict[str, str]) -> Report:
    counts = {name: words.get(name, "0") for name in descriptor.USAGE[3:]}
    usage = [words["usage"], words["input"], words["output"], *counts.values()] if words["usage"] != "-" else ["-"]
    return descriptor.report(" ".join(words[name] for name in descriptor.REPORT) + f" ; - ; {' '.join(usage)}")


CASES = [
    (
        {"input": "11", "output": "22", "cached": "4", "usage": "1", "status": "200", "attempts": "1", "sent": "90"},
        Charge(cost=75, estimated=False),
        "counted",
    ),
    (
        {"status": "200", "attempts": "1", "sent": "160"},
        Charge(cost=290, estimated=True, doubt=Doubt.ABSENT),
        "no usage in the reply",
    ),
    (
        {"status": "200", "attempts": "1", "sent": "32"},
        Charge(cost=98, estimated=True, doubt=Doubt.ABSENT),
        "the client left in the stream",
    ),
    (
        {"status": "0", "attempts": "1", "sent": "0"},
        Charge(cost=50, estimated=True, doubt=Doubt.ABSENT),
        "it left before the first byte",
    ),
    (
        {"status": "200", "attempts": "1", "sent": "160", "stream": "false"},
        Charge(cost=290, estimated=True, doubt=Doubt.ABSENT),
        "not a stream: the same",
    ),
    ({"status": "503", "attempts": "3", "sent": "100"}, Charge(cost=0, estimated=False), "everybody failed"),
    ({"status": "429", "attempts": "3", "sent": "100"}, Charge(cost=0, estimated=False), "the last provider's 429"),
    ({"status": "0", "attempts": "0", "sent": "0"}, Charge(cost=0, estimated=False), "nobody was asked"),
    (
        {"input": "11", "output": "0", "usage": "1", "status": "500", "attempts": "1", "sent": "9"},
        Charge(cost=11, estimated=False),
        "a count is a count",
    ),
    (
        {"input": "0", "output": "0", "usage": "1", "status": "200", "sent": "160"},
        Charge(cost=290, estimated=True, doubt=Doubt.ZERO),
        "zeros beside text",
    ),
    (
        {"input": "0", "output": "0", "usage": "1", "status": "200", "sent": "160", "stream": "false"},
        Charge(cost=290, estimated=True, doubt=Doubt.ZERO),
        "zeros beside an answer in one piece",
    ),
    (
        {"input": "0", "output": "7", "usage": "1", "status": "200", "sent": "160"},
        Charge(cost=71, estimated=True, doubt=Doubt.ZERO),
        "only the output is counted: the input is estimated",
    ),
    (
        {"input": "0", "output": "0", "usage": "1", "status": "503", "sent": "160"},
        Charge(cost=0, estimated=False),
        "zeros beside a refusal",
    ),
    (
        {"input": "9", "output": "0", "usage": "1", "status": "200", "sent": "160"},
        Charge(cost=9, estimated=False),
        "an answer may end at once",
    ),
]


@pytest.mark.parametrize(("changes", "expected", "why"), CASES, ids=[case[-1] for case in CASES])
def test_charge(changes: dict[str, str], expected: Charge, why: str) -> None:
    assert charge(report(BASE | changes), RUNG) == expected, why


def test_without_any_price_nothing_costs() -> None:
    assert charge(report(BASE | {"status": "200", "attempts": "1", "sent": "160"}), None) == Charge(
        cost=0, estimated=False
    )


def test_what_a_provider_keeps_is_booked_as_a_whole_window_where_nobody_counted_it() -> None:
    words = {**BASE, "status": "200", "sent": "32"}
    found = report(words)._replace(goes_on=True)
    rung = replace(RUNG, context_window=5000)
    assert charge(found, rung) == Charge(cost=5000 + 48, estimated=True, doubt=Doubt.ABSENT)
    assert charge(found, RUNG) == charge(report(words), RUNG), "no rung that keeps answers is without a window"
