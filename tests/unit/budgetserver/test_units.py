"""What is billed by other units than tokens: reserved, believed, estimated."""

from dataclasses import replace
from typing import Any

import pytest

from fairlead.budget.attempt import Attempt
from fairlead.budget.belief import NOTHING_SAID, Claim, Doubt
from fairlead.budget.estimate import Ask, Rung, bounds, reservation
from fairlead.budget.price import FREE, UNKNOWN, Price
from fairlead.budget.unit import Asked, Unit
from fairlead.budgetserver.charge import NOTHING, Charge, charge
from fairlead.budgetserver.descriptor import Report, check, report

TOKENS = Price(input=5_000_000, output=40_000_000, cached_input=5_000_000)
IMAGES = replace(FREE, image=40_000_000)
BOTH = replace(TOKENS, image=40_000_000)
SPOKEN = replace(FREE, million_characters=15_000_000_001)
HEARD = replace(FREE, minute=6_000_000)
SEARCHED = replace(FREE, thousand_searches=2_000_000_000)
THREE = Asked(unit=Unit.IMAGE, count=3)
COUNTED = Claim(said=True, input=10, output=300, units=3)


def rung(price: Price, *, generates: bool = True) -> Rung:
    return Rung(price=price, max_output_tokens=1000, context_window=None, generates=generates, text=False)


def ended(claim: Claim, asked: Asked = THREE, **fields: Any) -> Report:
    words = "c/a r m 400 c/r held p/e/m false 200 - 1 5000 gw 500 10 - - - - - ; - 1 ; -"
    return report(words)._replace(claim=claim, asked=asked, choices=asked.count, **fields)


@pytest.mark.parametrize(
    ("claim", "price", "expected", "reason"),
    [
        (COUNTED, IMAGES, Charge(cost=120_000_000, estimated=False), "by images alone: tokens cost nothing"),
        (COUNTED, TOKENS, Charge(cost=50 + 12_000, estimated=False), "by tokens alone"),
        (COUNTED, BOTH, Charge(cost=120_012_050, estimated=False), "by both"),
        (
            replace(COUNTED, input=None, output=None),
            IMAGES,
            Charge(cost=120_000_000, estimated=False),
            "no tokens told",
        ),
        (replace(COUNTED, units=2), IMAGES, Charge(cost=80_000_000, estimated=False), "fewer than asked for"),
        (
            replace(COUNTED, units=4),
            IMAGES,
            Charge(cost=120_000_000, estimated=True, doubt=Doubt.TOO_LARGE),
            "more than asked for",
        ),
        (replace(COUNTED, units=0), IMAGES, Charge(cost=120_000_000, estimated=True, doubt=Doubt.ZERO), "none"),
        (NOTHING_SAID, IMAGES, Charge(cost=120_000_000, estimated=True, doubt=Doubt.ABSENT), "nothing said"),
        (
            NOTHING_SAID,
            TOKENS,
            Charge(cost=200 * 5 + 3 * 1000 * 40, estimated=True, doubt=Doubt.ABSENT),
            "half the body, and all that was reserved for output",
        ),
        (COUNTED, FREE, NOTHING, "what is free is not doubted"),
        (
            COUNTED,
            UNKNOWN,
            Charge(cost=0, estimated=True, doubt=Doubt.UNPRICED, unpriced=("image",)),
            "nobody knows a price",
        ),
    ],
)
def test_images(claim: Claim, price: Price, expected: Charge, reason: str) -> None:
    assert charge(ended(claim), rung(price)) == expected, reason


def test_characters_need_nobody_to_count_them_and_are_rounded_up_once() -> None:
    asked = Asked(unit=Unit.CHARACTER, count=1001)
    assert charge(ended(NOTHING_SAID, asked), rung(SPOKEN)) == Charge(cost=15_015_001, estimated=False)


@pytest.mark.parametrize(
    ("documents", "body_bytes", "most", "likely"),
    [(1, 100, 1, 1), (100, 499, 1, 1), (100, 500, 2, 1), (101, 0, 2, 2), (0, 0, 1, 1), (1, 1_000_000, 21, 1)],
)
def test_searches(documents: int, body_bytes: int, most: int, likely: int) -> None:
    asked = Asked(unit=Unit.SEARCH, count=documents)
    assert (asked.most(body_bytes), asked.likely) == (most, likely)
    found = [
        charge(ended(Claim(said=True, units=units), asked, body_bytes=body_bytes), rung(SEARCHED, generates=False))
        for units in (most, most + 1)
    ]
    assert found == [
        Charge(cost=2_000_000 * most, estimated=False),
        Charge(cost=2_000_000 * likely, estimated=True, doubt=Doubt.TOO_LARGE),
    ]


