"""A row of the database that cannot be read hurts whom it is about, and that is said; so does a file that is moved."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from fairlead.budget.ledger import EXPIRES_AFTER_MS, Counter, Hold, Plan, Posting, Settlement, Verdict
from fairlead.budget.reconciliation import Count, UsageCounterKey
from fairlead.budgetserver.sqlite import SqliteStore
from fairlead.budgetserver.store import StoreError

NOW = 1_800_000_000_000
KEY = UsageCounterKey(gateway="g", consumer="t/a", route="t/r", target="p/e/m")
JUNK: tuple[object, ...] = ("junk", "", 1.5, b"\xff", "[" * 5_000)


def posting(name: str) -> Posting:
    return Posting(counter=name, cap=100, downgrade_at=None, keep_ms=None)


def hold(name: str, request: str = "open") -> Hold:
    plan = Plan(amount=7, postings=(posting(name),))
    return Hold(request=f"{name}|{request}", payer=name, plan=plan, downgrade=None, now_ms=NOW)


def settlement(name: str, request: str = "done") -> Settlement:
    return Settlement(
        request=f"{name}|{request}", payer=name, cost=20, estimated=False, postings=(posting(name),), now_ms=NOW
    )


class Books:
    """A database of two consumers, each with $20 spent and $7 held, and what is said about it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.said: list[str] = []

    def run(self, *steps: Callable[[SqliteStore], Awaitable[None]]) -> None:
        async def whole() -> None:
            store = SqliteStore(self.path, timeout_s=10, warn=self.said.append)
            try:
                for step in steps:
                    await step(store)
            finally:
                await store.close()

        asyncio.run(whole())

    def edit(self, statement: str, *values: object) -> None:
        with sqlite3.connect(self.path) as connection:
            assert connection.execute(statement, values).rowcount
        connection.close()

    def kept(self) -> list[str]:
        with sqlite3.connect(self.path) as connection:
            found = connection.execute("SELECT origin FROM damaged").fetchall()
        connection.close()
        return [origin for (origin,) in found]


async def fill(store: SqliteStore) -> None:
    for name in ("a", "b"):
        await store.reserve(hold(name))
        await store.settle(settlement(name), (KEY, Count(requests=1, input=2)))


async def ask(store: SqliteStore) -> None:
    """Do all that a server does with a store; the other consumer never notices."""
    await store.counters(["a", "b"])
    assert (await store.reserve(hold("b", "more"))).verdict is Verdict.GRANTED
    await store.settle(settlement("b", "more"), None)
    await store.read_usage_counters(NOW)
    (_, b) = await store.counters(["a", "b"])
    assert b == Counter(spent=40, reserved=7)
    await store.expire(NOW + EXPIRES_AFTER_MS, 100)
    await store.ping()


@pytest.fixture
def books(tmp_path: Path) -> Books:
    made = Books(tmp_path / "budget.db")
    made.run(fill)
    return made


COLUMNS = {
    "counter.spent": "UPDATE counter SET spent = ? WHERE name = 'a'",
    "counter.reserved": "UPDATE counter SET reserved = ? WHERE name = 'a'",
    "counter.estimated": "UPDATE counter SET estimated = ? WHERE name = 'a'",
    "counter.gone_ms": "UPDATE counter SET gone_ms = ? WHERE name = 'a'",
    "entry.phase": "UPDATE entry SET phase = ? WHERE request = 'a|open'",
    "entry.amount": "UPDATE entry SET amount = ? WHERE request = 'a|open'",
    "entry.counters": "UPDATE entry SET counters = ? WHERE request = 'a|open'",
    "entry.due_ms": "UPDATE entry SET due_ms = ? WHERE request = 'a|open'",
    "booked.key": "UPDATE booked SET key = ?",
    "booked.input": "UPDATE booked SET input = ?",
    "meter.state": 'INSERT INTO meter VALUES (\'["g", "t/a", "t/r", "p/e/m"]\', ?)',
    "meter.key": "INSERT INTO meter VALUES (?, '{}')",
    "gateway.seen_ms": "INSERT INTO gateway VALUES ('g', ?)",
    "waiver.requests": "INSERT INTO waiver VALUES ('a', ?, 0)",
    "version.number": "UPDATE version SET number = ?",
}


@pytest.mark.parametrize(
    ("column", "junk"),
    [
        *((column, JUNK[at % len(JUNK)]) for at, column in enumerate(COLUMNS)),
        *((column, junk) for column in ("counter.spent", "entry.counters") for junk in JUNK),
    ],
)
def test_a_row_that_cannot_be_read_when_the_file_is_opened(books: Books, column: str, junk: object) -> None:
    books.edit(COLUMNS[column], junk)
    books.run(ask)
    (said,) = books.said
    assert f"1 rows of `{column.partition('.')[0]}`" in said
    assert "what they said of spending counts as $0" in said
    assert books.kept() == [column.partition(".")[0]]


