"""A store in one SQLite file: `fairlead up`, and installations with one budget server.

One thread owns the connection, so there is one writer and no lock to wait for; WAL lets others read. Operations that
come together share a transaction. `synchronous = NORMAL`: a killed process loses nothing, a power cut loses at most
the last transactions, never the file.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from fairlead.budget.ledger import (
    EMPTY,
    Admission,
    Counter,
    Hold,
    Posting,
    Settlement,
)
from fairlead.budget.reconciliation import Count
from fairlead.budgetserver import database_file, ledger_rows
from fairlead.budgetserver.batch import Batch
from fairlead.budgetserver.database import Database
from fairlead.budgetserver.rows import (
    UnreadableRowError,
    check_whole,
    key_of,
    key_text,
    state_text,
    usage_counter_of,
)
from fairlead.budgetserver.store import (
    FORGET_GATEWAY_MS,
    LARGEST_SUM,
    Expired,
    Metered,
    RefusedError,
    Settled,
    StoreError,
    UsageCounters,
    UsageCounterUpdate,
)

_FORGET_EVERY_MS = 50
"""So 4,000 rows a second are forgotten, more than come."""
_WRONG = (OverflowError, ValueError, TypeError, sqlite3.IntegrityError, sqlite3.DataError)
"""What an operation raises for its own values; any other error is the store's."""

Operation = Callable[[sqlite3.Connection], Any]


class SqliteStore:
    """Tables of the ledger's values; every operation loads what it touches, applies the transition, writes it back."""

    def __init__(self, path: Path, *, timeout_s: float, warn: Callable[[str], None]) -> None:
        """`warn` is told of a file whose spending cannot be read: it counts as none, which nobody may overlook."""
        self._path = path
        self._database = Database(path, warn)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite")
        self._forgot_ms = 0
        self._batch: Batch[Operation] = Batch(self._execute, lanes=1, timeout_s=timeout_s)

    async def reserve(self, hold: Hold) -> Admission:
        """See `Store`."""
        forget = abs(hold.now_ms - self._forgot_ms) >= _FORGET_EVERY_MS
        if forget:
            self._forgot_ms = hold.now_ms
        admission: Admission = await self._batch.submit(partial(ledger_rows.reserve, hold=hold, forget=forget))
        return admission

    async def settle(self, settlement: Settlement, metered: Metered) -> Settled:
        """See `Store`."""
        # Nobody's answer waits for it, and what is read or reserved next goes behind it. Booked is what is committed.
        found: Sequence[Settled] = await self._batch.submit(_booking([(settlement, metered)]), patient=True)
        return found[0]

    async def settle_all(self, settlements: Sequence[tuple[Settlement, Metered]]) -> Sequence[Settled | StoreError]:
        """See `Store`."""
        try:
            found: Sequence[Settled] = await self._batch.submit(_booking(settlements), patient=True)
        except RefusedError:  # one of them is wrong by itself
            alone = await self._batch.submit_all([_booking([one]) for one in settlements])
            return [result if isinstance(result, StoreError) else result[0] for result in alone]
        return found

    async def give_back(self, units: Sequence[str], now_ms: int) -> int:
        """See `Store`."""
        released: int = await self._batch.submit(partial(ledger_rows.give_back, units=units, now_ms=now_ms))
        return released

    async def expire(self, now_ms: int, limit: int) -> Sequence[Expired]:
        """See `Store`."""
        expired: Sequence[Expired] = await self._batch.submit(partial(ledger_rows.expire, now_ms=now_ms, limit=limit))
        return expired

    async def counters(self, names: Sequence[str]) -> Sequence[Counter]:
        """See `Store`."""
        found: Mapping[str, Counter] = await self._batch.submit(partial(ledger_rows.read_counters, names=names))
        return [found.get(name, EMPTY) for name in names]

    async def opened(self, payers: Sequence[str]) -> Sequence[int]:
        """See `Store`."""
        found: Sequence[int] = await self._batch.submit(partial(ledger_rows.count_open, payers=payers))
        return found

    async def keep(self, postings: Sequence[Posting], now_ms: int) -> None:
        """See `Store`."""
        await self._batch.submit(partial(ledger_rows.keep_longer, keep=ledger_rows.kept_until(postings, now_ms)))

    async def read_usage_counters(self, now_ms: int) -> UsageCounters:
        """See `Store`."""
        found: UsageCounters = await self._batch.submit(partial(_read_usage_counters, now_ms=now_ms))
        return found

    async def write_usage_counters(self, update: UsageCounterUpdate) -> bool:
        """See `Store`."""
        written: bool = await self._batch.submit(partial(_write_usage_counters, update=update))
        return written

    async def ping(self) -> None:
        """See `Store`."""
        await self._batch.submit(_ping)

    async def close(self) -> None:
        """See `Store`."""
        await self._batch.close()
        self._thread.shutdown(wait=True)
        self._database.close()

    async def _execute(self, operations: Sequence[Operation]) -> Sequence[Any]:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._transaction, operations)

    def _transaction(self, operations: Sequence[Operation]) -> Sequence[Any]:
        """Run operations in one transaction: all of them happen, or none; one that is wrong by itself fails alone."""
        try:
            connection = self._database.connection()
            try:
                with connection:
                    connection.execute("BEGIN IMMEDIATE")
                    return [operation(connection) for operation in operations]
            except UnicodeDecodeError as error:  # SQLite's own words quote what is damaged
                raise sqlite3.DatabaseError("its schema cannot be read") from error
            except _WRONG:  # rare, so a savepoint for each is not paid by every batch
                with connection:
                    connection.execute("BEGIN IMMEDIATE")
                    return [self._alone(connection, operation) for operation in operations]
        except sqlite3.Error as error:
            self._database.close()
            raise StoreError(f"{self._path}: {error}{database_file.advice(error)}") from error

    def _alone(self, connection: sqlite3.Connection, operation: Operation) -> Any:
        """Run one operation of a transaction; what it wrote before it failed is taken back."""
        connection.execute("SAVEPOINT one")
        try:
            try:
                result = operation(connection)
            except UnreadableRowError:
                connection.execute("ROLLBACK TO one")
                self._database.set_aside(connection)
                result = operation(connection)
        except _WRONG as error:
            connection.execute("ROLLBACK TO one")
            result = RefusedError(f"{self._path}: {error}")
        connection.execute("RELEASE one")
        return result


