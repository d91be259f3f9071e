"""Figures as a table of docs/benchmarks.md, and that table read again: what a gateway may cost."""

import re
import statistics
from collections.abc import Mapping, Sequence

BARE, OURS = "bare Envoy", "Fairlead"
MARGIN = 0.6
"""Of the figure in the docs: one version gave 0.45 on a busy machine and 0.32 on a quiet one, whose caches are warm."""
BEGIN, END = "<!-- streams: begin (make bench-streams) -->", "<!-- streams: end -->"
_ROW = re.compile(r"^\| ([^|]+) \| [^|]+ \| [^|]+ \| (\d\.\d\d) \(")

Costs = Mapping[str, Mapping[str, Sequence[float]]]
"""Microseconds of CPU of each answer, by load and gateway; those at the same place were neighbours in time."""


def share(costs: Mapping[str, Sequence[float]], name: str) -> float:
    """Return what a bare Envoy costs of what this gateway does: the median of the shares of pairs.

    A shared machine may be half as fast a second later, and then is so for both.
    """
    return statistics.median(_shares(costs, name))


def render(costs: Costs) -> list[str]:
    """Write a row for each load: medians, and in brackets the quartiles of the share."""
    names = [name for name in next(iter(costs.values())) if name != BARE]
    columns = [f"{BARE}, us", *(column for name in names for column in (f"{name}, us", f"{name} of bare Envoy"))]
    lines = ["| load | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for load, found in costs.items():
        cells = [f"{statistics.median(found[BARE]):,.0f}"]
        for name in names:
            low, middle, high = statistics.quantiles(_shares(found, name), n=4)
            cells += [f"{statistics.median(found[name]):,.0f}", f"{middle:.2f} ({low:.2f} to {high:.2f})"]
        lines.append(f"| {load} | " + " | ".join(cells) + " |")
    return lines


def _shares(costs: Mapping[str, Sequence[float]], name: str) -> list[float]:
    return [bare / cost for bare, cost in zip(costs[BARE], costs[name], strict=True)]


def documented(page: str) -> dict[str, float]:
    """Read the share of a bare Envoy by load, of the table between the markers."""
    rows = (_ROW.match(line) for line in page.partition(BEGIN)[2].partition(END)[0].splitlines())
    return {row[1]: float(row[2]) for row in rows if row}


def too_dear(costs: Costs, shares: Mapping[str, float]) -> list[str]:
    """Say which loads cost so much that the documented share no longer holds, by more than the margin."""
    found = {load: share(each, OURS) for load, each in costs.items()}
    least = {load: shares[load] * MARGIN for load in found}
    return [
        f"{load}: {found[load]:.2f} of a bare Envoy; it is at least {least[load]:.2f} where the docs say {shares[load]}"
        for load in found
        if found[load] < least[load]
    ]
