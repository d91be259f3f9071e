"""A store in one SQLite file: `fairlead up`, and installations with one budget server.

One thread owns the connection, so there is one writer and no lock to wait for; WAL lets others read. Operations that
come together share a transaction. `synchronous = NORMAL`: a killed process loses nothing, a power cut loses at most
the last transactions, never the file.
"""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from fairlead.budget.ledger import (
    EMPTY,
    MOST_OPEN,
    NO_WAIVER,
    Admission,
    Counter,
    Entry,
    Hold,
    Phase,
    Posting,
    Settlement,
    Step,
    Waiver,
    expire,
    reserve,
    settle,
)
from fairlead.budget.reconciliation import Count, UsageCounterKey
from fairlead.budgetserver import database_file
from fairlead.budgetserver.batch import Batch
from fairlead.budgetserver.database import Database
from fairlead.budgetserver.rows import (
    UnreadableRowError,
    check_whole,
    key_of,
    key_text,
    names_of,
    state_text,
    usage_counter_of,
)
from fairlead.budgetserver.store import (
    FORGET_GATEWAY_MS,
    LARGEST_SUM,
    Expired,
    RefusedError,
    Settled,
    StoreError,
    UsageCounters,
    UsageCounterUpdate,
)

_CLOSED = tuple(phase.value for phase in Phase if phase is not Phase.OPEN)
_FORGET = 200
"""Rows that one transaction may clean up: keeps it short."""
_FORGET_EVERY_MS = 50
"""So 4,000 rows a second go, more than come."""
FORGET_ENTRIES = (  # phases by equality, so that the index finds them: `!=` reads all
    "DELETE FROM entry WHERE request IN (SELECT request FROM entry WHERE phase IN (?, ?, ?) AND due_ms <= ? LIMIT ?)"
)
FORGET_COUNTERS = "DELETE FROM counter WHERE name IN (SELECT name FROM counter WHERE gone_ms < ? LIMIT ?)"
EXPIRING = "SELECT request FROM entry WHERE phase = ? AND due_ms <= ? ORDER BY due_ms, request LIMIT ?"
OPENED = "SELECT count(*) FROM (SELECT 1 FROM entry WHERE phase = 'open' AND payer = ? LIMIT ?)"
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
        admission: Admission = await self._batch.submit(partial(_reserve, hold=hold, forget=forget))
        return admission

    async def settle(self, settlement: Settlement, metered: tuple[UsageCounterKey, Count] | None) -> Settled:
        """See `Store`."""
        # Nobody's answer waits for it, and what is read or reserved next goes behind it. Booked is what is committed.
        booking = partial(_settle, settlement=settlement, metered=metered)
        settled: Settled = await self._batch.submit(booking, patient=True)
        return settled

    async def expire(self, now_ms: int, limit: int) -> Sequence[Expired]:
        """See `Store`."""
        expired: Sequence[Expired] = await self._batch.submit(partial(_expire, now_ms=now_ms, limit=limit))
        return expired

    async def counters(self, names: Sequence[str]) -> Sequence[Counter]:
        """See `Store`."""
        found: Mapping[str, Counter] = await self._batch.submit(partial(_counters, names=names))
        return [found.get(name, EMPTY) for name in names]

    async def opened(self, payers: Sequence[str]) -> Sequence[int]:
        """See `Store`."""
        found: Sequence[int] = await self._batch.submit(partial(_opened, payers=payers))
        return found

    async def keep(self, postings: Sequence[Posting], now_ms: int) -> None:
        """See `Store`."""
        await self._batch.submit(partial(_keep_longer, keep=_keep(postings, now_ms)))

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


