"""The YAML of each guide is one whole that `fairlead check` accepts without a word."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from fairlead.cli import main

GUIDES = sorted((Path(__file__).resolve().parents[3] / "docs" / "guides").glob("*.md"))


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_a_guide_is_accepted(guide: Path, tmp_path: Path) -> None:
    text = guide.read_text()
    blocks = re.findall(r"^```yaml\n# (\S+)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert len(blocks) == text.count("```yaml"), "every block begins with the name of its file"
    for name, content in blocks:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    words = ["check", "--strict", "-f", str(tmp_path / "resources"), "-c", str(tmp_path / "installation.yaml")]
    outcome = CliRunner().invoke(main, words, env={name: f"sk-{name}" for name in re.findall(r"\$\{(\w+)\}", text)})
    assert (outcome.exit_code, "problem" in outcome.output) == (0, False), outcome.output
