import json
import re
from pathlib import Path

import pytest

from fairlead.cli import journal


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> pytest.CaptureFixture[str]:
    return capsys


def test_a_line_for_a_person(said: pytest.CaptureFixture[str]) -> None:
    log = journal.to_stdout("text")
    log.info("accepted", what="ModelRoute team/chat: a -> b", ms=61)
    log.bind(region="eu").error("envoy died", exit_code=-9)
    accepted, died = said.readouterr().out.splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d  accepted    ModelRoute team/chat: a -> b  \(61 ms\)", accepted)
    assert re.fullmatch(r"\d\d:\d\d:\d\d  envoy died  region=eu exit_code=-9", died)


def test_a_line_for_a_machine(said: pytest.CaptureFixture[str]) -> None:
    journal.to_stdout("json").bind(region="eu").warning("waiting", what="für X", ms=1)
    line = said.readouterr().out
    event = json.loads(line)
    assert list(event) == ["ts", "level", "event", "region", "what", "ms"]
    assert (event["level"], event["event"], event["what"]) == ("warning", "waiting", "für X")
    assert event["ts"].endswith("Z")


def test_events_below_the_threshold_are_not_said(said: pytest.CaptureFixture[str]) -> None:
    threshold = journal.Threshold()
    log = journal.to_stdout("json", threshold)
    log.info("one")
    threshold.set("Warning")
    log.info("two")
    log.bind(region="eu").warning("three")
    assert [json.loads(line)["event"] for line in said.readouterr().out.splitlines()] == ["one", "three"]


def test_a_full_disk_behind_the_events_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("w", buffering=1) as full:
        monkeypatch.setattr("sys.stdout", full)
        for form in ("text", "json"):
            journal.to_stdout(form).error("failing", what="x" * 9000)
        full.buffer.raw.close()  # type: ignore[attr-defined]  # what could not be written is not tried again
