"""Every snippet of the docs is at least what it says that it is, and names commands and options that there are."""

import ast
import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from documents import PAGES, Block, blocks
from fairlead.cli import main

SNIPPETS = [pytest.param(block, id=str(block)) for page in PAGES for block in blocks(page)]
KNOWN = {"yaml", "json", "python", "js", "sh", "console", "promql", "mermaid", ""}


@pytest.mark.parametrize("block", SNIPPETS)
def test_a_snippet_is_what_it_says(block: Block, tmp_path: Path) -> None:
    language, text = block.language, block.text
    assert language in KNOWN
    assert not block.here or block.file or language != "yaml", "name its file in its first line, or mark it as a part"
    if language == "yaml":
        assert list(yaml.safe_load_all(text))
    elif language == "json":
        json.loads(text.replace("[...]", "[]"))
    elif language == "python":
        ast.parse(text)
    elif language == "js":
        module = tmp_path / "snippet.mjs"
        module.write_text(text)
        subprocess.run(["node", "--check", module], check=True, capture_output=True, timeout=60)
    elif language in {"sh", "console"}:
        subprocess.run(["bash", "-n"], input=text, text=True, check=True, capture_output=True, timeout=60)
        for command in re.findall(r"(?:^|[|;&$(]\s*|kubectl )fairlead ([a-z][^|;&#)]*)", text, re.MULTILINE):
            _is_there(command.replace("\\\n", " ").partition("\n")[0].split())
    elif not language and text.startswith("fairlead "):
        for command in text.replace("\n   ", " ").splitlines():
            _is_there(re.sub(r"[\[\]|]", " ", command).split()[1:])


def _is_there(words: list[str]) -> None:
    told = CliRunner().invoke(main, [words[0], "--help"])
    if "COMMAND [ARGS]" in told.output:
        told = CliRunner().invoke(main, [*words[:2], "--help"])
    assert told.exit_code == 0, words
    for option in (word.partition("=")[0] for word in words[1:] if word.startswith("-")):
        assert re.search(rf"(?:^|[\s,]){re.escape(option)}\b", told.output), words
