"""The budget server of `fairlead up`: a child process of its own, started when somebody has a budget.

It is started again when it dies, and killed and started again when it does not answer; its counters are in a SQLite
file, so nothing that was booked is lost.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from fairlead.adapters import budget_server, disk
from fairlead.adapters.budget_answer import SPEND_PATH
from fairlead.adapters.budget_places import Places
from fairlead.adapters.budget_server import BudgetServerProcess
from fairlead.adapters.standby import Standby
from fairlead.budget.spend import SpendSnapshot, decode
from fairlead.envoy import BudgetServer
from fairlead.errors import BudgetConfigurationError, BudgetServerError, FairleadError, StateError
from fairlead.runtime.children import ended, keep_alive
from fairlead.standalone.budget_health import BudgetHealth
from fairlead.standalone.state import StateFolder

START_S = 20.0
POLL_S = 0.05
PATIENCE = 3
"""Questions without an answer after which it counts as hung."""
BACK_OFF_S = (0.1, 5.0)
"""First and longest pause before a server that died is started again; Python itself takes most of a second."""
CALM_S = 30.0
END_S = 10.0
"""Longer than it takes to book what waits, or to give up on the store."""


_KEY_BYTES = 32


def _is_whole(key: Path) -> bool:
    """Tell whether a key is there; another one instead of it forgets what Redis has, and nothing else."""
    try:
        return key.stat().st_size >= 2 * _KEY_BYTES
    except OSError:
        return False


class Accounts:
    """Writes the configuration and keeps the server alive."""

    def __init__(
        self,
        state: StateFolder,
        environment: Mapping[str, str],
        log: FilteringBoundLogger,
        standby: Standby | None = None,
    ) -> None:
        """`standby`: what becomes the first server, if there is need of one."""
        self._state = state
        self._environment = environment
        self._log = log
        self._standby = standby
        self._health = BudgetHealth(log)
        self._process: BudgetServerProcess | None = None
        self._wanted = asyncio.Event()
        self._stopping = False
        self._files: dict[Path, bytes] = {}
        """What the server reads."""
        self._needed = True
        self._store: str | None = None
        self._answers_store: str | None = None
        self._check_timeout_s = 0.25

    @property
    def addresses(self) -> BudgetServer:
        """Where gateways find it."""
        return BudgetServer(rpc=f"unix:{self._places.rpc}", usage=f"unix:{self._places.usage}")

    @property
    def pid(self) -> int | None:
        """Its process id; None while there is none."""
        return self._process.pid if self._process and not self._process.ended else None

    @property
    def _places(self) -> Places:
        return self._state.budget.places

    async def use(
        self,
        configuration: bytes,
        *,
        store: str | None,
        answers_store: str | None,
        check_timeout_s: float,
        metrics: Iterable[str],
        needed: bool = True,
    ) -> None:
        """Decide by this configuration from now on; returns when a server does.

        Where it is not `needed` any more it goes on for requests that are under way, and what becomes of its store is
        nobody's trouble.

        Raises:
            BudgetServerError: it does not start.

        """
        files = {
            self._places.configuration: configuration,
            self._places.gateways: "\n".join(metrics).encode(),
        }
        self._write(files)
        self._files, self._needed = files, needed
        self._store, self._answers_store, self._check_timeout_s = store, answers_store, check_timeout_s
        if not self._wanted.is_set():
            await self._start()
            self._wanted.set()

    def _write(self, files: Mapping[Path, bytes]) -> None:
        self._state.budget.make()
        for path, content in files.items():
            disk.write(path, content)
        if not _is_whole(key := self._places.answers_key):
            disk.write(key, secrets.token_hex(_KEY_BYTES).encode())

    async def do_without(self) -> None:
        """Let go of what stands by, and of what is left of an earlier server: nobody needs one."""
        await self._end_standby()
        with contextlib.suppress(StateError):  # nobody asks there: see `status_document.counts`
            self._remove_sockets()

    async def _end_standby(self) -> None:
        if self._standby is not None:
            await self._standby.end()
            self._standby = None

    def _remove_sockets(self) -> None:
        """Take away where a server was to be found: who asks there is told that none answers."""
        for socket in (self._places.rpc, self._places.usage, self._places.http):
            disk.remove(socket)

    async def keep_alive(self) -> None:
        """Start the server again whenever it dies or hangs, from the first use on; ends when it stops."""
        await self._wanted.wait()
        await keep_alive(self, pause_s=BACK_OFF_S, calm_s=CALM_S, sleep=asyncio.sleep)

    @property
    def is_stopping(self) -> bool:
        """Whether the server was told to end."""
        return self._stopping

    async def ended(self) -> int:
        """Wait until the server ended, by itself or because it did not say several times in a row that it lives."""
        if self._process is None:
            raise BudgetServerError("got no budget server to keep alive, want one that was started")
        return await ended(self._process, self._lives, patience=PATIENCE, hangs=self._hangs)

    async def spend(self) -> SpendSnapshot | None:
        """Return what everybody has spent; None where there is no server, or none that says so."""
        if self.pid is None:
            return None
        try:
            return decode(await budget_server.ask(self._places.http, SPEND_PATH))
        except (BudgetServerError, BudgetConfigurationError):
            return None  # one that hangs or dies is told about elsewhere

    def _hangs(self) -> None:
        self._log.error("budget server hangs", pid=self.pid, what=f"no answer to {PATIENCE} questions; it is ended")

    async def _lives(self) -> bool:
        """Ask whether it is whole, and say what is new about what it counts in."""
        try:
            if not (await budget_server.ask(self._places.http, "/livez")).get("ok"):
                return False
            if self._needed:
                self._health.tell(await budget_server.ask(self._places.http, "/healthz"))
        except BudgetServerError:
            return False
        return True

    async def died(self, exit_code: int, again_in_s: float) -> None:
        """Say that the server ended."""
        self._log.error("budget server died", exit_code=exit_code, again_in_s=again_in_s)

    async def revive(self) -> None:
        """Start another server on the same counters, its files written anew where damaged; raises `FairleadError`."""
        self._write(self._files)
        await self._start()

    def failed(self, error: FairleadError, again_in_s: float) -> None:
        """Say that no server starts."""
        self._log.error("budget server does not start", problem=str(error), again_in_s=again_in_s)

    def back(self) -> None:
        """Say that a server answers again."""
        self._log.info("budget server is back", pid=self.pid)

    async def _start(self) -> None:
        self._remove_sockets()
        self._health.started()
        self._process = await BudgetServerProcess.start(
            self._places,
            store=self._store,
            answers_store=self._answers_store,
            check_timeout_s=self._check_timeout_s,
            environment=self._environment,
            standby=self._standby,
        )
        self._standby = None
        loop = asyncio.get_running_loop()
        until = loop.time() + START_S
        while not self._process.ended and loop.time() < until:
            if self._places.http.exists() and self._places.rpc.exists() and await self._lives():
                return
            await asyncio.sleep(POLL_S)
        await self._process.end(within_s=END_S)
        raise BudgetServerError(f"the budget server does not start; see {self._places.log}")

    async def stop(self) -> None:
        """End the server, after it booked what waits."""
        self._stopping = True
        self._wanted.set()
        await self._end_standby()
        try:
            await self._end()
        finally:
            with contextlib.suppress(StateError):
                self._remove_sockets()

    async def _end(self) -> None:
        process = self._process
        if process is None or process.ended:
            return
        waiting = 0
        with contextlib.suppress(BudgetServerError):
            waiting = (await budget_server.ask(self._places.http, "/healthz")).get("backlog", 0)
        await process.end(within_s=END_S)
        code = await process.wait()
        if code == budget_server.LOST or (waiting and code):
            which = f"{waiting} bookings" if waiting else "bookings"
            self._log.error("lost", what=f"{which} that the store did not take: that much more was spent than it says")
