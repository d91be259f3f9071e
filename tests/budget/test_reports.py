"""No report is lost, whatever becomes of the store: hung, slow, half-open, full, read-only, locked.

Each report is sent as a gateway sends it, which waits for 250 ms and then gives up its call.
"""

import asyncio
import signal
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self

import pytest

from budget import configurations
from budget.client import metric
from budget.configurations import SPENT
from budget.redis_server import RedisServer
from fairlead.budget.configuration import decode
from fairlead.budgetserver import descriptor
from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.ratelimit import RateLimitService
from fairlead.budgetserver.redisstore import RedisStore
from fairlead.budgetserver.sqlite import SqliteStore
from fairlead.budgetserver.store import Store

NOW = 1_800_000_000_000
REPORTS = 300
GATEWAY_S = 0.25
STORE_S = 0.4
"""Longer than the gateway waits, as it is where a report was lost."""
PATIENCE_S = 60
Fault = Callable[[], AbstractAsyncContextManager[None]]


def report(number: int) -> descriptor.Report:
    words = f"t/a r{number} chat 100 t/chat r{number} p/e/m false 200 - 1 500 eu-1 ; 50 1 ; 1 30 40 0 0 0 0 0"
    found = descriptor.report(words)
    assert found.reserved
    return found


async def impatient(service: RateLimitService, number: int) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(service.report(report(number)), GATEWAY_S)


async def lose_nothing(store: Store, folder: Path, fault: Fault) -> None:
    """Reserve, let the store fail while reports come, let it be well, and look at the books."""
    rules = decode(configurations.write(folder / "book.json", 10**9).read_bytes())
    metrics = Metrics()
    service = RateLimitService(store=store, configuration=rules, clock=lambda: NOW, metrics=metrics)
    for number in range(REPORTS):
        await service.check(descriptor.check(f"t/a r{number} chat 100 t/chat 50 1"))
    async with fault():
        await asyncio.gather(*(impatient(service, number) for number in range(REPORTS)))
        await asyncio.wait_for(service.settled(), PATIENCE_S)
        assert len(service.backlog), "the fault is one"
    async with asyncio.timeout(PATIENCE_S):
        while not await service.backlog.drain():
            await asyncio.sleep(0.05)
        await service.settled()
    # A report that is sent again, as a gateway may, changes nothing.
    for number in range(REPORTS):
        await service.report(report(number))
    (standing,) = await service.standings("t/a")
    assert (standing.counter.spent, standing.counter.reserved) == (REPORTS * SPENT, 0)
    assert metric(metrics.text().decode(), "fairlead_budget_lost_reports_total") == 0
    await store.close()


# --- SQLite -----------------------------------------------------------------------------------------------------------


class File:
    """What can happen to a file."""

    def __init__(self, store: SqliteStore, path: Path, patch: pytest.MonkeyPatch) -> None:
        self._store, self._path, self._patch = store, path, patch

    @asynccontextmanager
    async def hung(self) -> AsyncIterator[None]:
        """The disk does not answer until it does; what was asked is done then."""
        go, transaction = threading.Event(), self._store._transaction
        self._patch.setattr(self._store, "_transaction", lambda work: go.wait(PATIENCE_S) and transaction(work))
        yield  # until each report is given up: however late that is, nothing is done before
        go.set()

    @asynccontextmanager
    async def slow(self) -> AsyncIterator[None]:
        """What is asked is done, after nobody waits for it any more."""
        transaction = self._store._transaction

        def late(work: Any) -> Any:
            result = transaction(work)
            threading.Event().wait(2 * STORE_S)
            return result

        with self._patch.context() as patch:
            patch.setattr(self._store, "_transaction", late)
            yield

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Somebody else writes and does not end."""
        other = sqlite3.connect(self._path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        yield
        other.close()

    @asynccontextmanager
    async def read_only(self) -> AsyncIterator[None]:
        async with self._opened_anew(lambda path: CONNECT(f"file:{path}?mode=ro", uri=True, **OPEN)):
            yield

    @asynccontextmanager
    async def full(self) -> AsyncIterator[None]:
        def connect(path: Path) -> sqlite3.Connection:
            connection = CONNECT(path, **OPEN)
            connection.execute("PRAGMA max_page_count = 1")  # no less than what is used: nothing can be added
            connection.execute("CREATE TABLE IF NOT EXISTS filler (x)")
            with suppress(sqlite3.Error):
                while True:
                    connection.execute("INSERT INTO filler VALUES (zeroblob(100000))")
            return connection

        async with self._opened_anew(connect):
            yield

    @asynccontextmanager
    async def _opened_anew(self, connect: Callable[[Path], sqlite3.Connection]) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        with self._patch.context() as patch:
            patch.setattr(sqlite3, "connect", lambda path, **_: connect(path))
            await loop.run_in_executor(self._store._thread, self._store._database.close)
            yield
        await loop.run_in_executor(self._store._thread, self._store._database.close)


CONNECT = sqlite3.connect
OPEN: dict[str, Any] = {"timeout": 0.1, "isolation_level": None, "check_same_thread": False}


@pytest.mark.parametrize("fault", ["hung", "slow", "locked", "read_only", "full"])
def test_sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    path = tmp_path / "budget.db"
    store = SqliteStore(path, timeout_s=STORE_S, warn=pytest.fail)
    asyncio.run(lose_nothing(store, tmp_path, getattr(File(store, path, monkeypatch), fault)))


# --- Redis ------------------------------------------------------------------------------------------------------------


class Line:
    """The line to a Redis; it can go dead, so that both ends believe in it, or be slow."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.dead = asyncio.Event()
        self.delay_s = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*self._tasks, *(writer.wait_closed() for writer in self._writers), return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        other_reader, other_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers += [writer, other_writer]
        for source, sink in ((reader, other_writer), (other_reader, writer)):
            task = asyncio.create_task(self._carry(source, sink))
            self._tasks.add(task)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                await asyncio.sleep(self.delay_s)
                if not self.dead.is_set():
                    sink.write(data)
            sink.close()

    @asynccontextmanager
    async def half_open(self) -> AsyncIterator[None]:
        self.dead.set()
        yield
        self.dead.clear()

    @asynccontextmanager
    async def slow(self) -> AsyncIterator[None]:
        self.delay_s = 2 * STORE_S
        yield
        self.delay_s = 0.0


class Process:
    """What can happen to a Redis itself."""

    def __init__(self, redis: RedisServer) -> None:
        self._redis = redis

    @asynccontextmanager
    async def hung(self) -> AsyncIterator[None]:
        self._redis.signal(signal.SIGSTOP)
        yield
        self._redis.signal(signal.SIGCONT)

    @asynccontextmanager
    async def full(self) -> AsyncIterator[None]:
        self._redis.command("CONFIG", "SET", "maxmemory", "1")
        yield
        self._redis.command("CONFIG", "SET", "maxmemory", "0")

    @asynccontextmanager
    async def read_only(self) -> AsyncIterator[None]:
        self._redis.command("REPLICAOF", "127.0.0.1", "1")
        yield
        self._redis.command("REPLICAOF", "NO", "ONE")


@pytest.mark.parametrize("fault", ["hung", "full", "read_only", "half_open", "slow"])
def test_redis(tmp_path: Path, own_redis: RedisServer, fault: str) -> None:
    async def run() -> None:
        async with Line(own_redis.port) as line:
            store = RedisStore(f"redis://127.0.0.1:{line.port}/0", timeout_s=STORE_S)
            faults = line if hasattr(line, fault) else Process(own_redis)
            await lose_nothing(store, tmp_path, getattr(faults, fault))

    asyncio.run(run())
