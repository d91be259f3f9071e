"""The SQLite file of what was spent: its tables, and what becomes of one that cannot be read."""

import contextlib
import os
import sqlite3
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fairlead.budgetserver.store import StoreError

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS counter (
  name TEXT PRIMARY KEY, spent INTEGER NOT NULL, reserved INTEGER NOT NULL, estimated INTEGER NOT NULL, gone_ms INTEGER
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS counter_gone ON counter (gone_ms);
CREATE TABLE IF NOT EXISTS entry (
  request TEXT PRIMARY KEY, payer TEXT NOT NULL, phase TEXT NOT NULL, amount INTEGER NOT NULL, booked INTEGER NOT NULL,
  estimated INTEGER NOT NULL, downgraded INTEGER NOT NULL, counters TEXT NOT NULL, due_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entry_due ON entry (phase, due_ms);
CREATE INDEX IF NOT EXISTS entry_open ON entry (payer) WHERE phase = 'open';
CREATE TABLE IF NOT EXISTS waiver (
  payer TEXT PRIMARY KEY, requests INTEGER NOT NULL, at_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS booked (
  key TEXT PRIMARY KEY,
  requests INTEGER NOT NULL, input INTEGER NOT NULL, output INTEGER NOT NULL, cached INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS meter (key TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS gateway (name TEXT PRIMARY KEY, seen_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS version (number INTEGER NOT NULL, since_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS damaged (origin TEXT NOT NULL, content TEXT NOT NULL);
INSERT INTO version SELECT 0, 0 WHERE NOT EXISTS (SELECT 1 FROM version);
"""
_WHOLE = "ok"
_DAMAGED = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
_ANEW = "spending counts from $0 again: lower limits until windows end, or stop the server and put a copy back"
_HEADER_BYTES = 100
"""SQLite takes what is shorter for an empty database: https://sqlite.org/fileformat.html, 1.3."""


FILE_MODE = 0o600
_READABLE = stat.S_IRUSR | stat.S_IWUSR


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Which file stands at a path."""

    device: int
    inode: int
    size: int


def standing(path: Path) -> Standing | None:
    """Return which file stands there; None for none, and for what is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return Standing(device=found.st_dev, inode=found.st_ino, size=found.st_size)


def connect(path: Path, warn: Callable[[str], None]) -> sqlite3.Connection:
    """Open the file, with all tables.

    Spending that cannot be read counts as none, told by `warn`; a damaged file is kept for a person, as
    `<name>.damaged`: what is in it may be worth money.

    Raises:
        StoreError: it was written by a newer version, or cannot be set aside.
        sqlite3.Error: the disk is full, say.

    """
    found = standing(path)
    if found is None and os.path.lexists(path):
        aside = _set_aside(path, "no file")
        warn(f"{path}: got no file, want what was spent; it is kept as {aside.name}, and {_ANEW}")
    elif found is not None:
        _open_mode(path, warn)
    try:
        connection = _opened(path)
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # SQLite's own words quote what is damaged
        if isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", None) not in _DAMAGED:
            raise
        aside = _set_aside(path, str(error))
        warn(f"{path}: {error}; it is kept as {aside.name}, and {_ANEW}")
        return _opened(path)
    if found is not None and found.size < _HEADER_BYTES:
        warn(f"{path}: got {found.size} bytes, want what was spent; {_ANEW}")
    return connection


def advice(error: sqlite3.Error) -> str:
    """Return what to do about an error of SQLite, to stand behind it; empty where nobody knows."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without SQLite's details
    if code == sqlite3.SQLITE_FULL:
        return "; free space on its disk"
    if code in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR}:
        return "; let this user read and write the file and its folder, on a disk that works"
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return "; end the process that holds it"
    return ""


def rewrite(path: Path, connection: sqlite3.Connection) -> None:
    """Write anew, from a connection that is still open, a file that was removed.

    Raises:
        StoreError: what stands there now cannot be set aside.
        sqlite3.Error: the file cannot be written.

    """
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    connection.execute("VACUUM INTO ?", (str(draft),))
    draft.chmod(FILE_MODE)
    if os.path.lexists(path):
        _set_aside(path, "no file")
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    draft.replace(path)


def _open_mode(path: Path, warn: Callable[[str], None]) -> None:
    """Let the owner read and write the file; one that still cannot be read fails when it is opened."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & _READABLE != _READABLE:
            path.chmod(FILE_MODE)
            warn(f"{path}: got mode {mode:04o}, want {FILE_MODE:04o}; it has that now, and nothing is lost")
    except OSError:
        return


def _set_aside(path: Path, reason: str) -> Path:
    aside = path.with_name(f"{path.name}.damaged")
    try:
        if aside.is_dir() and not aside.is_symlink():  # of an earlier time: a folder is never replaced
            aside.rename(aside.with_name(f"{aside.name}.{aside.stat().st_ino}"))
        for ending in ("", "-wal", "-shm"):
            part = path.with_name(path.name + ending)
            if os.path.lexists(part):
                part.replace(aside.with_name(aside.name + ending))
    except OSError as problem:
        raise StoreError(f"{path}: {reason}, and it cannot be set aside: {problem}; move it away") from problem
    return aside


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=1.0, isolation_level=None, check_same_thread=False)
    connection.text_factory = _text
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        _check_version(path, connection)
        _check_pages(connection)
        _check_tables(connection)
        connection.executescript(_SCHEMA)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    except (sqlite3.Error, StoreError, UnicodeDecodeError):
        connection.close()
        raise
    return connection


def _text(found: bytes) -> str:
    """Decode text, also one that is none: it would fail everybody's step, and `damaged_rows` sets it aside."""
    return found.decode("utf-8", "replace")


def _check_pages(connection: sqlite3.Connection) -> None:
    """Look at every page once: a damaged one would make each booking fail, and nobody would be refused.

    An index that does not fit its table is made anew, which loses nothing.
    """
    found = _integrity(connection)
    if found != _WHOLE:
        connection.execute("REINDEX")
        found = _integrity(connection)
    if found != _WHOLE:
        raise _damaged(found)


def _integrity(connection: sqlite3.Connection) -> str:
    found = connection.execute("PRAGMA integrity_check(1)").fetchone()
    return str(found[0]) if found else "got no answer"


def _check_tables(connection: sqlite3.Connection) -> None:
    """Compare the tables that are there: what another program wrote, or one with other columns, is no counter."""
    with contextlib.closing(sqlite3.connect(":memory:")) as ours:
        ours.executescript(_SCHEMA)
        wanted = _columns(ours)
    found = _columns(connection)
    if strange := sorted(name for name, columns in found.items() if wanted.get(name) != columns):
        raise _damaged(f"got the table {strange[0]!r} of another schema")


def _columns(connection: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    names = connection.execute(
        "SELECT name FROM sqlite_master WHERE type <> 'index' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
    ).fetchall()
    return {name: connection.execute("SELECT * FROM pragma_table_info(?)", (name,)).fetchall() for (name,) in names}


def _damaged(what: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(what)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def _check_version(path: Path, connection: sqlite3.Connection) -> None:
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found < 0:
        raise _damaged(f"got schema {found}")
    if found > SCHEMA_VERSION:
        raise StoreError(
            f"{path}: got schema {found}, want {SCHEMA_VERSION}; it was written by a newer version:"
            " install that one, or move the file away and count from $0"
        )
