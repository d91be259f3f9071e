"""Every snippet of the docs is at least what it says that it is, and names commands and options that there are."""

import ast
import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from fairlead.cli import main

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
SNIPPETS = [
    pytest.param(language, text, id=f"{page.relative_to(ROOT)}-{number}")
    for page in PAGES
    for number, (language, text) in enumerate(
        re.findall(r"^```([a-z]+)\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    )
]
KNOWN = {"yaml", "json", "python", "sh", "console", "promql", "mermaid"}
"""The last two are judged by their own tests, or by the eye."""


@pytest.mark.parametrize(("language", "text"), SNIPPETS)
def test_a_snippet_is_what_it_says(language: str, text: str) -> None:
    assert language in KNOWN
    if language == "yaml":
        assert list(yaml.safe_load_all(text))
    elif language == "json":
        json.loads(text.replace("[...]", "[]"))
    elif language == "python":
        ast.parse(text)
    elif language in {"sh", "console"}:
        subprocess.run(["bash", "-n"], input=text, text=True, check=True, capture_output=True, timeout=60)
        for command in re.findall(r"(?:^|[|;&$(]\s*|kubectl )fairlead ([a-z][^|;&#)]*)", text, re.MULTILINE):
            _is_there(command.replace("\\\n", " ").partition("\n")[0].split())


def _is_there(words: list[str]) -> None:
    told = CliRunner().invoke(main, [words[0], "--help"])
    assert told.exit_code == 0, words
    for option in (word.partition("=")[0] for word in words[1:] if word.startswith("-")):
        assert re.search(rf"(?:^|[\s,]){re.escape(option)}\b", told.output), words
