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
        regions, key, agent_key = scene.regions(), scene.key, scene.agent_key
        assert scene.budgets.read_text().count('usd: "1.00"') == 1, "the line to paste changes it"
    *curls, usage = [shlex.split(line) for line in text.splitlines() if line.startswith("curl")]
    assert usage[2:] == [f"{regions[0].base_url}/usage", "-H", f"Authorization: Bearer {agent_key}"]
    assert [words[2] for words in curls] == [f"{region.base_url}/chat/completions" for region in regions]
    for words in curls:
        assert f"Authorization: Bearer {key}" in words
        assert json.loads(words[-1])["model"] == "chat"
    (script,) = re.findall(r"<<'EOF'\n(.*?)EOF", text, re.DOTALL)
    compile(script, "script", "exec")
