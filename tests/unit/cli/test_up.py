from pathlib import Path

from command_line import run


def test_up_needs_addresses(files: Path) -> None:
    result = run("up", "-f", files / "m", "-c", files / "fairlead.yaml")
    assert result.exit_code == 1
    assert "region `us-east-1`: listen: got nothing, want an address" in result.stderr
