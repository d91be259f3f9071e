"""What the machine of rollouts does in each story, line by line: `timelines/`, to be read by people."""

from pathlib import Path

import pytest

from rollout_stories import STORIES, Story, text

FOLDER = Path(__file__).parent / "timelines"


@pytest.mark.parametrize("story", STORIES, ids=lambda one: one.name)
def test_a_story_goes_as_it_did(story: Story, request: pytest.FixtureRequest) -> None:
    path = FOLDER / f"{story.name}.txt"
    if request.config.getoption("--update-golden"):
        path.write_text(text(story))
    assert path.read_text() == text(story)


def test_no_story_is_left_over() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {one.name for one in STORIES}
