"""The lines to paste are whole."""

import json
import re
import shlex
from pathlib import Path

from fairlead.demo.invitation import invitation
from fairlead.demo.scene import Scene


def test_lines_to_paste(tmp_path: Path) -> None:
    with Scene(tmp_path) as scene:
        text = invitation(scene)
        regions, key = scene.regions(), scene.key
    curls = [shlex.split(line) for line in text.splitlines() if line.startswith("curl")]
    assert [words[2] for words in curls] == [f"{region.base_url}/chat/completions" for region in regions]
    for words in curls:
        assert f"Authorization: Bearer {key}" in words
        assert json.loads(words[-1])["model"] == "chat"
    (script,) = re.findall(r"<<'EOF'\n(.*?)EOF", text, re.DOTALL)
    compile(script, "script", "exec")
