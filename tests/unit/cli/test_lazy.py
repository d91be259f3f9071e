import subprocess
import sys
from pathlib import Path

import pytest
from command_line import run, write

from fairlead.cli import main


def test_help_loads_nothing_that_it_does_not_need() -> None:
    code = "import sys; from fairlead.cli import main\ntry: main(['--help'])\nfinally: print(sorted(sys.modules))"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    for command in ("check", "render", "up", "status", "crds", "demo"):
        assert f"\n  {command} " in printed
    for heavy in ("pydantic", "yaml", "httpx", "structlog", "asyncio"):
        assert f"'{heavy}'" not in printed, heavy


@pytest.mark.parametrize("command", main.list_commands(None))  # type: ignore[arg-type]  # it does not look at it
def test_every_command_explains_itself(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: fairlead {command}")


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["check"],
        ["check", "-f", "/nowhere"],
        ["render", "-f", "/"],
        ["up", "-f", "/"],
        ["status", "-An", "a"],
    ],
)
def test_usage_errors_exit_with_2(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_an_installation_that_is_wrong_is_told_in_full(files: Path) -> None:
    write(files / "fairlead.yaml", {"regions": [{"name": "US"}], "limit": {}})
    result = run("check", "-f", files / "m", "-c", files / "fairlead.yaml")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    for part in (
        "regions[0].name: got `US`",
        "regions[0].geo: got nothing",
        "limit: got an unknown field, want `limits`",
    ):
        assert part in result.stderr
