"""What stands in a budget database that is not whole counts as nothing, and that is said: never $0 without a word."""

import sqlite3
from pathlib import Path

import pytest

from fairlead.budgetserver import database_file
from fairlead.budgetserver.store import StoreError

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
    assert "spending counts from $0 again" in said


FOREIGN = {
    "another program's": "CREATE TABLE invoices (id INTEGER PRIMARY KEY, cents INTEGER)",
    "other columns": "CREATE TABLE counter (name TEXT PRIMARY KEY, dollars REAL)",
    "other types": "CREATE TABLE gateway (name TEXT PRIMARY KEY, seen_ms TEXT NOT NULL) WITHOUT ROWID",
    "a view": "CREATE VIEW counter AS SELECT 'x' AS name, 0 AS spent, 0 AS reserved, 0 AS estimated, 0 AS gone_ms",
    "a trigger": "CREATE TABLE damaged (origin TEXT NOT NULL, content TEXT NOT NULL);"
    "CREATE TRIGGER gone AFTER INSERT ON damaged BEGIN DELETE FROM damaged; END",
    "a negative version": "PRAGMA user_version = -3",
}


@pytest.mark.parametrize("script", FOREIGN.values(), ids=FOREIGN)
def test_a_database_of_another_schema_is_kept_and_said(tmp_path: Path, script: str) -> None:
    path = tmp_path / "budget.db"
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()
    content = path.read_bytes()
    (said,) = opened(path)
    assert "it is kept as budget.db.damaged, and spending counts from $0 again" in said
    assert path.with_name("budget.db.damaged").read_bytes()[100:] == content[100:]
    assert opened(path) == []


def test_a_database_of_a_newer_version_is_left_as_it_is(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    content = path.read_bytes()
    with pytest.raises(StoreError, match=r"got schema 9, want 1; .* install that one, or move the file away"):
        opened(path)
    assert path.read_bytes() == content


def test_a_folder_or_a_link_to_nothing_in_its_place_is_kept_and_said(tmp_path: Path) -> None:
    path = tmp_path / "budget.db"
    for make in (path.mkdir, path.mkdir, lambda: path.symlink_to(tmp_path / "nowhere")):
        make()
        (said,) = opened(path)
        assert "got no file, want what was spent; it is kept as budget.db.damaged" in said
        path.unlink()


def test_a_mode_that_keeps_its_owner_out_is_mended_and_nothing_is_lost(path: Path) -> None:
    path.chmod(0o000)
    (said,) = opened(path)
    assert "got mode 0000, want 0600" in said
    assert path.stat().st_mode & 0o777 == 0o600
    assert sqlite3.connect(path).execute("SELECT count(*) FROM meter").fetchone() == (201,)
