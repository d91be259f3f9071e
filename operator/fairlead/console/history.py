"""The last hour of what gateways counted, in a ring: requests, errors, first bytes and dollars, by region. Pure."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fairlead.budget.price import USD
from fairlead.health.rehearsal import Span

EVERY_S = 5.0
"""How often gateways are read."""
KEPT = 720
"""Points: an hour of them."""
_HOUR_S = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What happened from the point before to this one."""

    at_s: int
    """Unix time."""
    spans: Mapping[str, Span]
    """By region; one whose gateways did not answer is missing."""


class History:
    """Points in the order of time; the oldest one goes when another comes."""

    def __init__(self) -> None:
        self._points: deque[Point] = deque(maxlen=KEPT)

    def add(self, point: Point) -> None:
        """Take a point that is later than all."""
        self._points.append(point)

    def charts(self) -> dict[str, Any]:
        """Return what the page draws: times, and of each chart a line for each region, null where nothing is known."""
        regions = sorted({region for point in self._points for region in point.spans})
        return {
            "times": [point.at_s for point in self._points],
            "charts": [
                {
                    "name": name,
                    "title": title,
                    "unit": unit,
                    "lines": [
                        {"region": region, "values": [_value(name, point.spans.get(region)) for point in self._points]}
                        for region in regions
                    ],
                }
                for name, title, unit in CHARTS
            ],
        }


CHARTS = (
    ("requests", "Requests per second", "/s"),
    ("errors", "Errors per second", "/s"),
    ("firstByte", "First byte, 95th percentile", "ms"),
    ("dollars", "Dollars per hour", "$/h"),
)
"""Name, title and unit of each."""


def _value(chart: str, span: Span | None) -> float | None:
    if span is None or span.seconds <= 0:
        return None
    match chart:
        case "requests":
            return round(span.requests / span.seconds, 3)
        case "errors":
            return round(span.errors / span.seconds, 3)
        case "firstByte":
            return span.first_byte_p95_ms
        case _:
            return round(span.nanodollars * _HOUR_S / span.seconds / USD, 6)
