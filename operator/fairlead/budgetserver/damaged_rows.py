"""Rows of the database that nobody can read: told, and kept in the table `damaged`, so that one hurts its own consumer.

Columns of SQLite take any value: an editor, a script or a bad disk can leave a word where a number was.
"""

import sqlite3
from collections.abc import Callable, Mapping

from fairlead.budgetserver.rows import key_of, usage_counter_of

_SHOWN = 3
_INT = "typeof({0}) = 'integer'"
_TEXT = "typeof({0}) = 'text' AND is_utf8(CAST({0} AS BLOB))"
_ENTRY_COUNTERS = (  # `CASE`, since only it never looks at what comes after
    "CASE WHEN typeof(counters) <> 'text' THEN 0 WHEN NOT json_valid(counters) THEN 0"
    " WHEN json_type(counters) <> 'array' THEN 0"
    " ELSE NOT EXISTS (SELECT 1 FROM json_each(counters) WHERE type <> 'text') END"
)


def _all(text: tuple[str, ...] = (), whole: tuple[str, ...] = (), also: tuple[str, ...] = ()) -> str:
    return " AND ".join([*map(_TEXT.format, text), *map(_INT.format, whole), *also])


_READABLE: Mapping[str, tuple[str, str]] = {
    "counter": (
        "name",
        _all(("name",), ("spent", "reserved", "estimated"), ("typeof(gone_ms) IN ('integer', 'null')",)),
    ),
    "entry": (
        "request",
        _all(
            ("request", "payer", "counters"),
            ("amount", "booked", "estimated", "downgraded", "due_ms"),
            ("phase IN ('open', 'settled', 'expired', 'waived')", _ENTRY_COUNTERS),
        ),
    ),
    "waiver": ("payer", _all(("payer",), ("requests", "at_ms"))),
    "booked": ("key", _all(("key",), ("requests", "input", "output", "cached"), ("readable_key(CAST(key AS BLOB))",))),
    "meter": (
        "key",
        _all(("key", "state"), (), ("readable_key(CAST(key AS BLOB))", "readable_state(CAST(state AS BLOB))")),
    ),
    "gateway": ("name", _all(("name",), ("seen_ms",))),
    "version": ("number", _all((), ("number", "since_ms"))),
}
"""Table -> what names its rows, and when one can be read."""
_SALVAGED = (
    "UPDATE counter SET spent = iif(typeof(spent) = 'integer', spent, 0),"
    " reserved = iif(typeof(reserved) = 'integer', reserved, 0),"
    " estimated = iif(typeof(estimated) = 'integer', estimated, 0),"
    " gone_ms = iif(typeof(gone_ms) = 'integer', gone_ms, NULL) WHERE typeof(name) = 'text' AND NOT "
)
"""What can be read of a counter stays."""
_HELD = (
    "CREATE TEMP TABLE held (name TEXT PRIMARY KEY, amount INTEGER)",
    "INSERT INTO held SELECT value, sum(amount) FROM entry, json_each(counters) WHERE phase = 'open' GROUP BY value",
    "UPDATE counter SET reserved = coalesce((SELECT amount FROM held WHERE held.name = counter.name), 0)",
    "DROP TABLE held",
)


def set_aside(connection: sqlite3.Connection) -> str:
    """Move rows that cannot be read into `damaged`, within a transaction that the caller begins and ends.

    Returns what a person is to be told; empty when all can be read.
    """
    connection.create_function("is_utf8", 1, _tells(str), deterministic=True)
    connection.create_function("readable_key", 1, _tells(key_of), deterministic=True)
    connection.create_function("readable_state", 1, _tells(usage_counter_of), deterministic=True)
    said = {table: _table(connection, table) for table in _READABLE}
    if said["counter"] or said["entry"]:
        # What is held is the sum of the entries that are there: else a lost one would hold its amount for ever.
        for statement in _HELD:
            connection.execute(statement)
    connection.execute("INSERT INTO version SELECT 0, 0 WHERE NOT EXISTS (SELECT 1 FROM version)")
    found = ", ".join(filter(None, said.values()))
    return found and (
        f"{found} cannot be read, and are kept in the table `damaged`; what they said of spending counts as $0:"
        " look there, and lower the limit of whom it was about until the window ends"
    )


def _table(connection: sqlite3.Connection, table: str) -> str:
    name, readable = _READABLE[table]
    wrong = f"coalesce({readable}, 0) = 0"
    rows = connection.execute(
        f"SELECT quote({name}) FROM {table} WHERE {wrong} LIMIT {_SHOWN}"  # noqa: S608 - constants
    ).fetchall()
    if not rows:
        return ""
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    content = " || ', ' || ".join(f"quote({column})" for column in columns)
    copied = connection.execute(
        f"INSERT INTO damaged SELECT '{table}', {content} FROM {table} WHERE {wrong}"  # noqa: S608 - constants
    )
    if table == "counter":
        connection.execute(f"{_SALVAGED} ({readable})")
    connection.execute(f"DELETE FROM {table} WHERE {wrong}")  # noqa: S608 - constants
    more = ", ..." if copied.rowcount > len(rows) else ""
    return f"{copied.rowcount} rows of `{table}` ({', '.join(str(row[0])[:80] for row in rows)}{more})"


def _tells(decode: Callable[[str], object]) -> Callable[[bytes | None], bool]:
    def readable(found: bytes | None) -> bool:
        try:
            decode((found or b"").decode())
        except ValueError:  # no UTF-8 is one, and so is a row that cannot be read
            return False
        return True

    return readable
