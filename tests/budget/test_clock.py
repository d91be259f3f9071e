"""The server's clock stepped, forward and back, under open requests: nothing is lost, nothing is booked twice."""

import asyncio
from pathlib import Path

import pytest

from budget import configurations
from budget.configurations import RESERVED, SPENT
from budget.server import Gateway
from fairlead.budget.window import Every
from fairlead.budgetserver import server as server_module
from fairlead.budgetserver.server import BudgetServer
from fairlead.budgetserver.settings import Settings

HOUR = 3_600_000
START = 1_800_000_000_000  # the beginning of some hour
PATIENCE_S = 20


class Clock:
    def __init__(self) -> None:
        self.now_ms = START + 1_000

    def __call__(self) -> int:
        return self.now_ms


async def figures(server: BudgetServer) -> tuple[int, int, int]:
    (standing,) = await server.service.standings("t/a")
    return standing.counter.spent, standing.counter.reserved, standing.counter.estimated


async def until(true: object, server: BudgetServer) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await figures(server) != true:
            await asyncio.sleep(0.02)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        configuration=configurations.write(tmp_path / "book.json", 10_000, window=Every(length_ms=24 * HOUR)),
        rpc="127.0.0.1:0",
        usage="127.0.0.1:0",
        http="127.0.0.1:0",
        store=f"sqlite:{tmp_path / 'b.db'}",
        store_timeout_s=5,
        gateways=(),
        reconcile_every_s=1,
    )


def test_a_clock_that_steps(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_SWEEP_S", 0.05)

    async def run() -> None:
        clock = Clock()
        server = BudgetServer(settings, clock)
        await server.start()
        gateway = Gateway(server.ports["rpc"])
        for number in range(4):
            await gateway.check(f"r{number}")
        await gateway.report("r0")
        assert await figures(server) == (SPENT, 3 * RESERVED, 0)

        # An hour ahead: what is open looks overdue and is booked in full, marked as a guess.
        clock.now_ms += HOUR
        await until((SPENT + 3 * RESERVED, 0, 3 * RESERVED), server)
        # Its reports come after all and replace the guess; a repetition changes nothing.
        for _ in range(2):
            await gateway.report("r1")
            await gateway.report("r2")
        assert await figures(server) == (3 * SPENT + RESERVED, 0, RESERVED)

        # Back again, and behind the start: the same windows are found under their names.
        clock.now_ms -= HOUR
        await gateway.report("r3")
        assert await figures(server) == (4 * SPENT, 0, 0)
        await gateway.check("r4")
        await gateway.report("r4")
        assert await figures(server) == (5 * SPENT, 0, 0)

        # A day ahead is another window; a day back is this one.
        clock.now_ms += 24 * HOUR
        await gateway.check("r5")
        await gateway.report("r5")
        assert await figures(server) == (SPENT, 0, 0)
        clock.now_ms -= 24 * HOUR
        assert await figures(server) == (5 * SPENT, 0, 0)

        await gateway.close()
        await server.stop()

    asyncio.run(run())


def test_a_report_that_never_comes_is_booked_after_a_quarter_of_an_hour(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "_SWEEP_S", 0.05)

    async def run() -> None:
        clock = Clock()
        server = BudgetServer(settings, clock)
        await server.start()
        gateway = Gateway(server.ports["rpc"])
        await gateway.check("r0")
        clock.now_ms += 14 * 60_000
        await asyncio.sleep(0.2)
        assert await figures(server) == (0, RESERVED, 0)
        clock.now_ms += 61_000
        await until((RESERVED, 0, RESERVED), server)
        assert server.metrics.registry.get_sample_value("fairlead_budget_expired_total", {"outcome": "booked"}) == 1
        await gateway.close()
        await server.stop()

    asyncio.run(run())
