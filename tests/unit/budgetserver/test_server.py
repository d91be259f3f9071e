"""A loop of the budget server that ends is seen by whoever replaces the process, and checks are answered until then."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from budget import configurations
from fairlead.budgetserver.configuration_file import BudgetConfigurationFile
from fairlead.budgetserver.server import BudgetServer
from fairlead.budgetserver.settings import Settings

PATIENCE_S = 20


def _settings(folder: Path) -> Settings:
    return Settings(
        configuration=configurations.write(folder / "book.json", 10_000),
        rpc="127.0.0.1:0",
        usage="127.0.0.1:0",
        http="127.0.0.1:0",
        store="memory:",
        store_timeout_s=1,
        gateways=(),
        reconcile_every_s=1,
    )


async def _statuses(folder: Path, *, until: int) -> dict[str, int]:
    """Start a server; return the status of each of its health paths when `/livez` is `until`."""
    server = BudgetServer(_settings(folder), lambda: 1_800_000_000_000)
    await server.start()
    found: dict[str, int] = {}
    try:
        async with asyncio.timeout(PATIENCE_S), aiohttp.ClientSession() as session:
            while found.get("livez") != until:
                for path in ("readyz", "livez", "healthz"):
                    async with session.get(f"http://127.0.0.1:{server.ports['http']}/{path}") as response:
                        found[path] = response.status
    finally:
        await server.stop()
    return found


async def _raises(*_: object) -> None:
    raise KeyError("nobody expected this")


async def _returns(*_: object) -> None:
    return


def test_all_is_well(tmp_path: Path) -> None:
    assert asyncio.run(_statuses(tmp_path, until=200)) == {"readyz": 200, "livez": 200, "healthz": 200}


@pytest.mark.parametrize("loop", [_raises, _returns])
def test_a_loop_that_ended_is_red_health_and_a_server_that_goes_on(
    loop: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BudgetConfigurationFile, "watch", loop)
    assert asyncio.run(_statuses(tmp_path, until=503)) == {"readyz": 200, "livez": 503, "healthz": 503}
