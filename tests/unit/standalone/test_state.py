import tempfile
from pathlib import Path

import pytest

from fairlead.errors import StateError
from fairlead.standalone.state import BudgetFolder, RegionFolder, StateFolder


def test_the_folder_stands_beside_the_installation_file() -> None:
    assert StateFolder.beside(Path("/etc/x/fairlead.yaml")).region("eu").keys == Path("/etc/x/.fairlead/eu/keys")


def test_a_path_too_long_for_a_socket_gets_another_place(tmp_path: Path) -> None:
    short = RegionFolder(root=Path("/s/eu"))
    assert short.admin == Path("/s/eu/admin.sock")
    long = RegionFolder(root=tmp_path / ("x" * 90) / "eu")
    assert len(str(long.admin)) < 108
    assert long.admin == RegionFolder(root=long.root).admin, "the same each time, so that `status` finds it"
    assert long.admin != RegionFolder(root=tmp_path / ("x" * 90) / "us").admin


@pytest.mark.parametrize("length", range(86, 96))
def test_every_socket_of_a_budget_server_has_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    # Their names differ in length, so one may fit beside the rest where another does not
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    root = tmp_path / ("x" * (length - len(str(tmp_path)) - 1))
    assert len(str(root)) == length
    folder = BudgetFolder(root=root)
    folder.make()
    folder.make()  # as each start does
    places = folder.places
    assert all(socket.parent.is_dir() for socket in (places.rpc, places.usage, places.http))
    places.http.touch()
    assert (root / "http.sock").samefile(places.http), "found where the documentation says, wherever it stands"


def test_folders_and_logs_are_private(tmp_path: Path) -> None:
    folder = RegionFolder(root=tmp_path / "eu")
    folder.make()
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.root.rglob("*")}
    assert modes.pop("access.log") == modes.pop("envoy.log") == 0o600
    assert set(modes.values()) == {0o700}


def test_a_socket_folder_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    folder = RegionFolder(root=tmp_path / "eu")
    folder.root.mkdir()
    folder.root.chmod(0o777)
    with pytest.raises(StateError, match="others may write to it"):
        folder.make()
