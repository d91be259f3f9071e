"""Each way in which a request can end has its booking."""

import pytest

from fairlead.budget.estimate import Rung
from fairlead.budget.price import Price
from fairlead.budgetserver.charge import Charge, charge
from fairlead.budgetserver.descriptor import report

RUNG = Rung(
    price=Price(input=1_000_000, output=3_000_000, cached_input=500_000),
    max_output_tokens=None,
    context_window=None,
    generates=True,
)
BASE = {"input": "-1", "output": "-1", "cached": "-1", "status": "-1", "bytes": "100", "stream": "true"}
CASES = [
    (
        {"input": "11", "output": "22", "cached": "4", "status": "1", "http": "200/-/1/90/5"},
        Charge(cost=75, estimated=False),
        "counted",
    ),
    ({"http": "200/-/1/160/5"}, Charge(cost=80, estimated=True), "no usage in the reply"),
    ({"http": "200/DC/1/32/5"}, Charge(cost=56, estimated=True), "the client left in the stream"),
    ({"http": "0/DC/1/0/5"}, Charge(cost=50, estimated=True), "it left before the first byte"),
    ({"http": "200/-/1/160/5", "stream": "false"}, Charge(cost=290, estimated=True), "not a stream: no wrapping"),
    ({"http": "503/URX/3/100/5"}, Charge(cost=0, estimated=False), "everybody failed"),
    ({"http": "429/-/3/100/5"}, Charge(cost=0, estimated=False), "the last provider's 429"),
    ({"http": "0/DC/0/0/5"}, Charge(cost=0, estimated=False), "nobody was asked"),
    (
        {"input": "11", "output": "0", "status": "1", "http": "500/-/1/9/5"},
        Charge(cost=11, estimated=False),
        "a count is a count",
    ),
]


@pytest.mark.parametrize(("changes", "expected", "why"), CASES, ids=[case[-1] for case in CASES])
def test_charge(changes: dict[str, str], expected: Charge, why: str) -> None:
    assert charge(report(BASE | changes), RUNG) == expected, why


def test_without_any_price_nothing_costs() -> None:
    assert charge(report(BASE | {"http": "200/-/1/160/5"}), None) == Charge(cost=0, estimated=False)
