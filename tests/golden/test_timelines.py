"""What the machine of health does in each scenario, line by line, and the page of diagrams made from the same runs."""

from pathlib import Path

import pytest

from health_scenarios import SCENARIOS, Scenario
from health_timeline import page, text

FOLDER = Path(__file__).parent / "timelines"
PAGE = Path(__file__).parents[2] / "docs" / "timelines.md"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.name)
def test_a_scenario_goes_as_it_did(scenario: Scenario, request: pytest.FixtureRequest) -> None:
    path = FOLDER / f"{scenario.name}.txt"
    if request.config.getoption("--update-golden"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text(scenario))
    assert path.read_text() == text(scenario)


def test_no_timeline_is_left_over() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {one.name for one in SCENARIOS}


def test_the_page_of_diagrams_is_as_it_is_generated(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update-golden"):
        PAGE.write_text(page(SCENARIOS))
    assert PAGE.read_text() == page(SCENARIOS)
