"""Leases at real budget servers: reports in batches, twice, elsewhere, after a kill, while the store is away."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from budget import configurations
from budget.client import metric
from budget.configurations import RESERVED, SPENT
from budget.redis_server import RedisServer
from budget.server import Gateway, Server, told

LIMIT = 10**6


def figures(server: Server) -> tuple[int, int]:
    budget = server.usage_of("t/a")["budget"]
    return round(budget["spent"] * 10**9), round(budget["reserved"] * 10**9)


def play(server: Server, story: Callable[[Gateway], Awaitable[None]]) -> None:
    async def run() -> None:
        gateway = Gateway(server.rpc)
        try:
            await story(gateway)
        finally:
            await gateway.close()

    asyncio.run(run())


def units(lease: str, first: int, last: int) -> list[str]:
    return [told(f"q{number}", f"{lease}.{number}") for number in range(first, last + 1)]


@pytest.mark.parametrize("store", ["sqlite", "redis"])
def test_units_outlive_the_server_that_granted_them(tmp_path: Path, store: str, request: pytest.FixtureRequest) -> None:
    configuration = configurations.write(tmp_path / "book.json", LIMIT)
    redis: RedisServer | None = request.getfixturevalue("own_redis") if store == "redis" else None
    address = redis.url if redis else f"sqlite:{tmp_path / 'b.db'}"
    server = Server(configuration, address)
    with server:
        leases: list[str] = []

        async def before(gateway: Gateway) -> None:
            leases.append(await gateway.lease("r1"))
            await gateway.report("r1")
            await gateway.export(*units(leases[0], 1, 3))

        play(server, before)
        assert figures(server) == (4 * SPENT, 5 * RESERVED)
        server.stop(signal.SIGKILL)
        server.start()
        assert figures(server) == (4 * SPENT, 5 * RESERVED)

        async def after(gateway: Gateway) -> None:
            await gateway.export(*units(leases[0], 2, 5))
            await gateway.export(*units(leases[0], 2, 5))
            await gateway.send("report", told("q6", f"{leases[0]}.6"))
            await gateway.lease("r2", units=0, back=f"{leases[0]}:7-8")
            await gateway.report("r2")

        play(server, after)
        assert figures(server) == (8 * SPENT, 0)


def test_units_may_be_reported_and_given_back_at_another_server(tmp_path: Path, own_redis: RedisServer) -> None:
    configuration = configurations.write(tmp_path / "book.json", LIMIT)
    with Server(configuration, own_redis.url) as one, Server(configuration, own_redis.url) as two:
        leases: list[str] = []

        async def granted(gateway: Gateway) -> None:
            leases.extend([await gateway.lease("r1"), await gateway.lease("r2")])

        async def used(gateway: Gateway) -> None:
            assert leases[0] != await gateway.lease("r3")
            last = told("q9", f"{leases[0]}.5", back=f"{leases[0]}:6-8;{leases[1]}:1-8")
            await gateway.export(*units(leases[0], 1, 4), last)

        play(one, granted)
        play(two, used)
        assert figures(one) == figures(two) == (5 * SPENT, 3 * RESERVED + 8 * RESERVED)


def test_a_bad_record_hurts_no_other(tmp_path: Path) -> None:
    configuration = configurations.write(tmp_path / "book.json", LIMIT)
    with Server(configuration, f"sqlite:{tmp_path / 'b.db'}") as server:

        async def story(gateway: Gateway) -> None:
            lease = await gateway.lease("r1")
            one, two = units(lease, 1, 2)
            answer = await gateway.export(one, "", b"\xff\xfe", "t/a x", two, "; ; ;")
            assert answer.rejected.records == 4
            assert answer.rejected.error
            assert not (await gateway.export()).rejected.records
            assert not (await gateway.export(one, two)).rejected.records
            assert (await gateway.export(*[""] * 5_000)).rejected.records == 5_000

        play(server, story)
        assert figures(server) == (2 * SPENT, 7 * RESERVED)
        text = server.metrics()
        assert metric(text, "fairlead_budget_batched_reports_total") == 4
        assert metric(text, "fairlead_budget_malformed_total") == 5_004


def test_a_batch_waits_while_the_store_is_away(tmp_path: Path, own_redis: RedisServer) -> None:
    configuration = configurations.write(tmp_path / "book.json", LIMIT)
    with Server(configuration, own_redis.url, "--store-timeout", "0.2") as server:

        async def story(gateway: Gateway) -> None:
            lease = await gateway.lease("r1")
            own_redis.signal(signal.SIGSTOP)
            await gateway.export(*units(lease, 1, 3))
            assert metric(server.metrics(), "fairlead_budget_backlog") == 3
            own_redis.signal(signal.SIGCONT)
            while metric(server.metrics(), "fairlead_budget_backlog"):
                await asyncio.sleep(0.05)

        play(server, story)
        assert figures(server) == (3 * SPENT, 6 * RESERVED)


ABANDONED = "t/a r1 chat 100 t/chat - - false 0 DC 0 0 eu-1 - - - - - - - - asked"
"""Its check asked for a lease, and the client was gone before the answer."""


def test_a_lease_that_reached_nobody_is_released_by_the_report_of_its_request(tmp_path: Path) -> None:
    configuration = configurations.write(tmp_path / "book.json", LIMIT)
    with Server(configuration, f"sqlite:{tmp_path / 'b.db'}") as server:

        async def story(gateway: Gateway) -> None:
            await gateway.lease("r1")
            await gateway.lease("r2")
            await gateway.send("report", f"{ABANDONED} ; 50 1 ; -")

        play(server, story)
        assert figures(server) == (0, 9 * RESERVED)
