"""Reconciliation: what was missed is found, nothing is found twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.budget.reconciliation import (
    NEW,
    NOTHING,
    Count,
    UsageCounter,
    UsageCounterKey,
    adopt,
    observe,
    read,
    share_captured,
)

KEY = UsageCounterKey(gateway="eu-1", consumer="t/a", route="t/chat", target="p/e/m")


def count(requests: int) -> Count:
    return Count(requests=requests, input=10 * requests, output=20 * requests, cached=requests)


def run(readings: list[tuple[int, int]]) -> list[int]:
    """Feed (scraped, booked) requests one after the other; return how many each reading books."""
    counter, found = NEW, []
    for scraped, booked in readings:
        counter, configuration = observe(counter, scraped=count(scraped), booked=count(booked))
        found.append(configuration.requests)
    return found


CASES = [
    ([(5, 5), (9, 9), (9, 9)], [0, 0, 0], "every report came"),
    ([(5, 4), (5, 5), (5, 5)], [0, 0, 0], "a report on its way is not lost"),
    ([(5, 3), (5, 3), (5, 3)], [0, 2, 0], "two are missing, twice in a row: booked once"),
    ([(5, 3), (9, 7), (20, 18)], [0, 2, 0], "found while traffic goes on"),
    ([(5, 3), (9, 9), (9, 9)], [0, 0, 0], "came late after all"),
    ([(5, 3), (9, 5), (9, 5)], [0, 2, 2], "more are missing later"),
    ([(5, 5), (2, 7), (2, 7)], [0, 0, 0], "the gateway started again"),
    ([(5, 3), (2, 5), (2, 5)], [0, 2, 0], "started again with two missing: still found"),
    ([(5, 8), (2, 10), (4, 10), (4, 10)], [0, 0, 0, 2], "reports that no reading saw are forgiven"),
]


@pytest.mark.parametrize(("readings", "books", "why"), CASES, ids=[case[-1] for case in CASES])
def test_observe(readings: list[tuple[int, int]], books: list[int], why: str) -> None:
    assert run(readings) == books, why


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 1)), min_size=1, max_size=12))
def test_all_that_was_lost_is_booked_once_the_gateway_is_read_twice(steps: list[tuple[int, float]]) -> None:
    counter, due, booked, found = NEW, 0, 0, NOTHING
    for requests, captured in steps:
        due += requests
        booked += int(requests * captured)
        counter, configuration = observe(counter, scraped=count(due), booked=count(booked))
        found += configuration
    for _ in range(2):
        counter, configuration = observe(counter, scraped=count(due), booked=count(booked))
        found += configuration
    assert found == count(due - booked)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.booleans()), max_size=20))
def test_never_books_more_than_was_counted(steps: list[tuple[int, int, bool]]) -> None:
    """Reports may run behind the counters; a gateway may start again at any time."""
    counter, total, scraped, booked, found = NEW, 0, 0, 0, NOTHING
    for requests, arriving, restarts in steps:
        scraped = requests if restarts else scraped + requests
        total += requests
        booked = min(total, booked + arriving)
        counter, configuration = observe(counter, scraped=count(scraped), booked=count(booked))
        found += configuration
    assert found.requests <= total
    assert found.tokens == 30 * found.requests


def test_an_unknown_gateway_is_taken_as_booked() -> None:
    reading = read(usage_counters={}, known_gateways=frozenset(), scraped={KEY: count(1000)}, booked={})
    assert reading.bookings == {}
    assert reading.usage_counters == {KEY: adopt(scraped=count(1000), booked=NOTHING)}
    again = read(
        usage_counters=reading.usage_counters,
        known_gateways=frozenset({"eu-1"}),
        scraped={KEY: count(1003)},
        booked={KEY: count(1)},
    )
    third = read(
        usage_counters=again.usage_counters,
        known_gateways=frozenset({"eu-1"}),
        scraped={KEY: count(1003)},
        booked={KEY: count(1)},
    )
    assert third.bookings == {KEY: count(2)}


def test_a_new_consumer_of_a_known_gateway_starts_at_zero() -> None:
    known = frozenset({"eu-1"})
    first = read(usage_counters={}, known_gateways=known, scraped={KEY: count(2)}, booked={})
    second = read(usage_counters=first.usage_counters, known_gateways=known, scraped={KEY: count(2)}, booked={})
    assert second.bookings == {KEY: count(2)}


def test_a_gateway_that_could_not_be_read_keeps_its_state() -> None:
    assert (
        read(
            usage_counters={KEY: UsageCounter(seen=count(3))}, known_gateways=frozenset({"eu-1"}), scraped={}, booked={}
        ).usage_counters
        == {}
    )


def test_the_share_that_reports_brought() -> None:
    assert share_captured([]) == 1
    counter, _ = observe(NEW, scraped=count(10), booked=count(8))
    assert share_captured([counter]) == 1, "missing once may be on its way"
    counter, _ = observe(counter, scraped=count(10), booked=count(8))
    assert share_captured([counter]) == 0.8
    assert share_captured([counter, UsageCounter(due=count(30))]) == 0.95
