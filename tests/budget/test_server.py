"""Real budget servers: two on one store, killed, hung, and their store killed, stopped, full, gone."""

import asyncio
import itertools
import resource
import signal
import sqlite3
import time
import urllib.error
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc
import pytest

from budget import configurations
from budget.client import metric
from budget.configurations import RESERVED, SPENT
from budget.redis_server import RedisServer
from budget.server import Gateway, Server
from fairlead.budget.policy import Scope
from fairlead.budgetserver.messages import OK, OVER_LIMIT

PATIENCE_S = 30


async def eventually(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.05)


def figures(server: Server, consumer: str = "t/a") -> tuple[int, int]:
    budget = server.usage_of(consumer)["budget"]
    return round(budget["spent"] * 10**9), round(budget["reserved"] * 10**9)


def play(port: int, story: Callable[[Gateway], Awaitable[None]]) -> None:
    async def run() -> None:
        gateway = Gateway(port)
        try:
            await story(gateway)
        finally:
            await gateway.close()

    asyncio.run(run())


def test_two_servers_share_one_limit(tmp_path: Path, own_redis: RedisServer) -> None:
    configuration = configurations.write(tmp_path / "book.json", 100 * RESERVED, scope=Scope.SHARED)
    with Server(configuration, own_redis.url) as one, Server(configuration, own_redis.url) as two:

        async def run() -> None:
            gateways = [Gateway(one.rpc), Gateway(two.rpc)]

            async def ask(number: int) -> bool:
                answer = await gateways[number % 2].check(f"r{number}", patience_s=30)
                return bool(answer.overall_code == OK)

            granted = await asyncio.gather(*(ask(number) for number in range(1_000)))
            assert sum(granted) == 100
            assert figures(one) == figures(two) == (0, 100 * RESERVED)
            # The other server hears of the end; a repetition, at either of them, changes nothing.
            for number in (number for number, yes in enumerate(granted) if yes):
                await gateways[(number + 1) % 2].report(f"r{number}")
                await gateways[number % 2].report(f"r{number}")
            assert figures(one) == figures(two) == (100 * SPENT, 0)
            for gateway in gateways:
                await gateway.close()

        asyncio.run(run())


@pytest.mark.parametrize("store", ["sqlite", "redis"])
def test_a_killed_server_forgets_nothing(tmp_path: Path, store: str, request: pytest.FixtureRequest) -> None:
    configuration = configurations.write(tmp_path / "book.json", 10_000)
    address = f"sqlite:{tmp_path / 'b.db'}"
    if store == "redis":
        redis: RedisServer = request.getfixturevalue("own_redis")
        address = redis.url
    server = Server(configuration, address)
    with server:

        async def before(gateway: Gateway) -> None:
            for number in range(10):
                await gateway.check(f"r{number}")
            for number in range(5):
                await gateway.report(f"r{number}")

        play(server.rpc, before)
        server.stop(signal.SIGKILL)
        server.start()
        assert figures(server) == (5 * SPENT, 5 * RESERVED)

        async def after(gateway: Gateway) -> None:
            for number in range(10):
                await gateway.report(f"r{number}")

        play(server.rpc, after)
        assert figures(server) == (10 * SPENT, 0)


def test_sigterm_books_what_is_under_way(tmp_path: Path) -> None:
    configuration = configurations.write(tmp_path / "book.json", 10_000)
    server = Server(configuration, f"sqlite:{tmp_path / 'b.db'}")
    with server:

        async def story(gateway: Gateway) -> None:
            await asyncio.gather(*(gateway.report(f"r{number}", checked=False) for number in range(50)))

        play(server.rpc, story)
        assert server.stop() == 0
        server.start()
        assert figures(server) == (50 * SPENT, 0)


def test_a_wrong_book_keeps_the_last_one(tmp_path: Path) -> None:
    configuration = configurations.write(tmp_path / "book.json", 10_000)
    with Server(configuration, "memory:") as server:
        digest = server.get("/healthz")["configuration"]
        configuration.write_text('{"version": 7}')

        async def story(gateway: Gateway) -> None:
            await eventually(lambda: metric(server.metrics(), "fairlead_budget_book_errors_total") == 1, "no error")
            assert server.get("/healthz")["configuration"] == digest
            assert (await gateway.check("r1")).overall_code == OK
            configurations.write(configuration, 0)
            began = time.monotonic()
            numbers = itertools.count()
            while (await gateway.check(f"kill{next(numbers)}")).overall_code == OK:
                await asyncio.sleep(0.02)
            assert time.monotonic() - began < 10, "a second; a busy machine may take its time"

        play(server.rpc, story)


