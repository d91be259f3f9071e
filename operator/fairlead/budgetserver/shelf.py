"""Remembers which answers were given to whom for as long as they can be rated, and what was said of each, once.

A shelf is no ledger: it has a file or keys of its own, so that nothing here makes a booking wait or fail. What it loses
can be rated no more, and that is counted. In Redis an answer is one key with a time to live; a set by age bounds them.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from typing import Any, Protocol, TypeVar

from fairlead.budgetserver import feedback
from fairlead.budgetserver.database_file import FILE_MODE
from fairlead.budgetserver.feedback import KEPT_MS, Answer, Outcome, Rating
from fairlead.budgetserver.store import StoreError

T = TypeVar("T")
Rated = tuple[Outcome, Answer | None]
UNKNOWN: Rated = (Outcome.UNKNOWN, None)
IN_MEMORY = ":memory:"
_FORGET = 64
"""Answers that go at once at most, when one comes."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS answer (
  number INTEGER PRIMARY KEY AUTOINCREMENT, request TEXT NOT NULL UNIQUE, content TEXT NOT NULL, rating TEXT,
  at_ms INTEGER NOT NULL
);
"""
_FORGOTTEN = "DELETE FROM answer WHERE number IN (SELECT number FROM answer ORDER BY number LIMIT ?) AND "
_OLD, _CROWDED = "at_ms <= ?", "number <= (SELECT max(number) FROM answer) - ?"


class Shelf(Protocol):
    """A place where answers are remembered. Every method may raise `StoreError`, and can be repeated."""

    async def note(self, consumer: str, request: str, answer: Answer, now_ms: int) -> int:
        """Remember an answer, once; return how many younger than `KEPT_MS` were forgotten to make room."""

    async def rate(self, consumer: str, request: str, rating: Rating, now_ms: int) -> Rated:
        """Keep what a caller thinks of an answer that it got."""

    async def close(self) -> None:
        """Let go of files and connections."""


class FileShelf:
    """One SQLite file, or memory that ends with the process. A file that cannot be read is set aside, and told."""

    def __init__(self, path: Path | None, warn: Callable[[str], None], *, most: int = feedback.MOST_KEPT) -> None:
        self._path, self._warn, self._most = path, warn, most
        self._connection: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="shelf")

    async def note(self, consumer: str, request: str, answer: Answer, now_ms: int) -> int:
        """See `Shelf`."""
        return await self._run(lambda connection: self._note(connection, _key(consumer, request), answer, now_ms))

    async def rate(self, consumer: str, request: str, rating: Rating, now_ms: int) -> Rated:
        """See `Shelf`."""
        return await self._run(lambda connection: _rate(connection, _key(consumer, request), rating, now_ms))

    async def close(self) -> None:
        """See `Shelf`."""
        self._thread.shutdown(wait=True)
        if self._connection is not None:
            self._connection.close()

    def _note(self, connection: sqlite3.Connection, key: str, answer: Answer, now_ms: int) -> int:
        connection.execute(
            "INSERT OR IGNORE INTO answer (request, content, at_ms) VALUES (?, ?, ?)",
            (key, feedback.encode(answer), now_ms),
        )
        connection.execute(_FORGOTTEN + _OLD, (_FORGET, now_ms - KEPT_MS))
        return connection.execute(_FORGOTTEN + _CROWDED, (_FORGET, self._most)).rowcount

    async def _run(self, step: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._transaction, step)

    def _transaction(self, step: Callable[[sqlite3.Connection], T]) -> T:
        try:
            connection = self._connection = self._connection or self._open()
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                return step(connection)
        except (sqlite3.Error, OSError) as error:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            raise StoreError(f"{self._path or IN_MEMORY}: {error}") from error

    def _open(self) -> sqlite3.Connection:
        try:
            return _opened(self._path)
        except sqlite3.DatabaseError as error:
            if self._path is None or isinstance(error, sqlite3.OperationalError):
                raise
            aside = self._path.with_name(f"{self._path.name}.damaged")
            self._path.replace(aside)
            self._warn(f"{self._path}: {error}; it is kept as {aside.name}, and answers before now cannot be rated")
            return _opened(self._path)


class RedisShelf:
    """A server that several budget servers share."""

    def __init__(self, url: str, *, timeout_s: float, most: int = feedback.MOST_KEPT) -> None:
        # Its client is a fifth of what a start loads, and `fairlead up` needs none.
        from redis.asyncio import Redis  # noqa: PLC0415
        from redis.asyncio.retry import Retry  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415

        self._redis = Redis.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            max_connections=4,
            decode_responses=True,
            encoding_errors="replace",
            retry=Retry(NoBackoff(), 1),
        )
        self._most = most
        self._note = self._redis.register_script(_script("note"))
        self._rate = self._redis.register_script(_script("rate"))

    async def note(self, consumer: str, request: str, answer: Answer, now_ms: int) -> int:
        """See `Shelf`."""
        arguments = [_key(consumer, request), feedback.encode(answer), now_ms, KEPT_MS, self._most, _FORGET]
        return int(await self._call(self._note, arguments))

    async def rate(self, consumer: str, request: str, rating: Rating, now_ms: int) -> Rated:  # noqa: ARG002 - its keys end by themselves
        """See `Shelf`."""
        found = await self._call(self._rate, [_key(consumer, request), rating.value])
        return _rated(rating, *found) if found else UNKNOWN

    async def close(self) -> None:
        """See `Shelf`."""
        await self._redis.aclose()

    async def _call(self, script: Any, arguments: list[Any]) -> Any:
        from redis.exceptions import RedisError  # noqa: PLC0415 - as above

        try:
            return await script(keys=["{fairlead}:f"], args=arguments)
        except (RedisError, OSError) as error:
            raise StoreError(f"redis: {error}") from error


def open_shelf(address: str, timeout_s: float, warn: Callable[[str], None]) -> Shelf:
    """Return the shelf beside the store that an address names, one that `open_store` takes."""
    scheme, _, rest = address.partition(":")
    if scheme == "sqlite":
        return FileShelf(Path(rest.removeprefix("//")).with_suffix(".feedback.db"), warn)
    return FileShelf(None, warn) if scheme == "memory" else RedisShelf(address, timeout_s=timeout_s)


def _key(consumer: str, request: str) -> str:
    """Name an answer: another caller's is another name, so that nobody meets it."""
    return f"{consumer}|{request}"


def _opened(path: Path | None) -> sqlite3.Connection:
    connection = sqlite3.connect(path or IN_MEMORY, timeout=1.0, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_SCHEMA)
        connection.execute("SELECT number, request, content, rating, at_ms FROM answer LIMIT 1").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    if path is not None:
        path.chmod(FILE_MODE)
    return connection


def _rate(connection: sqlite3.Connection, key: str, rating: Rating, now_ms: int) -> Rated:
    row = connection.execute(
        "SELECT content, rating FROM answer WHERE request = ? AND at_ms > ?", (key, now_ms - KEPT_MS)
    ).fetchone()
    if row is None:
        return UNKNOWN
    found = _rated(rating, *row)
    if found[0] is Outcome.TAKEN:
        connection.execute("UPDATE answer SET rating = ? WHERE request = ?", (rating.value, key))
    return found


def _rated(rating: Rating, content: object, before: object) -> Rated:
    """Judge by what a shelf holds; what is neither thumb counts as nothing said."""
    answer = feedback.decode(content)
    known = {one.value: one for one in Rating}
    return UNKNOWN if answer is None else (feedback.outcome(rating, known.get(str(before))), answer)


def _script(name: str) -> str:
    return resources.files("fairlead.budgetserver").joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")
