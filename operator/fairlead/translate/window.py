"""Windows of limits, as budgets count by them."""

from fairlead.api import quantity
from fairlead.api.budget import Window as Written
from fairlead.budget.window import Calendar, Every, Forever, InCalendar, Window

_SECOND_MS = 1000


def window(written: Written | None) -> Window:
    """Return the window that a limit is written with; none is one that never ends."""
    if written is None:
        return Forever()
    if written.every is not None:
        anchor_s = 0 if written.starting_at is None else quantity.unix_seconds(written.starting_at)
        return Every(length_ms=quantity.milliseconds(written.every), anchor_ms=anchor_s * _SECOND_MS)
    if written.calendar is not None:
        return InCalendar(unit=Calendar(written.calendar.value), zone=written.time_zone or "UTC")
    return Forever()