def test_a_gateway_of_another_version_is_refused_and_counted(tmp_path: Path) -> None:
    configuration = configurations.write(tmp_path / "book.json", 10_000)
    with Server(configuration, "memory:") as server:

        async def story(gateway: Gateway) -> None:
            for key in ("kind", "kind", "later"):
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await gateway.send(key, "check")
                # What Envoy's outlier detection takes for a 400: this server must stay the one that is asked.
                assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert metric(server.metrics(), "fairlead_budget_malformed_total") == 3
            assert (await gateway.check("r1")).overall_code == OK
            assert figures(server) == (0, RESERVED)

        play(server.rpc, story)


def test_a_check_of_absurd_length_is_refused_for_itself(tmp_path: Path) -> None:
    configuration = configurations.write(tmp_path / "book.json", 10_000)
    with Server(configuration, "memory:") as server:

        async def story(gateway: Gateway) -> None:
            digits = "9" * 65_536
            for value in (
                f"t/a x chat {digits} t/chat 1 1",
                f"t/a x chat 1 t/chat {digits} 1",
                f"t/a x {digits} 1 t/chat 1 1",
                f"t/a x chat 1 t/chat 1 {digits * 16}",
                f"t/a x chat 1 t/chat 1 {'9' * 16}",
            ):
                assert (await gateway.send("check", value)).overall_code == OVER_LIMIT
            assert metric(server.metrics(), "fairlead_budget_malformed_total") == 5
            assert (await gateway.check("r1")).overall_code == OK

        play(server.rpc, story)


def test_without_a_book_it_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "book.json").write_text("{}")
    server = Server(tmp_path / "book.json", "memory:")
    with pytest.raises(AssertionError, match="version: Field required"):
        server.start()
    server.stop()


class Faults:
    """What can happen to a store, and how it is undone."""

    def __init__(self, redis: RedisServer) -> None:
        self._redis = redis

    def killed(self) -> Callable[[], None]:
        self._redis.signal(signal.SIGKILL)
        return self._redis.start

    def hung(self) -> Callable[[], None]:
        self._redis.signal(signal.SIGSTOP)
        return lambda: self._redis.signal(signal.SIGCONT)

    def full(self) -> Callable[[], None]:
        assert self._redis.command("CONFIG", "SET", "maxmemory", "1") == b"+OK\r\n"
        return lambda: self._redis.command("CONFIG", "SET", "maxmemory", "0") and None

    def slow(self) -> Callable[[], None]:
        self._redis.command("CLIENT", "PAUSE", "10000", "ALL")
        return lambda: None


@pytest.mark.parametrize("fault", ["killed", "hung", "full", "slow"])
def test_a_store_that_is_away_loses_nothing(tmp_path: Path, own_redis: RedisServer, fault: str) -> None:
    own_redis.command("CONFIG", "SET", "appendfsync", "always")
    configuration = configurations.write(tmp_path / "book.json", 100_000)
    with Server(configuration, own_redis.url, "--store-timeout", "1") as server:

        async def story(gateway: Gateway) -> None:
            for number in range(4):
                assert (await gateway.check(f"r{number}")).overall_code == OK
            await gateway.report("r0")
            undo = getattr(Faults(own_redis), fault)()
            # Nobody knows whether there is room: the gateway hears so, soon, and decides by failurePolicy.
            for number in range(10, 14):
                began = time.monotonic()
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await gateway.check(f"r{number}")
                assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
                assert time.monotonic() - began < 10, "a second; a busy machine may take its time"
            # Reports are taken all the same, and wait.
            for number in (1, 2, 10, 11):
                await gateway.report(f"r{number}", checked=False)
            text = server.metrics()
            assert metric(text, "fairlead_budget_backlog") == 4
            assert metric(text, "fairlead_budget_checks_total", verdict="unavailable") == 4
            assert metric(text, "fairlead_budget_store_up") == 0
            assert not server.healthy()
            assert server.get("/livez")["ok"], "a restart would lose what waits"
            undo()
            await eventually(lambda: metric(server.metrics(), "fairlead_budget_backlog") == 0, "still waiting")
            await eventually(server.healthy, "not healthy")
            for number in (1, 2, 10, 11):
                await gateway.report(f"r{number}", checked=False)
            await gateway.report("r3")
            await eventually(lambda: figures(server)[0] == 6 * SPENT, "not all is booked")
            # A check whose outcome nobody knew may hold until it expires: never more than it asked for.
            assert figures(server)[1] in {number * RESERVED for number in range(5)}
            assert (await gateway.check("r99")).overall_code == OK

        play(server.rpc, story)


