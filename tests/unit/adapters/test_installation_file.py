from pathlib import Path

import pytest

from fairlead.adapters import installation_file
from fairlead.errors import InstallationError


def test_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "fairlead.yaml"
    path.write_text("regions:\n- {name: eu, geo: eu}\n")
    assert installation_file.read(path).regions[0].name == "eu"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "got no such file"),
        (b"", "got 0 documents"),
        (b"regions: []\n---\nregions: []\n", "got 2 documents"),
        (b"regions: [\n", "fairlead.yaml:2: not YAML"),
        (b"regions: []\nregions: []\n", "fairlead.yaml:2: got the key `regions` twice"),
        (b"\xff", "got bytes that are not UTF-8"),
        (b"- a\n", "fairlead.yaml:1: got a list"),
    ],
)
def test_what_cannot_be_used_is_a_message(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "fairlead.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InstallationError, match=message):
        installation_file.read(path)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "fairlead.yaml"
    path.write_text("regions:\n- {name: EU}\nservee: [eu]\n")
    with pytest.raises(InstallationError) as caught:
        installation_file.read(path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert all(line.startswith(f"{path}: ") for line in lines)