def _ping(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE version SET number = number")


def _counters(connection: sqlite3.Connection, names: Sequence[str]) -> dict[str, Counter]:
    found = {}
    for name in names:
        row = connection.execute("SELECT spent, reserved, estimated FROM counter WHERE name = ?", (name,)).fetchone()
        if row is not None:
            check_whole(row)
            found[name] = Counter(spent=row[0], reserved=row[1], estimated=row[2])
    return found


def _entry(connection: sqlite3.Connection, request: str) -> Entry | None:
    row = connection.execute(
        "SELECT payer, phase, amount, booked, estimated, downgraded, counters, due_ms FROM entry WHERE request = ?",
        (request,),
    ).fetchone()
    if row is None:
        return None
    check_whole((*row[2:6], row[7]))
    try:
        phase, counters = Phase(row[1]), names_of(row[6])
    except ValueError as error:
        raise UnreadableRowError(str(error)) from error
    return Entry(
        request=request,
        payer=row[0],
        phase=phase,
        amount=row[2],
        booked=row[3],
        estimated=bool(row[4]),
        downgraded=bool(row[5]),
        counters=counters,
        due_ms=row[7],
    )


def _waiver(connection: sqlite3.Connection, payer: str) -> Waiver:
    row = connection.execute("SELECT requests, at_ms FROM waiver WHERE payer = ?", (payer,)).fetchone()
    if row is None:
        return NO_WAIVER
    check_whole(row)
    return Waiver(requests=row[0], at_ms=row[1])


def _apply(connection: sqlite3.Connection, before: Entry | None, step: Step, keep: Mapping[str, int | None]) -> None:
    for name, counter in step.counters.items():
        connection.execute(
            "INSERT INTO counter VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET"
            " spent = excluded.spent, reserved = excluded.reserved, estimated = excluded.estimated",
            (name, counter.spent, counter.reserved, counter.estimated, keep.get(name)),
        )
    entry = step.entry
    if entry is not None and entry is not before:
        connection.execute(
            "INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                entry.request,
                entry.payer,
                entry.phase.value,
                entry.amount,
                entry.booked,
                entry.estimated,
                entry.downgraded,
                json.dumps(entry.counters),
                entry.due_ms,
            ),
        )
        if step.waived:
            connection.execute("UPDATE waiver SET requests = requests + ? WHERE payer = ?", (step.waived, entry.payer))


def _keep(postings: Sequence[Posting], now_ms: int) -> dict[str, int | None]:
    return {posting.counter: None if posting.keep_ms is None else now_ms + posting.keep_ms for posting in postings}


def _keep_longer(connection: sqlite3.Connection, keep: Mapping[str, int | None]) -> None:
    """Put off when counters go; one that is kept forever stays so."""
    connection.executemany(
        "UPDATE counter SET gone_ms = max(gone_ms, ?) WHERE name = ? AND gone_ms IS NOT NULL",  # max of NULL is NULL
        [(gone_ms, name) for name, gone_ms in keep.items()],
    )


def _reserve(connection: sqlite3.Connection, hold: Hold, *, forget: bool) -> Admission:
    if forget:
        _forget(connection, hold.now_ms)
    postings = (*hold.plan.postings, *(hold.downgrade.postings if hold.downgrade else ()))
    counters = _counters(connection, [posting.counter for posting in postings])
    entry = _entry(connection, hold.request)
    (opened,) = _opened(connection, [hold.payer], most=hold.most_open)
    admission, step = reserve(hold, entry, counters, opened)
    _apply(connection, entry, step, _keep(postings, hold.now_ms))
    return admission


def _opened(connection: sqlite3.Connection, payers: Sequence[str], *, most: int = MOST_OPEN) -> list[int]:
    return [connection.execute(OPENED, (payer, most)).fetchone()[0] for payer in payers]


def _settle(
    connection: sqlite3.Connection, settlement: Settlement, metered: tuple[UsageCounterKey, Count] | None
) -> Settled:
    entry = _entry(connection, settlement.request)
    if entry is not None and entry.phase is Phase.SETTLED:
        return Settled(cost=0, counters={})
    names = entry.counters if entry is not None else [posting.counter for posting in settlement.postings]
    waiver = NO_WAIVER if metered is None else _waiver(connection, settlement.payer)
    step = settle(settlement, entry, _counters(connection, names), waiver)
    _apply(connection, entry, step, _keep(settlement.postings, settlement.now_ms))
    if metered is not None and not step.covered:
        key, count = metered
        connection.executemany(
            "INSERT INTO booked VALUES (?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET"
            " requests = requests + excluded.requests,"
            " input = input + excluded.input, output = output + excluded.output, cached = cached + excluded.cached",
            [(key_text(one), count.requests, count.input, count.output, count.cached) for one in key.counted],
        )
    spent = {name: counter.spent for name, counter in step.counters.items()}
    return Settled(cost=step.entry.booked if step.entry else 0, counters=spent)


def _expire(connection: sqlite3.Connection, now_ms: int, limit: int) -> list[Expired]:
    rows = connection.execute(EXPIRING, (Phase.OPEN.value, now_ms, limit)).fetchall()
    expired = []
    for (request,) in rows:
        entry = _entry(connection, request)
        if entry is None:
            continue
        counters = _counters(connection, entry.counters)
        step = expire(entry, counters, now_ms=now_ms, waiver=_waiver(connection, entry.payer))
        _apply(connection, entry, step, {})
        expired.append(Expired(payer=entry.payer, booked=step.entry.booked if step.entry else 0))
    return expired


def _forget(connection: sqlite3.Connection, now_ms: int) -> None:
    """Drop a few rows that nobody needs any more."""
    connection.execute(FORGET_ENTRIES, (*_CLOSED, now_ms, _FORGET))
    connection.execute(FORGET_COUNTERS, (now_ms, _FORGET))


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
        spent = _counters(connection, [posting.counter for posting in booking.postings])
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
