"""Figures as a table of docs/benchmarks.md, and that table read again: what a gateway may cost.

A filter that costs twice moves the share of a bare Envoy by a tenth, which is less than a busy machine does. So the
filter that reads every answer, the token filter, has a figure of its own: its CPU of that of all that the gateway does
beside forwarding. Both are taken in the same rounds, and the machine's state is in neither.
"""

import re
import statistics
from collections.abc import Mapping, Sequence

BARE, OURS, WITHOUT = "bare Envoy", "Fairlead", "Fairlead without the token filter"
MARGIN = 0.75
"""Of the share in the docs: what the gateway as a whole may fall to."""
READER_MARGIN = 1.5
"""Of the token filter's part in the docs; with the filter there twice it is 1.65 of it."""
BEGIN, END = "<!-- streams: begin (make bench-streams) -->", "<!-- streams: end -->"
_ROW = re.compile(r"^\| ([^|]+) \| [^|]+ \| [^|]+ \| (\d\.\d\d) \([^|]+\|(?: (\d\.\d\d) \|)?")

Costs = Mapping[str, Mapping[str, Sequence[float]]]
"""Microseconds of CPU of each answer, by load and gateway; those at the same place were neighbours in time."""


def share(costs: Mapping[str, Sequence[float]], name: str) -> float:
    """Return what a bare Envoy costs of what this gateway does: the median of the shares of pairs.

    A shared machine may be half as fast a second later, and then is so for both.
    """
    return statistics.median(_shares(costs, name))


def reader(costs: Mapping[str, Sequence[float]]) -> float:
    """Return the token filter's part of what the gateway does beside forwarding, as a share of the rest of it."""
    own = statistics.median(mine - less for mine, less in zip(costs[OURS], costs[WITHOUT], strict=True))
    rest = statistics.median(less - bare for less, bare in zip(costs[WITHOUT], costs[BARE], strict=True))
    return own / rest


def render(costs: Costs, read_at_once: Sequence[str] = ()) -> list[str]:
    """Write a row for each load: medians, and in brackets the quartiles of the share.

    The token filter's part stands beside the loads of `read_at_once`; of others a run has too few answers to tell it.
    """
    known = next(iter(costs.values()))
    names = [name for name in known if name not in {BARE, WITHOUT}]
    columns = [f"{BARE}, us", *(column for name in names for column in (f"{name}, us", f"{name} of bare Envoy"))]
    if WITHOUT in known:
        columns.append("token filter of the rest")
    lines = ["| load | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for load, found in costs.items():
        cells = [f"{statistics.median(found[BARE]):,.0f}"]
        for name in names:
            low, middle, high = statistics.quantiles(_shares(found, name), n=4)
            cells += [f"{statistics.median(found[name]):,.0f}", f"{middle:.2f} ({low:.2f} to {high:.2f})"]
        if WITHOUT in found:
            cells.append(f"{reader(found):.2f}" if load in read_at_once else "")
        lines.append(f"| {load} | " + " | ".join(cells) + " |")
    return lines


def _shares(costs: Mapping[str, Sequence[float]], name: str) -> list[float]:
    return [bare / cost for bare, cost in zip(costs[BARE], costs[name], strict=True)]


def documented(page: str) -> dict[str, float]:
    """Read the share of a bare Envoy by load, of the table between the markers."""
    rows = (_ROW.match(line) for line in page.partition(BEGIN)[2].partition(END)[0].splitlines())
    return {row[1]: float(row[2]) for row in rows if row}


def documented_reader(page: str) -> dict[str, float]:
    """Read the token filter's part by load, of the same table."""
    rows = (_ROW.match(line) for line in page.partition(BEGIN)[2].partition(END)[0].splitlines())
    return {row[1]: float(row[3]) for row in rows if row and row[3]}


def reader_too_dear(costs: Costs, parts: Mapping[str, float]) -> list[str]:
    """Say at which loads the token filter costs more than documented, by more than the margin.

    `costs` are of loads whose rounds are many enough: event by event, a run has too few answers to tell.
    """
    found = {load: reader(each) for load, each in costs.items()}
    return [
        f"{load}: the token filter is {found[load]:.2f} of the rest of the gateway; it is at most"
        f" {parts[load] * READER_MARGIN:.2f} where the docs say {parts[load]}"
        for load in found
        if found[load] > parts[load] * READER_MARGIN
    ]


def too_dear(costs: Costs, shares: Mapping[str, float]) -> list[str]:
    """Say which loads cost so much that the documented share no longer holds, by more than the margin."""
    found = {load: share(each, OURS) for load, each in costs.items()}
    least = {load: shares[load] * MARGIN for load in found}
    return [
        f"{load}: {found[load]:.2f} of a bare Envoy; it is at least {least[load]:.2f} where the docs say {shares[load]}"
        for load in found
        if found[load] < least[load]
    ]