def _booking(settlements: Sequence[tuple[Settlement, Metered]]) -> Operation:
    return partial(ledger_rows.settle_all, settlements=settlements)


def _ping(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE version SET number = number")


def _read_usage_counters(connection: sqlite3.Connection, now_ms: int) -> UsageCounters:
    connection.execute("UPDATE version SET since_ms = ? WHERE since_ms = 0", (now_ms,))
    version: Any
    since_ms: Any
    version, since_ms = connection.execute("SELECT number, since_ms FROM version").fetchone() or (None, None)
    known = dict(connection.execute("SELECT name, seen_ms FROM gateway"))
    booked = connection.execute("SELECT key, requests, input, output, cached FROM booked").fetchall()
    check_whole([version, since_ms, *known.values(), *(number for row in booked for number in row[1:])])
    return UsageCounters(
        version=version,
        since_ms=since_ms,
        usage_counters={
            key_of(key): usage_counter_of(state) for key, state in connection.execute("SELECT key, state FROM meter")
        },
        known_gateways=known,
        booked={
            key_of(key): Count(requests=requests, input=inputs, output=outputs, cached=cached)
            for key, requests, inputs, outputs, cached in booked
        },
    )


def _write_usage_counters(connection: sqlite3.Connection, update: UsageCounterUpdate) -> bool:
    now_ms = update.now_ms
    matched = connection.execute("UPDATE version SET number = number + 1 WHERE number = ?", (update.version,)).rowcount
    if not matched:
        return False
    connection.executemany(
        "INSERT OR REPLACE INTO meter VALUES (?, ?)",
        [(key_text(key), state_text(counter)) for key, counter in update.usage_counters.items()],
    )
    connection.executemany("INSERT OR REPLACE INTO gateway VALUES (?, ?)", [(name, now_ms) for name in update.gateways])
    for booking in update.bookings:
        spent = ledger_rows.read_counters(connection, [posting.counter for posting in booking.postings])
        for posting in booking.postings:
            # SQLite would turn a sum beyond 64 bits into a float and say nothing.
            if not 0 <= booking.cost <= LARGEST_SUM - spent.get(posting.counter, EMPTY).spent:
                raise OverflowError(f"{posting.counter}: {booking.cost} nano-dollars are more than a counter holds")
            connection.execute(
                "INSERT INTO counter VALUES (?, ?, 0, 0, ?)"
                " ON CONFLICT (name) DO UPDATE SET spent = spent + excluded.spent",
                (posting.counter, booking.cost, None if posting.keep_ms is None else now_ms + posting.keep_ms),
            )
        connection.execute(
            "INSERT INTO waiver VALUES (?, ?, ?) ON CONFLICT (payer) DO UPDATE SET"
            " requests = requests + excluded.requests, at_ms = max(at_ms, excluded.at_ms)",
            (booking.payer, booking.requests, booking.at_ms),
        )
    _forget_gateways(connection, now_ms)
    return True


def _forget_gateways(connection: sqlite3.Connection, now_ms: int) -> None:
    rows = connection.execute("SELECT name FROM gateway WHERE seen_ms < ?", (now_ms - FORGET_GATEWAY_MS,)).fetchall()
    gone = {name for (name,) in rows}
    if not gone:
        return
    for table in ("meter", "booked"):
        keys = [key for (key,) in connection.execute(f"SELECT key FROM {table}")]  # noqa: S608 - two constants
        dead = [(key,) for key in keys if key_of(key).gateway in gone]
        connection.executemany(f"DELETE FROM {table} WHERE key = ?", dead)  # noqa: S608 - two constants
    connection.executemany("DELETE FROM gateway WHERE name = ?", [(name,) for name in gone])
