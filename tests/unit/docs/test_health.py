"""The page of health says what the machine does: numbers from its constants, rows from its own judgement."""

import re
from pathlib import Path

import pytest

from fairlead.api.health_check import HealthCheck
from fairlead.health import finding, latency, record, standing, window
from fairlead.health.attempts import Outcome, failure, moves_traffic, tells_of_endpoint, went_well
from fairlead.health.endpoint import State

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "health.md").read_text()


def rows(heading: str) -> dict[str, list[str]]:
    """The table under a heading, by its first cell."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[1:] for row in cells}


@pytest.mark.parametrize(
    ("row", "numbers"),
    [
        ("evidence counts for", [window.INTERVALS]),
        ("`Down` by traffic", [finding.REQUESTS]),
        ("brown-out", [finding.ERRORS_PERCENT, finding.RATED, record.STEPS[2], record.STEPS[1]]),
        (
            "slow",
            [
                95,
                latency.TIMES,
                latency.REMEMBERED_MS // 60_000,
                latency.FLOOR_MS // 1000,
                latency.STREAMS,
                record.STEPS[2],
                record.STEPS[1],
            ],
        ),
        ("a name without an address at all gateways", [standing.NAMELESS_MS // 1000]),
        ("the return begins", [finding.REQUESTS, window.INTERVALS]),
        ("a step", [record.STEP, finding.REQUESTS, window.INTERVALS]),
        ("the wait before a return", [0, 1, 2, 4, record.LONGEST_WAIT]),
        ("forgiven", [record.FORGIVEN]),
    ],
)
def test_numbers_are_those_of_the_machine(row: str, numbers: list[int]) -> None:
    assert [int(found) for found in re.findall(r"\d+", rows("What counts")[row][0])] == numbers


def test_the_defaults_are_those_of_the_resource() -> None:
    check = HealthCheck()
    assert (
        f"healthCheck: {{interval: {check.interval}, timeout: {check.timeout}, unhealthyThreshold:"
        f" {check.unhealthy_threshold}, healthyThreshold: {check.healthy_threshold}}}"
    ) in PAGE


def test_every_state_is_told() -> None:
    assert list(rows("States")) == [f"`{state}`" for state in State]


OUTCOMES: dict[str, list[Outcome]] = {
    "2xx": [(200, "-"), (201, "-")],
    "2xx that broke off, reset, timeout": [(200, "UC"), (0, "UC"), (0, "UT"), (504, "UT")],
    "3xx, 421, 426": [(301, "-"), (307, "-"), (421, "-"), (426, "-")],
    "407, 423, 425": [(407, "-"), (423, "-"), (425, "-")],
    "400, 413, 422": [(400, "-"), (413, "-"), (422, "-")],
    "401": [(401, "-")],
    "402": [(402, "-")],
    "403": [(403, "-")],
    "404, 405, 408, 410, 451, 499": [(status, "-") for status in (404, 405, 408, 410, 451, 499)],
    "429, 498": [(429, "-"), (498, "-")],
    "5xx": [(500, "-"), (503, "-")],
    "no connection, no TLS, no HTTP": [(0, "UF"), (503, "UF"), (502, "UPE")],
}


def judged(outcome: Outcome) -> str:
    if went_well(outcome):
        return "well"
    if not moves_traffic(outcome):
        return "nothing"
    if tells_of_endpoint(outcome):
        return "failed, of the whole endpoint"
    return "failed, but alive" if str(failure(outcome)) == "RateLimited" else "failed"


def test_every_row_of_the_table_is_what_the_machine_makes_of_it() -> None:
    table = rows("What an attempt says")
    assert {name: {judged(one) for one in outcomes} for name, outcomes in OUTCOMES.items()} == {
        name: {cells[0]} for name, cells in table.items()
    }