@pytest.mark.parametrize(
    ("claimed", "expected", "reason"),
    [
        (90_001, Charge(cost=9_000_100, estimated=False), "milliseconds, exactly"),
        (600_000, Charge(cost=60_000_000, estimated=False), "50 bytes a second are a format that leaves out silence"),
        (600_001, Charge(cost=1_500_000, estimated=True, doubt=Doubt.TOO_LARGE), "less are none"),
        (None, Charge(cost=1_500_000, estimated=True, doubt=Doubt.ABSENT), "2,000 bytes a second"),
    ],
)
def test_minutes(claimed: int | None, expected: Charge, reason: str) -> None:
    asked = Asked(unit=Unit.MILLISECOND, count=30_000, inputs=1200)
    assert charge(ended(Claim(said=True, units=claimed), asked), rung(HEARD)) == expected, reason
    ask = Ask(body_bytes=31_000, output_limit=None, asked=asked)
    assert reservation(ask, bounds((rung(HEARD),), None)) == 4_000_000, "750 bytes a second"
    assert reservation(ask, bounds((rung(TOKENS),), None)) == 1200 * 5 + 1000 * 40, "what can go in, not the bytes"


@pytest.mark.parametrize(
    ("status", "expected"),
    [(400, NOTHING), (429, NOTHING), (500, Charge(cost=120_000_000, estimated=True, doubt=Doubt.ABSENT))],
)
def test_what_was_refused_costs_nothing(status: int, expected: Charge) -> None:
    last = Attempt(target="p/e/m", status=status, elapsed_ms=10)
    assert charge(ended(NOTHING_SAID, status=status, last=last), rung(IMAGES)) == expected


@pytest.mark.parametrize(
    ("price", "asked", "expected"),
    [
        (IMAGES, THREE, 120_000_000),
        (TOKENS, THREE, 400 * 5 + 3 * 1000 * 40),
        (BOTH, THREE, 120_000_000 + 400 * 5 + 3 * 1000 * 40),
        (SPOKEN, Asked(unit=Unit.CHARACTER, count=10**15), 1_000_000 * 10**9),
    ],
    ids=["images", "tokens", "both", "no request is held for more"],
)
def test_reserved_is_what_it_can_cost_at_most(price: Price, asked: Asked, expected: int) -> None:
    ask = Ask(body_bytes=400, output_limit=None, choices=3 if asked is THREE else 1, asked=asked)
    assert reservation(ask, bounds((rung(price), rung(FREE)), None)) == expected


def test_a_query_is_read_with_each_document() -> None:
    asked = Asked(unit=Unit.SEARCH, count=1000, inputs=100_000)
    ask = Ask(body_bytes=4000, output_limit=None, asked=asked)
    order = rung(replace(FREE, input=20_000_000), generates=False)
    assert reservation(ask, bounds((order,), None)) == 100_000 * 20
    found = charge(ended(NOTHING_SAID, asked, body_bytes=4000), order)
    assert found == Charge(cost=50_000 * 20, estimated=True, doubt=Doubt.ABSENT)


def test_words_of_checks_and_reports() -> None:
    words = "c/a id m 120 c/r {} 3 - false"
    assert check(words.format("i3")).asked == THREE
    assert [check(words.format(word)).asked for word in ("-", "7", "x3", "i", "i-3", "i" + "9" * 16)] == [None] * 6
    assert check(words.format("s900.55")).asked == Asked(unit=Unit.MILLISECOND, count=900, inputs=55)
    told = "c/a r m 400 c/r held p/e/m false 200 - 1 5000 gw 500 10 - - - - - ; i3 3 ; 4 10 300 0 0 0 0 0"
    assert (report(told).asked, report(told).claim.units, report(told).metered) == (THREE, None, False)
    assert report(told + " 3").claim.units == 3
    assert (report(told + " 3 7").claim.units, report(told + " 3 7").claim.image_input) == (3, 7)
    assert (report(told + " - 7").claim.units, report(told + " - 7 later").claim.image_input) == (None, 7)
