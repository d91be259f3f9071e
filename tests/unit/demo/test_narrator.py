"""What the screen shows."""

import asyncio

import pytest

from fairlead.demo.narrator import Narrator


def test_steps_are_numbered_and_end_with_a_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    narrator = Narrator()
    with narrator.step("The first"):
        narrator.say("it explains")
        narrator.show("one\ntwo")
        narrator.token("word")
    with pytest.raises(ValueError, match="no"), narrator.step("The second"):
        raise ValueError("no")
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:5] == [" 1  The first", "    it explains", "    | one", "    | two"]
    assert lines[5].startswith("word    ok, ")
    assert lines[7] == " 2  The second"
    assert lines[8].startswith("    failed after ")
    assert narrator.seconds > 0


def test_a_step_that_is_stopped_did_not_fail(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(asyncio.CancelledError), Narrator().step("The first"):
        raise asyncio.CancelledError
    assert "    stopped after 0.0 s" in capsys.readouterr().out
