"""The SQLite file of what was spent: its tables, and what becomes of one that cannot be read."""

import sqlite3
from collections.abc import Callable
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
INSERT INTO version SELECT 0, 0 WHERE NOT EXISTS (SELECT 1 FROM version);
"""
_DAMAGED = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
_HEADER_BYTES = 100
"""SQLite takes what is shorter for an empty database: https://sqlite.org/fileformat.html, 1.3."""


def connect(path: Path, warn: Callable[[str], None]) -> sqlite3.Connection:
    """Open the file, with all tables.

    Spending that cannot be read counts as none, told by `warn`; a damaged file is kept for a person, as
    `<name>.damaged`: what is in it may be worth money.

    Raises:
        StoreError: it was written by a newer version, or cannot be set aside.
        sqlite3.Error: the disk is full, say.

    """
    size = path.stat().st_size if path.is_file() else _HEADER_BYTES
    try:
        connection = _opened(path)
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", None) not in _DAMAGED:
            raise
        aside = _set_aside(path, error)
        warn(f"{path}: {error}; it is kept as {aside.name}, and spending counts from $0 again")
        return _opened(path)
    if size < _HEADER_BYTES:
        warn(f"{path}: got {size} bytes, want what was spent; spending counts from $0 again")
    return connection


def _set_aside(path: Path, error: sqlite3.DatabaseError) -> Path:
    aside = path.with_name(f"{path.name}.damaged")
    try:
        for ending in ("", "-wal", "-shm"):
            part = path.with_name(path.name + ending)
            if part.exists():
                part.replace(aside.with_name(aside.name + ending))
    except OSError as problem:
        raise StoreError(f"{path}: {error}, and it cannot be set aside: {problem}") from error
    return aside


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=1.0, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        _check_version(path, connection)
        _check_pages(connection)
        connection.executescript(_SCHEMA)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    except (sqlite3.Error, StoreError):
        connection.close()
        raise
    return connection


def _check_pages(connection: sqlite3.Connection) -> None:
    """Look at every page once: a damaged one would make each booking fail, and nobody would be refused."""
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        error = sqlite3.DatabaseError(found)
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error


def _check_version(path: Path, connection: sqlite3.Connection) -> None:
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found not in (0, SCHEMA_VERSION):
        raise StoreError(f"{path}: got schema {found}, want {SCHEMA_VERSION}; it was written by a newer version")
