"""The quick start, from its files to the answer: each snippet runs as it stands, but for the provider and ports."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from running_up import PATIENCE_S, RunningUp, Site

from fairlead.demo.provider import SimulatedProvider

pytestmark = pytest.mark.envoy
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "quickstart.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
ENVIRONMENT = {"OPENAI_API_KEY": "sk-openai", "LAPTOP_KEY": "sk-my-laptop"}


def block(language: str, words: str) -> str:
    """The one snippet of a language with these words in it."""
    (found,) = [text for name, text in BLOCKS if name == language and words in text]
    assert isinstance(found, str)
    return found


def test_the_quick_start_runs(tmp_path: Path, start: Callable[..., RunningUp]) -> None:
    site = Site(tmp_path)
    with SimulatedProvider(models=("gpt-4o-mini", "gpt-4o"), keys=(ENVIRONMENT["OPENAI_API_KEY"],)) as simulated:

        def here(text: str) -> str:
            return (
                text.replace("https://api.openai.com/v1", simulated.base_url)
                .replace("127.0.0.1:8101", f"127.0.0.1:{site.ports[0]}")
                .replace("OPENAI_API_KEY=sk-...", f"OPENAI_API_KEY={ENVIRONMENT['OPENAI_API_KEY']}")
            )

        def run(*command: str, code: int = 0) -> str:
            path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
            said = subprocess.run(
                command,
                cwd=tmp_path,
                env={**os.environ, **ENVIRONMENT, "PATH": path},
                capture_output=True,
                text=True,
                check=False,
                timeout=PATIENCE_S,
            )
            assert said.returncode == code, said
            return said.stdout

        files = [text for language, text in BLOCKS if language == "yaml"]
        assert len(files) == 4
        for text in files:
            path = tmp_path / text.removeprefix("# ").partition("\n")[0]
            path.parent.mkdir(exist_ok=True)
            path.write_text(here(text))
        site.manifests = tmp_path / "resources"
        check = here(block("sh", "fairlead check")).replace("fairlead up -f resources -c fairlead.yaml", "")
        assert run("bash", "-euc", check).startswith("ok: ")
        start(site, **ENVIRONMENT).serving()
        assert "chat.completion" in run("bash", "-euc", here(block("sh", "curl -s")))
        assert "ChatCompletion(" in run(sys.executable, "-c", here(block("python", "OpenAI(")))
        assert "fairlead/chat" in run("bash", "-euc", here(block("sh", "fairlead status")))
