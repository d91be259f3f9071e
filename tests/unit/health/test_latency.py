"""An endpoint is slow by the measure of its own last ten minutes."""

import pytest

from fairlead.health.latency import REMEMBERED_MS, Histogram, History, Stretch, is_slow, p95, remembered

MINUTE = 60_000


@pytest.mark.parametrize(
    ("histogram", "bound"),
    [
        ({}, None),
        ({100: 19}, None),
        ({100: 20}, 100),
        ({100: 19, 5000: 1}, 100),
        ({100: 18, 5000: 2}, 5000),
        ({5000: 6, 100: 94}, 5000),
    ],
)
def test_a_percentile_is_the_bound_of_its_bucket(histogram: Histogram, bound: int | None) -> None:
    assert p95(histogram) == bound


def history(**targets: Histogram) -> History:
    return (Stretch(begin_ms=0, streams=targets),)


@pytest.mark.parametrize(
    ("before", "now", "slow"),
    [
        ({100: 20}, {1000: 20}, False),  # not over 1 s
        ({250: 20}, {2500: 20}, True),
        ({500: 20}, {2500: 20}, False),  # not ten times
        ({250: 19}, {2500: 20}, False),  # too few before
        ({250: 20}, {2500: 19}, False),  # too few now
        ({250: 20}, {250: 18, 2500: 2}, True),
        ({250: 20}, {250: 19, 2500: 1}, False),  # one stream is no percentile
    ],
)
def test_slow_is_ten_times_and_over_a_second(before: Histogram, now: Histogram, slow: bool) -> None:
    assert is_slow(history(m=before), {"m": now}) is slow


def test_one_slow_model_of_two_says_nothing_of_the_endpoint() -> None:
    before = history(a={250: 20}, b={250: 20}, c={250: 20})
    late, quick = {5000: 20}, {250: 20}
    assert not is_slow(before, {"a": late, "b": quick})
    assert is_slow(before, {"a": late, "b": late, "c": quick})
    assert not is_slow(before, {"new": late}), "nothing to compare it with"


def test_the_measure_is_of_ten_minutes() -> None:
    found: History = ()
    for minute in range(30):
        found = remembered(found, {"m": {100: 1}}, minute * MINUTE, minute * MINUTE)
    now_ms = 29 * MINUTE
    assert all(now_ms - one.begin_ms <= REMEMBERED_MS for one in found)
    assert 8 <= sum(sum(one.streams["m"].values()) for one in found) <= 11
    assert remembered(found, {}, now_ms, now_ms + REMEMBERED_MS + 1) == ()
