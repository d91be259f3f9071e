"""The table in docs/failover.md."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from regions.outcome import Outcome

PAGE = Path(__file__).parents[2] / "docs" / "failover.md"
BEGIN, END = "<!-- regions: begin (make e2e-regions) -->", "<!-- regions: end -->"
HEAD = (
    "fault",
    "I",
    "requests",
    "client errors",
    "streams cut",
    "tried again",
    "elsewhere after",
    "its own observer",
    "home again after",
    "tried again on the way back",
    "broke residency",
)


def row(name: str, interval_s: int, found: Outcome) -> str:
    """One line of the table."""
    lowest = "keeps 100 %" if found.lowest is None else f"{found.lowest[1]} % after {found.lowest[0]:.1f} s"
    columns = (
        name,
        f"{interval_s} s",
        f"{found.requests:,}",
        len(found.errors),
        found.cut,
        found.retried,
        _seconds(found.elsewhere_s),
        lowest,
        _seconds(found.home_s),
        found.retried_after,
        found.left_geo,
    )
    return _line(columns)


def write(measured: Mapping[str, str], names: Iterable[str]) -> None:
    """Put rows into the table, by their names; one that was not measured this time stays as it was."""
    text = PAGE.read_text()
    before, rest = text.split(BEGIN, 1)
    old, after = rest.split(END, 1)
    rows = {found[0]: line for line in old.splitlines() if (found := cells(line))} | measured
    table = "\n".join((_line(HEAD), _line(["---"] * len(HEAD)), *(rows[name] for name in names if name in rows)))
    PAGE.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")


def silent_row(name: str, moved_s: float) -> str:
    """The line of what happens without any traffic."""
    return _line((name, "1 s", 0, 0, 0, 0, "-", f"0 % after {moved_s:.1f} s", "-", 0, 0))


def cells(line: str) -> tuple[str, ...]:
    """Take a line of the table apart; empty where it is none."""
    return tuple(cell.strip() for cell in line.strip("|").split("|")) if line.startswith("|") else ()


def _seconds(value: float | None) -> str:
    return "stays" if value is None else f"{value:.1f} s"


def _line(columns: Iterable[object]) -> str:
    return "| " + " | ".join(map(str, columns)) + " |"
