"""Reconciliation: what was missed is found, nothing is found twice."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random

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
MOVED = replace(KEY, route="t/asked,t/chat")


def count(requests: int) -> Count:
    return Count(requests=requests, input=10 * requests, output=20 * requests, cached=requests)


def quiet(counter: UsageCounter, scraped: int, booked: int) -> tuple[UsageCounter, Count]:
    """Take a reading while no report comes."""
    return observe(counter, booked_before=count(booked), scraped=count(scraped), booked=count(booked))


def run(readings: list[tuple[int, int]]) -> list[int]:
    """Feed (scraped, booked) requests one after the other; return how many each reading books."""
    counter, found = NEW, []
    for scraped, booked in readings:
        counter, configuration = quiet(counter, scraped, booked)
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
        counter, configuration = quiet(counter, due, booked)
        found += configuration
    for _ in range(2):
        counter, configuration = quiet(counter, due, booked)
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
        counter, configuration = quiet(counter, scraped, booked)
        found += configuration
    assert found.requests <= total
    assert found.tokens == 30 * found.requests


class Traffic:
    """A gateway under load: requests are counted, reported late or never, and read; it may start again at any time."""

    def __init__(self) -> None:
        self.counter = NEW
        self.shown = self.booked = self.lost = self.found = 0
        self.under_way = self.counted_before = 0
        """Reports that will come; and those of requests that the scrape before counted."""
        self.late_before = False

    def happens(self, event: str) -> None:
        if event == "starts again":
            self.shown = 0
        elif event == "report comes":
            self.come(min(1, self.under_way))
        else:
            self.shown += 1
            self.booked += event == "booked request"
            self.under_way += event == "request"
            self.lost += event == "lost request"

    def come(self, reports: int) -> None:
        self.booked += reports
        self.under_way -= reports
        self.counted_before = max(0, self.counted_before - reports)

    def read(self, before: list[str], after: list[str], *, late: bool) -> None:
        """Take a reading; `before` and `after` the counters things happen. Reports are late at no two in a row."""
        booked_before = self.booked
        for event in before:
            self.happens(event)
        scraped, self.counted_before = self.shown, self.under_way
        for event in after:
            self.happens(event)
        if not late or self.late_before:
            self.come(self.counted_before)
        self.late_before = self.counted_before > 0
        self.counter, found = observe(
            self.counter, booked_before=count(booked_before), scraped=count(scraped), booked=count(self.booked)
        )
        self.found += found.requests


EVENTS = ["booked request"] * 6 + ["request"] * 3 + ["report comes"] * 3 + ["lost request", "starts again"]


def played(seed: int) -> Iterator[Traffic]:
    """Play eight readings under load, and requests between them."""
    chance, traffic = Random(seed), Traffic()

    def events() -> list[str]:
        return chance.choices(EVENTS, k=chance.randrange(5))

    for _ in range(8):
        for event in events():
            traffic.happens(event)
        traffic.read(events(), events(), late=chance.random() < 0.5)
        yield traffic


def test_reports_that_came_are_never_booked_again() -> None:
    for seed in range(300):
        for traffic in played(seed):
            assert traffic.found <= traffic.lost, f"seed {seed}"


def test_what_is_lost_after_a_gateway_was_read_quietly_is_booked_by_two_quiet_readings() -> None:
    for seed in range(300):
        *_, traffic = played(seed)
        traffic.happens("request")
        traffic.come(traffic.under_way)
        traffic.read([], [], late=False)
        traffic.happens("starts again")
        traffic.read([], [], late=False)
        found_before = traffic.found
        for event in ["booked request", *["lost request"] * (seed % 9)]:
            traffic.happens(event)
        for _ in range(2):
            traffic.read([], [], late=False)
        assert found_before + seed % 9 <= traffic.found <= traffic.lost, f"seed {seed}"


def test_reports_between_counters_and_bookings_are_not_missing_after_a_gateway_started_again() -> None:
    counter, found = UsageCounter(seen=count(100), due=count(100)), NOTHING
    for booked_before, scraped, booked in [(123, 10, 133), (163, 50, 170), (203, 90, 210)]:
        counter, more = observe(
            counter, booked_before=count(booked_before), scraped=count(scraped), booked=count(booked)
        )
        found += more
    assert found == NOTHING


def test_an_unknown_gateway_owes_nothing_for_reports_that_came_while_it_was_read() -> None:
    counter, found = adopt(booked_before=count(5), scraped=count(1000)), NOTHING
    for scraped, booked in [(1010, 15), (1020, 25)]:
        counter, more = quiet(counter, scraped, booked)
        found += more
    assert found == NOTHING


def test_an_unknown_gateway_is_taken_as_booked() -> None:
    reading = read(
        usage_counters={}, known_gateways=frozenset(), booked_before={}, scraped={KEY: count(1000)}, booked={}
    )
    assert reading.bookings == {}
    assert reading.usage_counters == {KEY: adopt(booked_before=NOTHING, scraped=count(1000))}
    again = read(
        usage_counters=reading.usage_counters,
        known_gateways=frozenset({"eu-1"}),
        booked_before={KEY: count(1)},
        scraped={KEY: count(1003)},
        booked={KEY: count(1)},
    )
    third = read(
        usage_counters=again.usage_counters,
        known_gateways=frozenset({"eu-1"}),
        booked_before={KEY: count(1)},
        scraped={KEY: count(1003)},
        booked={KEY: count(1)},
    )
    assert third.bookings == {KEY: count(2)}


def test_a_new_consumer_of_a_known_gateway_starts_at_zero() -> None:
    known = frozenset({"eu-1"})
    first = read(usage_counters={}, known_gateways=known, booked_before={}, scraped={KEY: count(2)}, booked={})
    second = read(
        usage_counters=first.usage_counters, known_gateways=known, booked_before={}, scraped={KEY: count(2)}, booked={}
    )
    assert second.bookings == {KEY: count(2)}


def test_a_gateway_that_could_not_be_read_keeps_its_state() -> None:
    assert (
        read(
            usage_counters={KEY: UsageCounter(seen=count(3))},
            known_gateways=frozenset({"eu-1"}),
            booked_before={},
            scraped={},
            booked={},
        ).usage_counters
        == {}
    )


def test_the_share_that_reports_brought() -> None:
    assert share_captured({}) == 1
    counter, _ = quiet(NEW, 10, 8)
    assert share_captured({KEY: counter}) == 1, "missing once may be on its way"
    counter, _ = quiet(counter, 10, 8)
    assert share_captured({KEY: counter}) == 0.8
    assert share_captured({KEY: counter, replace(KEY, target="p/e/n"): UsageCounter(due=count(30))}) == 0.95
    assert share_captured({KEY: counter, MOVED: UsageCounter(due=count(30))}) == 0.8, "counted with the whole"


class Gateway:
    """Counts requests of a consumer: all of them, and again those that were moved; and what reports booked of both."""

    def __init__(self) -> None:
        self.usage_counters: dict[UsageCounterKey, UsageCounter] = {}
        self.scraped = {KEY: 0, MOVED: 0}
        self.booked = {KEY: 0, MOVED: 0}

    def answers(self, *, direct: int = 0, moved: int = 0, lost: int = 0, lost_moved: int = 0) -> None:
        """Answer requests; of the direct ones, and of those that were moved, so many reports are lost."""
        self.scraped[KEY] += direct + moved
        self.booked[KEY] += direct + moved - lost - lost_moved
        self.scraped[MOVED] += moved
        self.booked[MOVED] += moved - lost_moved

    def read(self, *, by_the_version_before: bool = False) -> tuple[int, int]:
        """Return what is booked: to policies of the route that answered alone, and to those of both."""
        keys = [KEY] if by_the_version_before else [KEY, MOVED]
        reading = read(
            usage_counters=self.usage_counters,
            known_gateways=frozenset({"eu-1"}),
            booked_before={key: count(self.booked[key]) for key in (KEY, MOVED)},
            scraped={key: count(self.scraped[key]) for key in keys if self.scraped[key]},
            booked={key: count(self.booked[key]) for key in (KEY, MOVED)},
        )
        self.usage_counters |= reading.usage_counters
        return tuple(reading.bookings.get(key, NOTHING).requests for key in (KEY, MOVED))  # type: ignore[return-value]


def test_what_is_missing_is_told_apart_by_the_routes_that_were_asked() -> None:
    gateway = Gateway()
    gateway.answers(direct=5, moved=4, lost=2, lost_moved=3)
    assert [gateway.read() for _ in range(3)] == [(0, 0), (2, 3), (0, 0)]
    gateway.answers(direct=5, moved=4, lost_moved=1)
    assert [gateway.read() for _ in range(3)] == [(0, 0), (0, 1), (0, 0)]


def test_what_was_booked_without_the_routes_that_were_asked_is_not_booked_again() -> None:
    """A budget server of the version before knows only the whole: its bookings, and its readings."""
    gateway = Gateway()
    gateway.answers(direct=5, moved=40)
    gateway.booked[MOVED] = 0
    assert gateway.read(by_the_version_before=True) == (0, 0)
    gateway.answers(moved=1)
    assert [gateway.read() for _ in range(3)] == [(0, 0)] * 3
    gateway.answers(direct=5, lost=3)
    assert [gateway.read() for _ in range(2)] == [(0, 0), (3, 0)], "none of the forty is taken for one of these"


def test_what_servers_of_both_versions_booked_is_at_most_what_is_missing() -> None:
    gateway = Gateway()
    gateway.answers(moved=1)
    gateway.read()
    gateway.answers(moved=9)
    gateway.booked[MOVED] -= 5
    assert [gateway.read() for _ in range(3)] == [(0, 0)] * 3
    gateway.answers(moved=7, lost_moved=7)
    assert [gateway.read() for _ in range(3)] == [(0, 0), (0, 7), (0, 0)]


def test_what_is_missing_of_the_whole_later_finds_what_was_missing_before() -> None:
    gateway = Gateway()
    gateway.answers(direct=3, moved=3, lost_moved=2)
    gateway.booked[KEY] += 2  # two more reports came between the counters and the bookings
    assert [gateway.read() for _ in range(2)] == [(0, 0), (0, 0)]
    gateway.scraped[KEY] += 2
    assert [gateway.read() for _ in range(3)] == [(0, 0), (0, 2), (0, 0)]


@given(st.lists(st.tuples(*[st.integers(0, 9)] * 4), min_size=1, max_size=8))
def test_both_together_are_what_is_missing_of_the_whole(steps: list[tuple[int, int, int, int]]) -> None:
    gateway, found, lost = Gateway(), [0, 0], [0, 0]
    for direct, moved, lost_direct, lost_moved in steps:
        dropped = (min(direct, lost_direct), min(moved, lost_moved))
        gateway.answers(direct=direct, moved=moved, lost=dropped[0], lost_moved=dropped[1])
        lost = [one + more for one, more in zip(lost, dropped, strict=True)]
        found = [one + more for one, more in zip(found, gateway.read(), strict=True)]
    for _ in range(2):
        found = [one + more for one, more in zip(found, gateway.read(), strict=True)]
    assert found == lost
