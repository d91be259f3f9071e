"""`fairlead demo` as a command, up to the point where the story begins."""

import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from click.testing import CliRunner

from fairlead.demo.command import demo
from fairlead.demo.scene import Scene


def test_missing_extras_are_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec

    def find_spec(name: str) -> ModuleSpec | None:
        return None if name in ("xllamacpp", "gguf") else found(name)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    result = CliRunner().invoke(demo, ["--once"])
    assert result.exit_code == 1
    assert "got no `xllamacpp`, `gguf`" in result.output
    assert "pip install 'fairlead[demo]'" in result.output


@pytest.mark.parametrize("arguments", [["--replay", "0"], ["--replay", "121"], ["--speed", "0"], ["--nope"]])
def test_usage_errors(arguments: list[str]) -> None:
    assert CliRunner().invoke(demo, arguments).exit_code == 2


def test_a_second_demo_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    with Scene(tmp_path):
        result = CliRunner().invoke(demo, ["--once", "--dir", str(tmp_path)])
    assert result.exit_code == 1
    assert "another demo runs here" in result.output
