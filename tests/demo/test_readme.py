"""The README's configuration, with the README's own commands."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fairlead.demo.port import PortClaims

pytestmark = [pytest.mark.envoy, pytest.mark.timeout(90)]

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()
BLOCKS = dict(re.findall(r"^```yaml\n# (\S+)\n(.*?)^```", README, re.DOTALL | re.MULTILINE))
(COMMANDS,) = re.findall(r"^```sh\n(export PATH.*?)^```", README, re.DOTALL | re.MULTILINE)


def test_the_readme_runs(tmp_path: Path) -> None:
    with PortClaims(tmp_path / "ports") as claims:
        ports = claims.claim({8101, 9001})
    texts = {**BLOCKS, "run.sh": f"set -eu\n{COMMANDS}"}
    for name, text in texts.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        for wanted, free in ports.items():
            text = text.replace(str(wanted), str(free))  # noqa: PLW2901 - another port each time
        path.write_text(text)
    bin_folder = str(Path(sys.executable).parent)
    env = {**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}"}
    with subprocess.Popen(
        ["bash", "run.sh"],
        cwd=tmp_path,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as shell:
        assert shell.stdout is not None
        try:
            seen = []
            for line in shell.stdout:
                seen.append(line)
                if "chat.completion" in line:
                    break
            assert "us-east-1/model-a is what" in seen[-1], "".join(seen)
        finally:
            os.killpg(shell.pid, signal.SIGTERM)
            shell.stdout.read()
