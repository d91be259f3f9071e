import os
import stat
from pathlib import Path

import pytest

from fairlead.adapters import disk
from fairlead.errors import StateError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_files_are_private_and_replaced_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "f.json"
    old = os.umask(0)
    try:
        assert disk.write(path, b"1")
    finally:
        os.umask(old)
    assert (mode(path), mode(path.parent), mode(path.parent.parent)) == (0o600, 0o700, 0o700)
    inode = path.stat().st_ino
    assert not disk.write(path, b"1"), "the same content is no write: Envoy would read everything again"
    assert path.stat().st_ino == inode
    assert disk.write(path, b"2")
    assert path.stat().st_ino != inode
    assert [entry.name for entry in path.parent.iterdir()] == ["f.json"]


def test_a_leftover_of_a_killed_writer_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / ".f.new").write_bytes(b"half")
    assert disk.write(tmp_path / "f", b"1")
    assert disk.read(tmp_path / "f") == b"1"


def test_absent_files(tmp_path: Path) -> None:
    assert disk.read(tmp_path / "no" / "f") is None
    assert not disk.remove(tmp_path / "f")


def test_prune_keeps_what_it_is_told(tmp_path: Path) -> None:
    for name in ("a/x", "a/y", "b/z"):
        disk.write(tmp_path / name, b"1")
    assert disk.prune(tmp_path, frozenset({tmp_path / "a" / "x"})) == (tmp_path / "a" / "y", tmp_path / "b" / "z")
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == ["a", "a/x"]
    assert disk.prune(tmp_path / "nowhere", frozenset()) == ()


def test_what_cannot_be_written_is_a_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="file exists"):
        disk.write(tmp_path / "file" / "f", b"1")
    with pytest.raises(StateError, match="choose another folder with --state"):
        disk.directory(tmp_path / "file" / "d")
