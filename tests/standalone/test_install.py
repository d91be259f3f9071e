"""`pip install '.[standalone]'` brings all that `fairlead up` needs, and nothing of the demo's or the tests'."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from running_up import RunningUp, Site, ask

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.envoy
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_up_runs_in_a_fresh_environment(tmp_path: Path, site: Site, start: Callable[..., RunningUp]) -> None:
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    # The pip of this environment, for that one; what is never run there need not be compiled.
    pip = [sys.executable, "-m", "pip", "--python", environment / "bin" / "python", "--disable-pip-version-check"]
    install = [*pip, "install", "--quiet", "--no-compile", "--constraint", ROOT / "requirements.txt"]
    subprocess.run([*install, f"{ROOT}[standalone]"], check=True, timeout=280)
    start(site, command=(str(environment / "bin" / "fairlead"),)).serving()
    assert ask(site.ports[0])[:2] == (200, "sim/one/sparrow")
    for words in (["status"], ["budgets"], ["kill", "team/agent"], ["operator"], ["operator", "--help"], ["demo"]):
        told = subprocess.run(
            [environment / "bin" / "fairlead", *words], check=False, capture_output=True, text=True, timeout=60
        )
        assert (told.returncode, told.stdout, told.stderr.count("\n")) == (1, "", 1), told
        assert "pip install 'fairlead[" in told.stderr
    installed = subprocess.run(
        [*pip, "list", "--format", "freeze"], check=True, capture_output=True, text=True
    ).stdout.lower()
    assert not any(name in installed for name in ("pytest", "openai", "numpy", "kopf"))
