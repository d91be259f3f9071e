"""Whatever is not installed, one line says it."""

import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from fairlead.cli import extras

PROJECT = tomllib.loads((Path(__file__).resolve().parents[3] / "pyproject.toml").read_text())["project"]


def named(requirement: str) -> str:
    return plain(requirement.partition(">")[0].partition("=")[0].partition("[")[0])


def plain(name: str) -> str:
    return name.lower().replace("_", "-")


@pytest.mark.parametrize("extra", extras.MODULES)
def test_every_requirement_of_an_extra_is_known(extra: str) -> None:
    modules = metadata.packages_distributions().items()
    for requirement in map(named, PROJECT["optional-dependencies"][extra]):
        brought = {module for module, distributions in modules if requirement in map(plain, distributions)}
        assert requirement == "fairlead" or brought & extras.MODULES[extra], requirement


@pytest.mark.parametrize(
    ("module", "words", "advice"),
    [
        ("watchfiles", ["up", "-f", "FOLDER", "-c", "/dev/null"], "'fairlead[standalone]'"),
        ("structlog", ["up", "-f", "FOLDER", "-c", "/etc/hosts"], "'fairlead[standalone]'"),
        ("kopf", ["operator", "--help"], "'fairlead[operator]'"),
        ("hpack", ["budget-server", "--config", "/nowhere"], "'fairlead[budget]'"),
        ("kubernetes", ["status"], "'fairlead[operator]'"),
        ("kubernetes", ["budgets"], "'fairlead[operator]'"),
        ("kubernetes", ["kill", "team/agent"], "'fairlead[operator]'"),
        ("httpx", ["status", "--state", "/nowhere"], "'fairlead[standalone]'"),
    ],
)
def test_what_is_missing_is_one_line(module: str, words: list[str], advice: str, tmp_path: Path) -> None:
    words = [str(tmp_path) if word == "FOLDER" else word for word in words]
    code = f"import sys; sys.modules[{module!r}] = None\nfrom fairlead.cli import main; main({words!r})"
    told = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert (told.returncode, told.stdout, told.stderr.count("\n")) == (1, "", 1), told
    assert module in told.stderr
    assert advice in told.stderr
