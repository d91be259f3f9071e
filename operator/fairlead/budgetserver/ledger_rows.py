"""The ledger's rows: each operation loads what it touches, applies the transition, writes it back.

All of them run within a transaction that the caller begins and ends.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, partial

from fairlead.budget import lease, ledger
from fairlead.budget.ledger import (
    MOST_OPEN,
    NO_WAIVER,
    Admission,
    Counter,
    Counters,
    Entry,
    Hold,
    Phase,
    Posting,
    Settlement,
    Step,
    Waiver,
)
from fairlead.budget.reconciliation import NOTHING, Count, UsageCounterKey
from fairlead.budgetserver.rows import UnreadableRowError, check_whole, key_text, names_of
from fairlead.budgetserver.store import Expired, Metered, Settled

_CLOSED = tuple(phase.value for phase in Phase if phase is not Phase.OPEN)
_FORGET = 200
"""Rows that one transaction may clean up: keeps it short."""
FORGET_ENTRIES = (  # phases by equality, so that the index finds them: `!=` reads all
    "DELETE FROM entry WHERE request IN (SELECT request FROM entry WHERE phase IN (?, ?, ?) AND due_ms <= ? LIMIT ?)"
)
FORGET_COUNTERS = "DELETE FROM counter WHERE name IN (SELECT name FROM counter WHERE gone_ms < ? LIMIT ?)"
EXPIRING = "SELECT request FROM entry WHERE phase = ? AND due_ms <= ? ORDER BY due_ms, request LIMIT ?"
# A unit of a lease begins with `lease|` (`fairlead.budget.lease`): it is a reservation, and no request in flight.
IN_FLIGHT = (
    "SELECT count(*) FROM (SELECT 1 FROM entry WHERE phase = 'open' AND payer = ?"
    " AND substr(request, 1, 6) <> 'lease|' LIMIT ?)"
)
OPENED = "SELECT count(*) FROM (SELECT 1 FROM entry WHERE phase = 'open' AND payer = ? LIMIT ?)"


def read_counters(connection: sqlite3.Connection, names: Sequence[str]) -> dict[str, Counter]:
    """Return those of the counters that are there."""
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
    _write_counters(connection, step.counters, keep)
    entry = step.entry
    if entry is not None and entry is not before:
        if before is None:
            _add_entries(connection, (entry, *step.units))
        else:
            _change_entries(connection, (entry,))
        if step.waived:
            _waive(connection, entry.payer, step.waived)


def _write_counters(connection: sqlite3.Connection, counters: Counters, keep: Mapping[str, int | None]) -> None:
    for name, counter in counters.items():
        connection.execute(
            "INSERT INTO counter VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET"
            " spent = excluded.spent, reserved = excluded.reserved, estimated = excluded.estimated",
            (name, counter.spent, counter.reserved, counter.estimated, keep.get(name)),
        )


def _add_entries(connection: sqlite3.Connection, entries: Sequence[Entry]) -> None:
    """Write entries that are new. Those of a lease have the same counters."""
    texts = {entry.counters: json.dumps(entry.counters) for entry in entries}
    connection.executemany(
        "INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                entry.request,
                entry.payer,
                entry.phase.value,
                entry.amount,
                entry.booked,
                entry.estimated,
                entry.downgraded,
                texts[entry.counters],
                entry.due_ms,
            )
            for entry in entries
        ],
    )


def _change_entries(connection: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    """Write what steps change of entries that are there: no other column changes, and no other index."""
    connection.executemany(
        "UPDATE entry SET phase = ?, booked = ?, estimated = ?, due_ms = ? WHERE request = ?",
        [(entry.phase.value, entry.booked, entry.estimated, entry.due_ms, entry.request) for entry in entries],
    )


def kept_until(postings: Sequence[Posting], now_ms: int) -> dict[str, int | None]:
    """Return when each counter goes; None = never."""
    return {posting.counter: None if posting.keep_ms is None else now_ms + posting.keep_ms for posting in postings}


def keep_longer(connection: sqlite3.Connection, keep: Mapping[str, int | None]) -> None:
    """Put off when counters go; one that is kept forever stays so."""
    connection.executemany(
        "UPDATE counter SET gone_ms = max(gone_ms, ?) WHERE name = ? AND gone_ms IS NOT NULL",  # max of NULL is NULL
        [(gone_ms, name) for name, gone_ms in keep.items()],
    )


def reserve(connection: sqlite3.Connection, hold: Hold, *, forget: bool) -> Admission:
    """See `Store`. `forget`: a few rows are cleaned up besides."""
    if forget:
        _forget(connection, hold.now_ms)
    postings = (*hold.plan.postings, *(hold.downgrade.postings if hold.downgrade else ()))
    counters = read_counters(connection, [posting.counter for posting in postings])
    entry = _entry(connection, hold.request)
    query = IN_FLIGHT if hold.in_flight else OPENED
    opened = connection.execute(query, (hold.payer, hold.most_open)).fetchone()[0]
    admission, step = lease.reserve(hold, entry, counters, opened, known=partial(_entry, connection))
    _apply(connection, entry, step, kept_until(postings, hold.now_ms))
    return admission


def count_open(connection: sqlite3.Connection, payers: Sequence[str]) -> list[int]:
    """Count the requests of each payer that have an open reservation, up to a number."""
    return [connection.execute(IN_FLIGHT, (payer, MOST_OPEN)).fetchone()[0] for payer in payers]


def settle_all(connection: sqlite3.Connection, settlements: Sequence[tuple[Settlement, Metered]]) -> list[Settled]:
    """See `Store`; here all of it happens, or none. Counters, and what reports booked, are read and written once."""
    counters: dict[str, Counter] = {}
    keep: dict[str, int | None] = {}
    entries: dict[str, Entry] = {}
    stood = cache(partial(_entry, connection))
    waivers: dict[str, Waiver] = {}
    booked: dict[UsageCounterKey, Count] = {}
    found = []
    for settlement, metered in settlements:
        entry = entries.get(settlement.request) or stood(settlement.request)
        if entry is not None and entry.phase is Phase.SETTLED:
            found.append(Settled(cost=0, counters={}))
            continue
        if entry is None and settlement.reserved:
            found.append(Settled(cost=0, counters={}, unknown=True))
            continue
        payer = settlement.payer
        names = entry.counters if entry is not None else [posting.counter for posting in settlement.postings]
        counters |= read_counters(connection, [name for name in names if name not in counters])
        if metered is not None and payer not in waivers:
            waivers[payer] = _waiver(connection, payer)
        step = ledger.settle(settlement, entry, counters, NO_WAIVER if metered is None else waivers[payer])
        counters |= step.counters
        for name, gone_ms in kept_until(settlement.postings, settlement.now_ms).items():
            keep.setdefault(name, gone_ms)
        if step.entry is not None and step.entry is not entry:
            entries[settlement.request] = step.entry
            if step.waived:
                _waive(connection, step.entry.payer, step.waived)
                waivers.pop(step.entry.payer, None)
        if metered is not None and not step.covered:
            key, count = metered
            for one in key.counted:
                booked[one] = booked.get(one, NOTHING) + count
        spent = {name: counter.spent for name, counter in step.counters.items()}
        found.append(Settled(cost=step.entry.booked if step.entry else 0, counters=spent))
    _write_counters(connection, counters, keep)
    _add_entries(connection, [entry for name, entry in entries.items() if stood(name) is None])
    _change_entries(connection, [entry for name, entry in entries.items() if stood(name) is not None])
    _write_booked(connection, booked)
    return found


def _write_booked(connection: sqlite3.Connection, booked: Mapping[UsageCounterKey, Count]) -> None:
    connection.executemany(
        "INSERT INTO booked VALUES (?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET"
        " requests = requests + excluded.requests,"
        " input = input + excluded.input, output = output + excluded.output, cached = cached + excluded.cached",
        [(key_text(key), count.requests, count.input, count.output, count.cached) for key, count in booked.items()],
    )


def _waive(connection: sqlite3.Connection, payer: str, requests: int) -> None:
    connection.execute("UPDATE waiver SET requests = requests + ? WHERE payer = ?", (requests, payer))


def give_back(connection: sqlite3.Connection, units: Sequence[str], now_ms: int) -> int:
    """See `Store`. Units of a lease share their counters, which are read and written once."""
    counters: dict[str, Counter] = {}
    released = []
    for name in dict.fromkeys(units):
        entry = _entry(connection, name)
        if entry is None or entry.phase is not Phase.OPEN:
            continue
        counters |= read_counters(connection, [other for other in entry.counters if other not in counters])
        step = lease.release(entry, counters, now_ms=now_ms)
        counters |= step.counters
        released += [step.entry] if step.entry else []
    _write_counters(connection, counters, {})
    _change_entries(connection, released)
    return len(released)


def expire(connection: sqlite3.Connection, now_ms: int, limit: int) -> list[Expired]:
    """See `Store`."""
    rows = connection.execute(EXPIRING, (Phase.OPEN.value, now_ms, limit)).fetchall()
    expired = []
    for (request,) in rows:
        entry = _entry(connection, request)
        if entry is None:
            continue
        counters = read_counters(connection, entry.counters)
        step = lease.expire(entry, counters, now_ms=now_ms, waiver=_waiver(connection, entry.payer))
        _apply(connection, entry, step, {})
        booked = step.entry.booked if step.entry else 0
        expired.append(Expired(payer=entry.payer, booked=booked, leased=lease.is_unit(request)))
    return expired


def _forget(connection: sqlite3.Connection, now_ms: int) -> None:
    """Drop a few rows that nobody needs any more."""
    connection.execute(FORGET_ENTRIES, (*_CLOSED, now_ms, _FORGET))
    connection.execute(FORGET_COUNTERS, (now_ms, _FORGET))
