"""What stands in a budget database that is not whole counts as nothing, and that is said: never $0 without a word."""

import sqlite3
from pathlib import Path

import pytest

from fairlead.budgetserver import database_file

PAGE = 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database of several pages."""
    path = tmp_path / "budget.db"
    connection = database_file.connect(path, print)
    connection.executemany("INSERT INTO meter VALUES (?, ?)", [(f"meter {n}", "x" * 200) for n in range(200)])
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path


def opened(path: Path) -> list[str]:
    """Return what is said when a database is opened, after it was used."""
    said: list[str] = []
    connection = database_file.connect(path, said.append)
    connection.execute("INSERT OR REPLACE INTO meter VALUES ('a', 'b')")
    connection.close()
    return said


def test_a_database_that_is_whole_or_new_is_opened_without_a_word(path: Path, tmp_path: Path) -> None:
    assert opened(path) == opened(path) == opened(tmp_path / "new.db") == []
    found = sqlite3.connect(path).execute("SELECT count(*) FROM meter").fetchone()
    assert found == (201,)


@pytest.mark.parametrize("page", range(1, 6))
def test_a_damaged_page_is_found_when_the_file_is_opened(path: Path, page: int) -> None:
    content = bytearray(path.read_bytes())
    content[page * PAGE : (page + 1) * PAGE] = b"\xa5" * PAGE
    path.write_bytes(content)
    (said,) = opened(path)
    assert f"it is kept as {path.name}.damaged, and spending counts from $0 again" in said
    assert path.with_name("budget.db.damaged").read_bytes() == bytes(content)
    assert opened(path) == [], "the next start finds a new one"


@pytest.mark.parametrize("size", [0, 1, 20, 99])
def test_a_file_that_was_cut_is_said(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])
    (said,) = opened(path)
    assert said.endswith("spending counts from $0 again")
