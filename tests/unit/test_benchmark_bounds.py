"""A gateway that costs clearly more than docs/benchmarks.md says is noticed; the machine's noise is not."""

from pathlib import Path

import pytest
from benchmarks.streams import table
from benchmarks.streams.__main__ import CHECKED, PAGE, READ_AT_ONCE
from benchmarks.streams.loads import LOADS

SHARES = {"burst": 0.4, "each": 0.7}


def costs(burst: float, each: float) -> dict[str, dict[str, list[float]]]:
    """Three rounds, of which the machine was half as fast in one, and busy with something else in another."""
    return {
        "burst": {table.BARE: [100.0, 200.0, 100.0], table.OURS: [burst, burst * 2, burst * 3]},
        "each": {table.BARE: [1000.0, 2000.0, 5000.0], table.OURS: [each, each * 2, each]},
    }


def test_the_page_has_a_figure_for_each_load() -> None:
    page = PAGE.read_text()
    assert set(table.documented(page)) == {load.name for load in LOADS}
    assert {load.name for load in CHECKED} <= set(table.documented(page))
    assert set(READ_AT_ONCE) <= set(table.documented_reader(page))
    assert page.count(table.BEGIN) == page.count(table.END) == 1


def test_what_is_written_is_what_is_read() -> None:
    page = "\n".join([table.BEGIN, *table.render(costs(200.0, 1250.0)), table.END])
    assert table.documented(page) == {"burst": 0.5, "each": 0.8}


@pytest.mark.parametrize(
    ("burst", "each", "named"),
    [(250.0, 1400.0, []), (330.0, 1900.0, []), (335.0, 1400.0, ["burst"]), (500.0, 2800.0, ["burst", "each"])],
)
def test_what_costs_a_third_more_is_too_dear(burst: float, each: float, named: list[str]) -> None:
    # Three quarters of the share that is written = a third more CPU.
    found = table.too_dear(costs(burst, each), SHARES)
    assert [message.partition(":")[0] for message in found] == named


@pytest.mark.parametrize(("filter_us", "named"), [(50.0, []), (74.0, []), (76.0, ["burst"]), (100.0, ["burst"])])
def test_a_filter_that_costs_twice_is_too_dear_though_the_share_holds(filter_us: float, named: list[str]) -> None:
    slow = [1.0, 2.0, 1.5]  # the machine, in each round
    found = {
        table.BARE: [100.0 * one for one in slow],
        table.WITHOUT: [250.0 * one for one in slow],
        table.OURS: [(250.0 + filter_us) * one for one in slow],
    }
    known = {"burst": {**found, table.OURS: [300.0, 600.0, 450.0]}, "each": found}
    page = "\n".join([table.BEGIN, *table.render(known, ["burst"]), table.END])
    parts = table.documented_reader(page)
    assert parts == {"burst": 0.33}
    assert [one.partition(":")[0] for one in table.reader_too_dear({"burst": found}, parts)] == named
    assert not table.too_dear({"burst": found}, table.documented(page))


def test_a_load_without_a_figure_is_an_error() -> None:
    with pytest.raises(KeyError):
        table.too_dear(costs(250.0, 1400.0), {"burst": 0.4})


def test_ci_runs_it() -> None:
    root = Path(__file__).resolve().parents[2]
    assert "make bench-check" in (root / ".ci" / "run").read_text()
    assert "benchmarks.streams --check" in (root / "Makefile").read_text()
