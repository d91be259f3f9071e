"""Windows: every moment is in exactly one, whatever the zone does to its clocks."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.budget.window import Calendar, Every, Forever, InCalendar, Span, Window, span

HOUR = 3_600_000
# Zones with every kind of oddity: half hours, DST at midnight, at 0:01, two hours, a skipped day, none at all.
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "America/Havana",
    "America/St_Johns",
    "Africa/Cairo",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Pacific/Apia",
    "Pacific/Kwajalein",
]
MOMENTS = st.integers(min_value=0, max_value=4_000_000_000_000)
WINDOWS = st.one_of(
    st.builds(Every, length_ms=st.integers(1000, 400 * 24 * HOUR), anchor_ms=MOMENTS),
    st.builds(InCalendar, unit=st.sampled_from(Calendar), zone=st.sampled_from(ZONES)),
    st.just(Forever()),
)


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1000)


@given(window=WINDOWS, now=MOMENTS)
def test_a_moment_is_inside_its_window(window: Window, now: int) -> None:
    found = span(window, now)
    assert found.start_ms <= now
    assert found.end_ms is None or now < found.end_ms


@given(window=WINDOWS, now=MOMENTS)
def test_windows_tile_time(window: Window, now: int) -> None:
    found = span(window, now)
    if found.end_ms is None:
        return
    following, previous = span(window, found.end_ms), span(window, found.start_ms - 1)
    assert following.start_ms == found.end_ms
    assert previous.end_ms == found.start_ms
    assert span(window, found.start_ms) == found == span(window, found.end_ms - 1)


@given(zone=st.sampled_from(ZONES), now=MOMENTS)
def test_a_day_begins_when_its_date_does(zone: str, now: int) -> None:
    start = span(InCalendar(unit=Calendar.DAY, zone=zone), now).start_ms // 1000
    dates = [datetime.fromtimestamp(start + offset, tz=ZoneInfo(zone)).date() for offset in (-1, 0)]
    assert dates[0] < dates[1]


CASES = [
    # window, moment, start, end, why
    (Every(length_ms=5 * HOUR), "1970-01-01T04:59:59+00:00", "1970-01-01T00:00:00+00:00", 5, "counts from the epoch"),
    (
        Every(length_ms=5 * HOUR, anchor_ms=ms("2026-01-01T00:00:00+00:00")),
        "2026-01-01T05:00:00+00:00",
        "2026-01-01T05:00:00+00:00",
        5,
        "the end belongs to the next window",
    ),
    (
        Every(length_ms=5 * HOUR, anchor_ms=ms("2026-01-01T00:00:00+00:00")),
        "2025-12-31T23:59:59+00:00",
        "2025-12-31T19:00:00+00:00",
        5,
        "windows reach back before startingAt",
    ),
    (
        InCalendar(unit=Calendar.DAY, zone="Europe/Berlin"),
        "2026-03-29T12:00:00+02:00",
        "2026-03-29T00:00:00+01:00",
        23,
        "the day that springs forward has 23 hours",
    ),
    (
        InCalendar(unit=Calendar.DAY, zone="Europe/Berlin"),
        "2026-10-25T12:00:00+01:00",
        "2026-10-25T00:00:00+02:00",
        25,
        "the day that falls back has 25",
    ),
    (
        InCalendar(unit=Calendar.DAY, zone="Africa/Cairo"),
        "2026-04-24T12:00:00+03:00",
        "2026-04-24T01:00:00+03:00",
        23,
        "midnight does not exist: the day begins with the change",
    ),
    (
        InCalendar(unit=Calendar.DAY, zone="Pacific/Apia"),
        "2011-12-31T12:00:00+14:00",
        "2011-12-31T00:00:00+14:00",
        24,
        "a day that was skipped leaves no gap",
    ),
    (
        InCalendar(unit=Calendar.DAY, zone="America/Havana"),
        "2026-11-01T12:00:00-05:00",
        "2026-11-01T00:00:00-04:00",
        25,
        "of two midnights the first",
    ),
    (
        InCalendar(unit=Calendar.WEEK, zone="UTC"),
        "2026-01-04T23:59:59+00:00",
        "2025-12-29T00:00:00+00:00",
        168,
        "a week begins on Monday, also across the year",
    ),
    (
        InCalendar(unit=Calendar.MONTH, zone="UTC"),
        "2028-02-29T00:00:00+00:00",
        "2028-02-01T00:00:00+00:00",
        29 * 24,
        "leap year",
    ),
    (
        InCalendar(unit=Calendar.MONTH, zone="Asia/Kathmandu"),
        "2026-12-31T23:00:00+05:45",
        "2026-12-01T00:00:00+05:45",
        31 * 24,
        "December ends with the year",
    ),
]


@pytest.mark.parametrize(("window", "moment", "start", "hours", "why"), CASES, ids=[case[-1] for case in CASES])
def test_span(window: Window, moment: str, start: str, hours: int, why: str) -> None:
    assert span(window, ms(moment)) == Span(start_ms=ms(start), end_ms=ms(start) + hours * HOUR), why


def test_forever_has_one_window() -> None:
    assert span(Forever(), 1) == span(Forever(), 10**13) == Span(start_ms=0, end_ms=None)


def test_every_day_of_a_century_is_tiled_in_an_odd_zone() -> None:
    window = InCalendar(unit=Calendar.DAY, zone="America/St_Johns")
    day = span(window, 0)
    last = datetime(2037, 1, 1, tzinfo=UTC)
    while day.start_ms < last.timestamp() * 1000:
        assert day.end_ms is not None
        following = span(window, day.end_ms)
        assert following.start_ms == day.end_ms
        assert timedelta(hours=22) <= timedelta(milliseconds=day.end_ms - day.start_ms) <= timedelta(hours=26)
        day = following
