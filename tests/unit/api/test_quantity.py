from collections.abc import Callable

import pytest

from fairlead.api import quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0s", 0),
        ("250ms", 250),
        ("8s", 8_000),
        ("1h30m", 5_400_000),
        ("1h1m1s1ms", 3_661_001),
        ("99999h", 359_996_400_000),
        ("5m5m", 600_000),  # the same unit twice is allowed by GEP-2257
    ],
)
def test_milliseconds(text: str, value: int) -> None:
    assert quantity.milliseconds(text) == value


@pytest.mark.parametrize(
    ("text", "value"), [("0%", 0), ("0.01%", 1), ("0.5%", 50), ("5%", 500), ("5.25%", 525), ("9999%", 999_900)]
)
def test_basis_points(text: str, value: int) -> None:
    assert quantity.basis_points(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("0.000000001", 1),
        ("0.18", 180_000_000),
        ("2000", 2_000_000_000_000),
        ("999999999.999999999", 999_999_999_999_999_999),  # no float on the way: it would end in ...000
    ],
)
def test_nanodollars(text: str, value: int) -> None:
    assert quantity.nanodollars(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T01:00:00+01:00", 0),
        ("2026-12-31T23:59:59Z", 1_798_761_599),
        ("2026-12-31T23:59:59.999Z", 1_798_761_599),  # rounded down: a key never outlives what is written
        ("1969-12-31T23:59:59.5Z", -1),
    ],
)
def test_unix_seconds(text: str, value: int) -> None:
    assert quantity.unix_seconds(text) == value


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (quantity.milliseconds, ""),
        (quantity.milliseconds, "8"),
        (quantity.milliseconds, "1d"),
        (quantity.milliseconds, "-1s"),
        (quantity.milliseconds, "1s "),
        (quantity.basis_points, "5"),
        (quantity.basis_points, "%"),
        (quantity.basis_points, "5.%"),
        (quantity.basis_points, "0.125%"),
        (quantity.basis_points, "-5%"),
        (quantity.nanodollars, "1,5"),
        (quantity.nanodollars, "1.5e3"),
        (quantity.nanodollars, ".5"),
        (quantity.nanodollars, "0.0000000001"),
        (quantity.nanodollars, "٣"),  # a digit, but not ASCII
        (quantity.nanodollars, "1.٣"),
        (quantity.unix_seconds, "2026-12-31"),
        (quantity.unix_seconds, "2026-12-31T23:59:59"),
        (quantity.unix_seconds, "2026-02-30T00:00:00Z"),
    ],
)
def test_another_form_is_a_bug_of_the_caller(read: Callable[[str], int], text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        read(text)
