"""The page on failover has the table that `make e2e-regions` writes: a row for each fault, and the goals hold in it."""

import re
from pathlib import Path

import pytest
from regions import page
from regions.faults import FAULTS, SILENT, Fault

TEXT = page.PAGE.read_text()
TABLE = TEXT.partition(page.BEGIN)[2].partition(page.END)[0].strip().splitlines()
ROWS = {cells[0]: dict(zip(page.HEAD, cells, strict=True)) for line in TABLE[2:] if (cells := page.cells(line))}


def test_it_names_the_command() -> None:
    assert "make e2e-regions" in page.BEGIN
    assert "\nmake e2e-regions\n" in TEXT
    assert re.search(r"^e2e-regions:", (Path(__file__).parents[3] / "Makefile").read_text(), re.MULTILINE)


def test_each_fault_has_a_row_and_no_other() -> None:
    assert page.cells(TABLE[0]) == page.HEAD
    assert list(ROWS) == [*(fault.name for fault in FAULTS), SILENT]


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_what_was_measured_keeps_the_goals(fault: Fault) -> None:
    row = ROWS[fault.name]
    assert row["client errors"] == row["broke residency"] == row["tried again on the way back"] == "0"
    promised = fault.elsewhere_s
    if promised is not None:
        assert float(row["elsewhere after"].removesuffix(" s")) <= promised
