"""What a kubelet brings in gzip stands unpacked beside it; what did not change stays, whatever happens in between."""

import gzip
from pathlib import Path

import pytest

from fairlead.adapters.unpacked import Unpacked

FILES = {"cds.json": b"clusters", "lds.json": b"listeners", "rds.json": b"routes"}


class Mount:
    """Folders as a kubelet's AtomicWriter makes them, and what is unpacked of them."""

    def __init__(self, root: Path) -> None:
        self.path, self.folder = root / "mount", root / "folder"
        self.path.mkdir()
        self.folder.mkdir()
        self.unpacked = Unpacked(self.path, self.folder)

    def bring(self, version: str, files: dict[str, bytes]) -> None:
        made = self.path / version
        made.mkdir()
        for name, content in files.items():
            made.joinpath(f"{name}.gz").write_bytes(content)
        following = self.path / "..data_tmp"
        following.symlink_to(version)
        following.replace(self.path / "..data")

    def bring_packed(self, version: str, files: dict[str, bytes]) -> None:
        self.bring(version, {name: gzip.compress(content) for name, content in files.items()})

    def shown(self) -> dict[str, bytes]:
        return {one.name: one.read_bytes() for one in self.folder.iterdir() if not one.name.startswith("..")}

    def files(self) -> dict[str, int]:
        return {one.name: one.stat().st_ino for one in self.folder.glob("*.json")}

    def kept(self) -> set[str]:
        return {one.name for one in self.folder.iterdir() if one.name.startswith("..")}


@pytest.fixture
def mount(tmp_path: Path) -> Mount:
    return Mount(tmp_path)


def test_versions_follow_each_other(mount: Mount) -> None:
    mount.bring_packed("..1", FILES)
    assert not mount.unpacked.is_current()
    assert mount.unpacked.renew()
    assert mount.unpacked.is_current()
    assert not mount.unpacked.renew(), "there is nothing to do"
    assert mount.shown() == FILES
    mount.bring_packed("..2", {**FILES, "rds.json": b"other routes"})
    assert mount.unpacked.renew()
    assert mount.shown() == {**FILES, "rds.json": b"other routes"}
    assert mount.kept() == {"..data"}, "nothing of before takes room"
    mount.bring_packed("..3", {"rds.json": b"other routes"})
    assert mount.unpacked.renew()
    assert mount.shown() == {"rds.json": b"other routes"}, "what is not brought any more is gone"


def test_only_what_changed_is_replaced(mount: Mount) -> None:
    mount.bring_packed("..1", FILES)
    mount.unpacked.renew()
    before = mount.files()
    mount.bring_packed("..2", {**FILES, "rds.json": b"other routes"})
    mount.unpacked.renew()
    assert {name for name, file in mount.files().items() if file != before[name]} == {"rds.json"}


def test_clusters_are_there_before_listeners_and_routes(mount: Mount, monkeypatch: pytest.MonkeyPatch) -> None:
    mount.bring_packed("..1", FILES)
    mount.unpacked.renew()
    seen, replace = [], Path.replace

    def noted(path: Path, target: Path) -> Path:
        seen.append(target.name)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", noted)
    mount.bring_packed("..2", dict.fromkeys(reversed(FILES), b"new"))
    seen.clear()
    mount.unpacked.renew()
    assert seen == ["cds.json", "lds.json", "rds.json", "..data"]


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param(b"no gzip", id="something else"),
        pytest.param(gzip.compress(b"routes")[:-3], id="without its end"),
        pytest.param(gzip.compress(b"routes")[:12], id="without half of it"),
    ],
)
def test_a_damaged_version_is_named_and_not_taken(mount: Mount, damaged: bytes) -> None:
    mount.bring_packed("..1", FILES)
    mount.unpacked.renew()
    mount.bring("..2", {"cds.json": gzip.compress(b"new"), "rds.json": damaged})
    with pytest.raises(ValueError, match=r"rds\.json\.gz: got no gzip"):
        mount.unpacked.renew()
    assert mount.shown() == FILES
    mount.bring_packed("..3", {"cds.json": b"3", "rds.json": b"3"})
    assert mount.unpacked.renew()
    assert mount.shown() == {"cds.json": b"3", "rds.json": b"3"}


def test_an_empty_file_is_no_gzip(mount: Mount) -> None:
    mount.bring("..1", {"rds.json": b""})
    with pytest.raises(ValueError, match=r"rds\.json\.gz: got an empty file, want gzip"):
        mount.unpacked.renew()


def test_what_is_too_long_is_not_taken(mount: Mount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairlead.adapters.unpacked.LONGEST_FILE_BYTES", 10)
    mount.bring_packed("..1", {"rds.json": b"x" * 11})
    with pytest.raises(ValueError, match=r"rds\.json\.gz: got more than 10 bytes"):
        mount.unpacked.renew()


def test_a_mount_without_a_version_is_an_error(mount: Mount) -> None:
    with pytest.raises(FileNotFoundError):
        mount.unpacked.renew()
    assert not mount.unpacked.is_current()


@pytest.mark.parametrize("is_link", [False, True])
def test_what_a_kill_left_is_written_anew(mount: Mount, is_link: bool) -> None:
    mount.bring_packed("..1", FILES)
    mount.unpacked.renew()
    mount.bring_packed("..2", dict.fromkeys(FILES, b"new"))
    mount.folder.joinpath("cds.json").write_bytes(b"new")
    half = mount.folder / "..next"
    half.symlink_to("..2") if is_link else half.write_bytes(b"n")
    assert mount.unpacked.renew()
    assert mount.shown() == dict.fromkeys(FILES, b"new")
    assert mount.kept() == {"..data"}
