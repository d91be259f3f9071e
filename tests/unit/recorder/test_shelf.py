"""What is kept is private, and never more or older than allowed."""

import stat
from pathlib import Path
from typing import Any

import pytest

from fairlead.errors import RecorderError
from fairlead.recorder.shelf import Shelf, read


def pair(number: int, size: int = 0) -> dict[str, Any]:
    return {"request": str(number), "text": "x" * size}


def requests(folder: Path) -> list[str]:
    return [one["request"] for one in read(folder)]


def test_newest_first_and_private(tmp_path: Path) -> None:
    folder = tmp_path / "pairs"
    shelf = Shelf(folder, keep_ms=16_000, most_bytes=100_000)
    for number in range(3):
        assert shelf.put(pair(number), number * 900)
    assert requests(folder) == ["2", "1", "0"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert len(list(folder.iterdir())) == 2


def test_nothing_is_older_than_allowed(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, keep_ms=16_000, most_bytes=100_000) if tmp_path.chmod(0o700) is None else None
    assert shelf
    for second in range(40):
        shelf.put(pair(second), second * 1000)
        assert all(int(one) > second - 16 for one in requests(tmp_path))
        assert second < 20 or len(requests(tmp_path)) >= 15
    shelf.clear(100_000)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_larger_than_allowed(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    shelf = Shelf(tmp_path, keep_ms=10**9, most_bytes=100_000)
    for number in range(400):
        assert shelf.put(pair(number, size=900), 1)
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 100_000
    assert requests(tmp_path)[0] == "399"
    assert len(requests(tmp_path)) > 90
    assert not shelf.put(pair(1000, size=60_000), 1)


def test_a_shelf_goes_on_where_it_was_and_leaves_what_is_not_its_own(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "pairs-000000000000001.jsonl").symlink_to(tmp_path / "notes.txt")
    Shelf(tmp_path, keep_ms=16_000, most_bytes=100_000).put(pair(1), 5000)
    with next(tmp_path.glob("pairs-*5000.jsonl")).open("ab") as file:
        file.write(b'{"request": "cut')
    assert requests(tmp_path) == ["1"]
    Shelf(tmp_path, keep_ms=16_000, most_bytes=100_000).clear(10**9)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_folder_that_everybody_may_read_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(RecorderError, match="everybody may read it"):
        Shelf(tmp_path, keep_ms=1, most_bytes=1)
    with pytest.raises(RecorderError, match="no recorder ever wrote there"):
        requests(tmp_path / "none")
