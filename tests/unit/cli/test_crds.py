from pathlib import Path

from command_line import run


def test_crds_are_written(tmp_path: Path) -> None:
    assert run("crds", "-o", tmp_path / "crds").exit_code == 0
    generated = {path.name: path.read_bytes() for path in (tmp_path / "crds").iterdir()}
    committed = Path(__file__).resolve().parents[3] / "crds"
    assert generated == {path.name: path.read_bytes() for path in committed.iterdir()}