def full_disk(server: Server, database: Path) -> Callable[[], None]:
    """No file of the server may grow."""
    size = max(path.stat().st_size for path in database.parent.glob(f"{database.name}*"))
    before = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    return lambda: resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, before) and None


def locked_file(_server: Server, database: Path) -> Callable[[], None]:
    """Somebody else writes to the file and does not end."""
    other = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    return other.close


@pytest.mark.parametrize("fault", [full_disk, locked_file])
def test_a_file_that_cannot_be_written_loses_nothing(
    tmp_path: Path, fault: Callable[[Server, Path], Callable[[], None]]
) -> None:
    configuration, database = configurations.write(tmp_path / "book.json", 10**9), tmp_path / "b.db"
    with Server(configuration, f"sqlite:{database}", "--store-timeout", "0.5") as server:

        async def story(gateway: Gateway) -> None:
            for number in range(4):
                await gateway.check(f"r{number}", patience_s=30)
            undo = fault(server, database)
            refused, number = Counter[grpc.StatusCode](), itertools.count(100)
            while refused.total() < 3:
                try:
                    await gateway.check(f"r{next(number)}", patience_s=30)
                except grpc.aio.AioRpcError as error:
                    refused[error.code()] += 1
            assert set(refused) == {grpc.StatusCode.FAILED_PRECONDITION}
            for number in range(4):
                await gateway.report(f"r{number}", patience_s=30)
            undo()
            await eventually(server.healthy, "not healthy")
            await eventually(lambda: metric(server.metrics(), "fairlead_budget_backlog") == 0, "still waiting")
            for number in range(4):
                await gateway.report(f"r{number}", patience_s=30)
            await eventually(lambda: figures(server)[0] == 4 * SPENT, "not all is booked")
            assert (await gateway.check("last", patience_s=30)).overall_code == OK

        play(server.rpc, story)


def test_a_store_that_was_emptied_starts_at_zero_and_goes_on(tmp_path: Path, own_redis: RedisServer) -> None:
    configuration = configurations.write(tmp_path / "book.json", 1_000)
    with Server(configuration, own_redis.url) as server:

        async def story(gateway: Gateway) -> None:
            await gateway.check("r1")
            await gateway.report("r1")
            own_redis.command("FLUSHALL")
            own_redis.command("SCRIPT", "FLUSH")
            assert (await gateway.check("r2")).overall_code == OK
            await gateway.report("r2")
            assert figures(server) == (SPENT, 0)

        play(server.rpc, story)


def test_usage_is_for_gateways_and_needs_a_consumer(tmp_path: Path) -> None:
    configuration = configurations.write(tmp_path / "book.json", 1_000)
    with Server(configuration, "memory:") as server:
        with pytest.raises(urllib.error.HTTPError) as caught:
            server.usage_of("")
        assert caught.value.code == 401
        caught.value.close()
        with pytest.raises(urllib.error.HTTPError) as caught:
            server.get("/v1/usage")
        assert caught.value.code == 404, "not on the operator's address"
        caught.value.close()
        assert server.usage_of("t/free") == {"object": "usage", "budget": None, "budgets": []}


def test_a_spent_budget_over_the_wire(tmp_path: Path) -> None:
    configuration = configurations.write(tmp_path / "book.json", RESERVED)
    with Server(configuration, "memory:") as server:

        async def story(gateway: Gateway) -> None:
            assert (await gateway.check("r1")).overall_code == OK
            answer = await gateway.check("r2")
            assert answer.overall_code == OVER_LIMIT
            assert b"insufficient_quota" in answer.raw_body

        play(server.rpc, story)
