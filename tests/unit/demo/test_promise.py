"""The parts of the story that need no gateway."""

import pytest

from fairlead.demo.promise import StoryError, expect


def test_expect() -> None:
    expect(True, "nothing happens")
    with pytest.raises(StoryError, match="because"):
        expect(False, "because")
