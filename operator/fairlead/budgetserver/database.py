"""The database that stands at a path now: opened when it is used first, and anew where another one stands there."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from fairlead.budgetserver import damaged_rows, database_file


class Database:
    """One connection. What cannot be read, and what was done about it, is told once, by `warn`."""

    def __init__(self, path: Path, warn: Callable[[str], None]) -> None:
        self._path, self._warn = path, warn
        self._connection: sqlite3.Connection | None = None
        self._file: database_file.Standing | None = None

    def connection(self) -> sqlite3.Connection:
        """Return the connection to what stands at the path: nothing is booked into a file that is gone.

        Raises:
            StoreError, sqlite3.Error: as `database_file.connect`.

        """
        before, found = self._file, database_file.standing(self._path)
        if self._connection is None or before is None:
            return self._open("")
        if found is None:
            database_file.rewrite(self._path, self._connection)
            self.close()
            return self._open("got no file any more; what was spent is written anew, and nothing is lost")
        if (found.device, found.inode) != (before.device, before.inode):
            self.close()
            return self._open("another file stands there since; what is spent is what that one says")
        if found.size < before.size:
            self.close()  # what was cut off may still stand in the log beside it: opening it tells
            return self._open("")
        self._file = found
        return self._connection

    def set_aside(self, connection: sqlite3.Connection) -> None:
        """Let no row that cannot be read stand where one is looked for."""
        if said := damaged_rows.set_aside(connection):
            self._warn(f"{self._path}: {said}")

    def close(self) -> None:
        """Let go of the file; the next use opens it anew."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self, happened: str) -> sqlite3.Connection:
        """Open the file, and tell in one sentence what happened to it and what of it cannot be read."""
        said = [f"{self._path}: {happened}"] if happened else []
        connection = self._connection = database_file.connect(self._path, said.append)
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            if found := damaged_rows.set_aside(connection):
                said.append(f"{self._path}: {found}")
        self._file = database_file.standing(self._path)
        if said:
            self._warn("; ".join(said))
        return connection
