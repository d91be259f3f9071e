"""What every request runs finds its rows by an index, however many requests are remembered."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from fairlead.budgetserver import ledger_rows, sqlite


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> sqlite3.Connection:
    path: Path = tmp_path_factory.mktemp("sqlite") / "budget.db"

    async def create() -> None:
        store = sqlite.SqliteStore(path, timeout_s=10, warn=pytest.fail)
        await store.ping()
        await store.close()

    asyncio.run(create())
    return sqlite3.connect(path)


@pytest.mark.parametrize(
    ("statement", "index", "arguments"),
    [
        pytest.param(ledger_rows.FORGET_ENTRIES, "entry_due", 5, id="forget entries"),
        pytest.param(ledger_rows.FORGET_COUNTERS, "counter_gone", 2, id="forget counters"),
        pytest.param(ledger_rows.OPENED, "entry_open", 2, id="open reservations"),
        pytest.param(ledger_rows.IN_FLIGHT, "entry_open", 2, id="requests in flight"),
        pytest.param(ledger_rows.EXPIRING, "entry_due", 3, id="expire"),
    ],
)
def test_an_index_is_used(connection: sqlite3.Connection, statement: str, index: str, arguments: int) -> None:
    rows = connection.execute(f"EXPLAIN QUERY PLAN {statement}", (0,) * arguments).fetchall()
    plan = [row[3] for row in rows]
    assert any(f"INDEX {index}" in step for step in plan), plan
    assert not [step for step in plan if step.startswith("SCAN") and "subquery" not in step], plan
