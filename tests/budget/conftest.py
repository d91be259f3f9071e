"""Real stores, real budget servers, real gateways for the tests of this folder."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import standing_by
from running_up import CREDENTIAL, RunningUp, Site, consumer, provider, route, secret, until

from budget.redis_server import BINARY, RedisServer
from budget.store_player import TIMEOUT_S
from fairlead.budgetserver.memory import MemoryStore
from fairlead.budgetserver.redisstore import RedisStore
from fairlead.budgetserver.sqlite import SqliteStore
from fairlead.budgetserver.store import Store
from fairlead.demo.provider import SimulatedProvider

KEY = "sk-agent"
IN_TIME = {"timeout": "10s"}
"""`budgets` where checks must be answered: on a busy machine 250 ms, the usual, are soon over, and they pass."""
SOON_GIVEN_UP = {"timeout": "250ms"}
"""`budgets` where nobody is to answer, as it is by default."""
PATIENT_WITH_SERVERS = "from fairlead.standalone import budget_server as b; b.PATIENCE = 10**6"
"""What makes a `fairlead up` replace no budget server that hangs: it hangs for as long as a test wants."""
READS_OFTEN = """
from fairlead.adapters import budget_server as b
OFTEN = ("--reconcile-every", "1")
b._COMMAND += OFTEN
become = b.Standby.become
b.Standby.become = lambda one, arguments, *stores, **more: become(one, [*arguments, *OFTEN], *stores, **more)
"""
"""What makes budget servers of a `fairlead up` read gateways' counters each second, and not each seventh."""


def server_pid(running: RunningUp) -> int:
    """The budget server among the children of `fairlead up`; waits for the next one where it has just ended."""
    found: int = until(lambda: _server_pid(running), "no budget server")
    return found


@contextlib.contextmanager
def hung(running: RunningUp) -> Iterator[None]:
    """Let the budget server answer nobody, and go on at the end: one that hangs is waited for when `up` ends."""
    pid = server_pid(running)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def _server_pid(running: RunningUp) -> int | None:
    children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children").read_text().split()
    for pid in children:
        with contextlib.suppress(OSError):  # it ended meanwhile
            names = (Path(f"/proc/{pid}/{file}").read_bytes() for file in ("cmdline", "comm"))
            if any(standing_by.NAME in name for name in names):
                return int(pid)
    return None


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One redis-server for all tests that only need a store; each works in a database of its own keys."""
    server = make_redis(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A redis-server that a test may kill."""
    server = make_redis(tmp_path)
    yield server
    server.stop()


@pytest.fixture(params=["memory", "sqlite", "redis"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    """Open the same store, each time anew."""
    if request.param == "memory":
        memory = MemoryStore()
        return lambda: memory
    if request.param == "sqlite":
        return lambda: SqliteStore(tmp_path / "budget.db", timeout_s=10, warn=pytest.fail)
    server: RedisServer = request.getfixturevalue("redis_server")
    server.command("FLUSHALL")
    return lambda: RedisStore(server.url, timeout_s=10)


def make_redis(folder: Path) -> RedisServer:
    if BINARY is None:
        pytest.skip("redis-server is not installed: `make system` installs it")
    server = RedisServer(folder)
    server.start()
    return server


@pytest.fixture
def simulated() -> Iterator[SimulatedProvider]:
    """Run one strict provider of two models; an answer of its own costs 1 + 12 tokens."""
    with SimulatedProvider(models=("sparrow", "heron"), keys=(CREDENTIAL,)) as running:
        yield running


@pytest.fixture
def site(tmp_path: Path, simulated: SimulatedProvider) -> Site:
    """Make a folder with one region: `chat` and its smaller `small`, and the consumer `fairlead/agent`."""
    return agents_site(tmp_path, simulated)


def agents_site(folder: Path, simulated: SimulatedProvider, *, regions: int = 1) -> Site:
    """Make the folder of `site`, of one or more regions."""
    site = Site(folder, regions)
    site.write_config(budgets=IN_TIME)
    site.write("provider.yaml", provider(simulated.base_url, "sparrow", "heron"), secret("sim", key=CREDENTIAL))
    site.write(
        "route.yaml", route("chat", "sparrow", downgradeTo="small", maxOutputTokens=100), route("small", "heron")
    )
    site.write("agent.yaml", consumer("agent", "k"), secret("agent", k=KEY))
    return site


@pytest.fixture
def start() -> Iterator[Callable[..., RunningUp]]:
    """Start `fairlead up` on a site; it ends with the test."""
    with ExitStack() as stack:

        def run(site: Site, *options: str, **settings: Any) -> RunningUp:
            return stack.enter_context(RunningUp(site, *options, **settings))

        yield run


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module", params=["sqlite", "redis"])
def store(
    request: pytest.FixtureRequest, runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    made: Store
    if request.param == "sqlite":
        made = SqliteStore(tmp_path_factory.mktemp("sqlite") / "budget.db", timeout_s=TIMEOUT_S, warn=pytest.fail)
    else:
        server: RedisServer = request.getfixturevalue("redis_server")
        made = RedisStore(server.url, timeout_s=TIMEOUT_S)
    yield made
    runner.run(made.close())