@pytest.mark.parametrize("column", sorted(set(COLUMNS) - {"counter.gone_ms", "waiver.requests", "entry.due_ms"}))
def test_a_row_that_is_damaged_while_the_server_runs(books: Books, column: str) -> None:
    async def damage(_: SqliteStore) -> None:
        books.edit(COLUMNS[column], "junk")

    async def hurt(store: SqliteStore) -> None:
        assert (await store.reserve(hold("a", "more"))).verdict is Verdict.GRANTED
        await store.settle(settlement("a", "open"), None)
        await store.read_usage_counters(NOW)

    books.run(damage, hurt, ask)
    (said,) = books.said
    assert f"rows of `{column.partition('.')[0]}`" in said


@pytest.mark.parametrize(("table", "column"), [("entry", "request"), ("entry", "payer"), ("counter", "name")])
def test_text_that_is_no_utf_8_fails_nobody_s_step(books: Books, table: str, column: str) -> None:
    statement = f"UPDATE OR REPLACE {table} SET {column} = CAST(x'61ff' AS TEXT) WHERE {column} LIKE 'a%'"  # noqa: S608
    books.edit(statement)
    books.run(ask)
    (said,) = books.said
    assert f"rows of `{table}`" in said


def test_what_can_be_read_of_a_counter_stays_and_what_it_holds_is_known(books: Books) -> None:
    books.edit("UPDATE counter SET reserved = 'junk', estimated = 1.5 WHERE name = 'a'")
    found: list[Counter] = []

    async def read(store: SqliteStore) -> None:
        found.extend(await store.counters(["a"]))

    books.run(read)
    assert found == [Counter(spent=20, reserved=7)]


def test_an_entry_that_is_lost_holds_nothing_for_ever(books: Books) -> None:
    books.edit("UPDATE entry SET counters = 'junk' WHERE request = 'a|open'")
    found: list[Counter] = []

    async def read(store: SqliteStore) -> None:
        found.extend(await store.counters(["a"]))

    books.run(read)
    assert found == [Counter(spent=20)]


def test_a_file_that_is_removed_while_the_server_runs_is_written_anew(books: Books) -> None:
    async def remove(_: SqliteStore) -> None:
        for path in books.path.parent.glob("budget.db*"):
            path.unlink()

    books.run(_touch, remove, ask)
    (said,) = books.said
    assert "what was spent is written anew, and nothing is lost" in said
    assert books.path.stat().st_mode & 0o077 == 0


def test_a_folder_in_its_place_while_the_server_runs_loses_nothing(books: Books) -> None:
    async def replace(_: SqliteStore) -> None:
        books.path.unlink()
        books.path.mkdir()

    books.run(_touch, replace, ask)
    (said,) = books.said
    assert "nothing is lost" in said


def test_another_file_in_its_place_is_what_counts_and_that_is_said(books: Books, tmp_path: Path) -> None:
    other = Books(tmp_path / "other.db")
    other.run(fill, _settle_more)

    async def replace(_: SqliteStore) -> None:
        other.path.replace(books.path)

    async def read(store: SqliteStore) -> None:
        assert [found.spent for found in await store.counters(["a", "b"])] == [40, 20]

    books.run(_touch, replace, read, ask)
    (said,) = books.said
    assert "another file stands there since" in said


@pytest.mark.parametrize("size", [0, 50, 4096, 8192])
def test_a_file_that_is_cut_while_the_server_runs_is_said_or_whole_again(tmp_path: Path, size: int) -> None:
    books = Books(tmp_path / "budget.db")

    async def cut(_: SqliteStore) -> None:
        with books.path.open("r+b") as file:
            file.truncate(size)

    async def read(store: SqliteStore) -> None:
        spent = [found.spent for found in await store.counters(["a", "b"])]
        assert spent == [20, 20] or (spent == [0, 0] and "counts from $0" in books.said[0]), (spent, books.said)
        await store.settle(settlement("b", "new"), None)

    books.run(fill)
    books.run(_touch, cut, read)
    assert len(books.said) <= 1


def test_a_file_that_cannot_be_written_anew_says_what_to_do_and_is_when_it_can(books: Books) -> None:
    async def refused(store: SqliteStore) -> None:
        obstacle = books.path.with_name(".budget.db.new")
        obstacle.mkdir()
        books.path.unlink()
        with pytest.raises(StoreError):
            await store.ping()
        obstacle.rmdir()

    books.run(_touch, refused, ask)
    (said,) = books.said
    assert "nothing is lost" in said


async def _touch(store: SqliteStore) -> None:
    await store.ping()


async def _settle_more(store: SqliteStore) -> None:
    await store.settle(settlement("a", "more"), None)
