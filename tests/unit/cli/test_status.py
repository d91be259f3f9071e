from pathlib import Path

from command_line import run


def test_status_without_a_run_says_so(files: Path) -> None:
    result = run("status", "-c", files / "fairlead.yaml")
    assert result.exit_code == 1
    assert "never ran here" in result.stderr
