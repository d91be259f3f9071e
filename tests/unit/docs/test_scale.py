"""The page on size has what `make bench-day` writes, and the goals hold in it."""

import re
from pathlib import Path

from benchmarks.day import page, plan

TEXT = page.PAGE.read_text()
MEASURED = TEXT.partition(page.BEGIN)[2].partition(page.END)[0]
MAKEFILE = (Path(__file__).parents[3] / "Makefile").read_text()


def test_it_names_the_command() -> None:
    assert "make bench-day" in page.BEGIN
    assert "    make bench-day " in TEXT.partition(page.BEGIN)[0]
    assert re.search(r"^bench-day:", MAKEFILE, re.MULTILINE)


def test_a_region_was_lost_and_the_goals_were_met() -> None:
    rows = [line.split(" | ") for line in MEASURED.splitlines() if line.startswith("| spike, ")]
    assert len(rows) == 3
    assert {row[3] for row in rows} == {"0"}, "nobody was left without an answer"
    assert MEASURED.count(": met") == 2
    assert "missed" not in MEASURED


def test_dollars_are_those_of_the_providers() -> None:
    rows = [line.split(" | ") for line in MEASURED.splitlines() if " | $" in line]
    others = [row for row in rows if row[0] != f"| {page.LOST.name}"]
    assert len(others) == 2
    assert {row[5] for row in others} == {"none |"}


def test_the_plan_is_for_the_goal_and_a_hundred_times_it() -> None:
    planned = TEXT.partition(plan.BEGIN)[2].partition(plan.END)[0]
    for times in (1, plan.HUNDRED):
        assert f"| {plan.PEAK * times:,.0f}/s | by |" in planned
    for part in ("gateways of the other one", "budget servers", "Redis"):
        assert planned.count(f"\n| {part} | ") == 2
