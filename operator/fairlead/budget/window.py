"""Which stretch of time a moment belongs to.

Windows tile time: every moment is in exactly one, also across daylight saving. Spans are half open, `[start, end)`, in
Unix milliseconds. A window never depends on what was spent or on when a policy was made, so a counter that carries the
start of its window in its name needs no reset job and survives edits, restarts and clocks that step.

Calendars take their rules from the IANA database through `zoneinfo`, a table like any other constant: the zone is part
of the window's value, and two servers with the same database cut time at the same moments.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import assert_never
from zoneinfo import ZoneInfo

_SECOND_MS = 1000
_NEAR = 3
"""How many calendar windows around a moment are looked at: more than any shift of a zone can move a date."""


class Calendar(StrEnum):
    """Units of a calendar window."""

    DAY = "Day"
    WEEK = "Week"
    MONTH = "Month"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One window: `[start, end)`."""

    start_ms: int
    end_ms: int | None
    """None: it never ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Every:
    """Windows of one fixed length."""

    length_ms: int
    anchor_ms: int = 0
    """A moment at which some window begins; windows reach back before it as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InCalendar:
    """Windows that begin when the calendar's unit does, in a time zone. A week begins on Monday."""

    unit: Calendar
    zone: str
    """A name of the IANA database, such as `Europe/Berlin`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forever:
    """One window that never ends (prepaid)."""


Window = Every | InCalendar | Forever


def span(window: Window, now_ms: int) -> Span:
    """Return the one window that `now_ms` is in.

    A calendar window begins at the first midnight of its first day. Where that midnight does not exist (a zone that
    springs forward at 0:00), it begins at the moment of the change; a day that a zone leaves out has no window.
    """
    match window:
        case Every():
            start = now_ms - (now_ms - window.anchor_ms) % window.length_ms
            return Span(start_ms=start, end_ms=start + window.length_ms)
        case InCalendar():
            return _calendar_span(window, now_ms)
        case Forever():
            return Span(start_ms=0, end_ms=None)
    assert_never(window)


def _calendar_span(window: InCalendar, now_ms: int) -> Span:
    today = datetime.fromtimestamp(now_ms // _SECOND_MS, tz=ZoneInfo(window.zone)).date()
    starts = _starts_near(window.unit, today, window.zone)
    return Span(
        start_ms=max(start for start in starts if start <= now_ms),
        end_ms=min(start for start in starts if start > now_ms),
    )


@lru_cache(maxsize=256)  # each request asks, in each of its windows, and a day is the same all day
def _starts_near(unit: Calendar, day: date, zone_name: str) -> tuple[int, ...]:
    zone = ZoneInfo(zone_name)
    return tuple(sorted({_midnight_ms(_first_day(unit, day, at), zone) for at in range(-_NEAR, _NEAR + 1)}))


def _first_day(unit: Calendar, day: date, offset: int) -> date:
    """Return the first day of the unit that lies `offset` units after the one of `day`."""
    match unit:
        case Calendar.DAY:
            return day + timedelta(days=offset)
        case Calendar.WEEK:
            return day - timedelta(days=day.weekday()) + timedelta(weeks=offset)
        case Calendar.MONTH:
            months = day.year * 12 + day.month - 1 + offset
            return date(months // 12, months % 12 + 1, 1)
    assert_never(unit)


def _midnight_ms(day: date, zone: ZoneInfo) -> int:
    """Return the first 0:00 of a day; for a 0:00 that the zone skips, the moment of the skip."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    moment = midnight.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) != midnight.replace(tzinfo=None):
        moment = _skip(moment - timedelta(days=1), moment + timedelta(days=1), day, zone)
    return int(moment.timestamp()) * _SECOND_MS


def _skip(before: datetime, after: datetime, day: date, zone: ZoneInfo) -> datetime:
    """Return the first second between two moments whose local date is `day` or later."""
    low, high = int(before.timestamp()), int(after.timestamp())
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, tz=zone).date() < day:
            low = middle
        else:
            high = middle
    return datetime.fromtimestamp(high, tz=UTC)
