"""One budget server: listeners, loops, an orderly end."""

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import structlog
from aiohttp import web

from fairlead.budget.price import USD
from fairlead.budgetserver import ledgerview
from fairlead.budgetserver.answer_stores import open_answers, secret_of
from fairlead.budgetserver.configuration_file import BudgetConfigurationFile
from fairlead.budgetserver.memory import MemoryStore
from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.ratelimit import Clock, RateLimitService
from fairlead.budgetserver.ratings import Ratings
from fairlead.budgetserver.reconciliation import UsageReconciliation
from fairlead.budgetserver.retention import Retention
from fairlead.budgetserver.rpc import make_listener
from fairlead.budgetserver.settings import Settings
from fairlead.budgetserver.shared_answers import SharedAnswers
from fairlead.budgetserver.shelf import open_shelf
from fairlead.budgetserver.sites import Site
from fairlead.budgetserver.sqlite import SqliteStore
from fairlead.budgetserver.store import Store, StoreError
from fairlead.budgetserver.web import operator_application, usage_application
from fairlead.errors import BudgetConfigurationError, FairleadError
from fairlead.runtime.loops import Loops, repeat

_SWEEP_S = 5.0
_SWEPT = 200
_PING_S = 1.0
_REFRESH_S = 10.0
_GRACE_S = 2.0
_WARNINGS = 20
_MOST_GATEWAYS, _MOST_OPERATORS = 2_048, 256
"""Connections of HTTP at once: of gateways that ask for usage and answers, 64 at a time each; of whoever operates."""
ANSWERS_TIMEOUT_S = 0.08
"""How long the store may take over a shared answer: less than a gateway waits for one (`fairlead.envoy.cache`)."""
log = structlog.get_logger("fairlead.budget")


def open_store(address: str, timeout_s: float, warn: Callable[[str], None] = lambda _: None) -> Store:
    """Return the store that an address names; `warn` is told what it lost.

    Raises:
        BudgetConfigurationError: an address of no known kind.

    """
    scheme, _, rest = address.partition(":")
    if scheme == "memory":
        return MemoryStore()
    if scheme == "sqlite":
        return SqliteStore(Path(rest.removeprefix("//")), timeout_s=timeout_s, warn=warn)
    if scheme in {"redis", "rediss", "unix"}:
        # Its client is a fifth of what a start loads, and `fairlead up` needs none.
        from fairlead.budgetserver.redisstore import RedisStore  # noqa: PLC0415

        return RedisStore(address, timeout_s=timeout_s, warn=warn)
    raise BudgetConfigurationError(f"store: got `{scheme}:`, want `redis:`, `rediss:`, `unix:`, `sqlite:` or `memory:`")


class BudgetServer:
    """Everything that runs in one process; `start` and `stop` it, or `run` it until it is cancelled."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self.metrics = Metrics()
        self._file = BudgetConfigurationFile(settings.configuration, self.metrics)
        self._warnings: list[str] = []
        self._store = open_store(settings.store, settings.store_timeout_s, self._warn)
        self.service = RateLimitService(
            store=self._store, configuration=self._file.load(), clock=clock, metrics=self.metrics
        )
        self._ratings = Ratings(
            open_shelf(settings.store, settings.store_timeout_s, self._warn),
            configuration=lambda: self.service.configuration,
            clock=clock,
            metrics=self.metrics,
        )
        self._answers = SharedAnswers(
            open_answers(
                settings.answers_store or settings.store,
                secret=self._secret(),
                timeout_s=min(settings.store_timeout_s, ANSWERS_TIMEOUT_S),
            ),
            configuration=lambda: self.service.configuration,
            clock=clock,
            metrics=self.metrics,
        )
        self._rpc = make_listener(self.service, self._ratings, self.metrics)
        self._tasks: list[asyncio.Task[None]] = []
        self._loops = Loops(log)
        self._sites: list[Site] = []
        self._reconciliation = UsageReconciliation(
            sources=settings.gateways, store=self._store, service=self.service, metrics=self.metrics
        )
        self.ports: dict[str, int] = {}
        """Ports in use, of addresses that are no socket files: `rpc`, `usage`, `http`."""

    async def start(self) -> None:
        """Listen and begin all loops."""
        with contextlib.suppress(StoreError):  # what the store lost is known before anybody asks
            await self._store.ping()
        usage = usage_application(self.service, self._ratings, self._answers)
        await self._listen_http("usage", self._settings.usage, usage, most=_MOST_GATEWAYS)
        port = await self._rpc.start(self._settings.rpc)
        if port:
            self.ports["rpc"] = port
        # Last: who is told that all is well here may ask.
        operator = operator_application(self.service, self.metrics, self.health, self.is_whole)
        await self._listen_http("http", self._settings.http, operator, most=_MOST_OPERATORS)
        self._begin("configuration", self._file.watch(self.service.use))
        self._begin("backlog", self.service.backlog.run())
        self._begin("expire", self._every(_SWEEP_S, "expire", self._sweep))
        self._begin("ping", self._every(_PING_S, "ping", self.service.ping))
        self._begin("answers", self._every(_PING_S, "answers", self._answers.ping))
        self._begin("refresh", self._every(_REFRESH_S, "refresh", self._refresh))
        self._begin("keep", self._every(_REFRESH_S, "keep", Retention(self.service, self._store).once))
        if self._settings.gateways:
            every_s = self._settings.reconcile_every_s
            self._begin("reconcile", self._every(every_s, "reconcile", self._reconciliation.once))
        log.info("budget.serving", configuration=self._file.digest, ports=self.ports)

    async def stop(self) -> int:
        """Answer what is under way, settle what waits, let go of everything; returns how many bookings are lost."""
        await self._rpc.stop(_GRACE_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._reconciliation.close()
        for site in self._sites:
            await site.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.store_timeout_s + _GRACE_S):
                await self.service.settled()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE_S):
                await self.service.backlog.drain()
        lost = len(self.service.backlog)
        if lost:
            self.metrics.lost.inc(lost)
            log.error("budget.reports_lost", reports=lost, reason="the store did not come back")
        await self._ratings.close()
        await self._answers.close()
        await self._store.close()
        return lost

    def is_whole(self) -> bool:
        """Tell whether all loops run; one that ended is a bug, and the process is to be replaced."""
        return not self._loops.ended

    def health(self) -> dict[str, Any]:
        """Return what `/healthz` says: alive and able to decide."""
        up = self.service.store_up
        return {
            "ok": up and not self._loops.ended,
            "store": "up" if up else "down",
            "problem": "" if up else self.service.outage.problem,
            "failure_policy": "Closed" if self.service.configuration.fail_closed else "Open",
            "bounding": self.service.configuration.is_bounding,
            "backlog": len(self.service.backlog),
            "configuration": self._file.digest,
            "warnings": self._warnings,
            "answers": self._answers.outage(),
        }

    def _secret(self) -> bytes:
        """Return the key that shared answers are sealed by; without one, this process keeps them for itself."""
        secret = secret_of(self._settings.answers_key)
        if secret is None and self._settings.answers_key is not None:
            log.warning(
                "answers.no_key", file=str(self._settings.answers_key), what="no other server finds its answers"
            )
        return secret or secrets.token_bytes(32)

    def _warn(self, what: str) -> None:
        """Keep the newest warnings: whoever damages the store again and again fills no memory."""
        self._warnings = [*(known for known in self._warnings if known != what), what][-_WARNINGS:]
        log.error("budget.state_lost", what=what)

    def _begin(self, name: str, loop: Coroutine[Any, Any, None]) -> None:
        """Run a loop; when it ends, health is red, and checks are answered until the process is replaced."""
        self._tasks.append(asyncio.create_task(self._loops.run(name, loop)))

    async def _every(self, seconds: float, step: str, work: Callable[[], Awaitable[None]]) -> None:
        def failed(error: FairleadError, _failures: int) -> None:
            self.metrics.store_errors.labels(step).inc()
            log.warning("budget.store_failed", step=step, error=str(error))

        await repeat(
            work,
            every_s=seconds,
            sleep=asyncio.sleep,
            failed=failed,
            errors=StoreError,
            retry_s=(seconds, seconds),
            now=asyncio.get_running_loop().time,
        )

    async def _refresh(self) -> None:
        await ledgerview.refresh(self.service, self.metrics)

    async def _sweep(self) -> None:
        """Give up on reports that are overdue."""
        while True:
            expired = await self._store.expire(self.service.now_ms(), _SWEPT)
            for gone in expired:
                if gone.leased:
                    self.metrics.units.labels("expired").inc()
                    continue
                self.metrics.expired.labels("booked" if gone.booked else "waived").inc()
                self.metrics.expired_usd.inc(gone.booked / USD)
            if len(expired) < _SWEPT:
                return

    async def _listen_http(self, name: str, address: str, application: web.Application, *, most: int) -> None:
        site = Site(application, most=most, crowded=self.metrics.crowded_connections.inc)
        self._sites.append(site)
        port = await site.start(address)
        if port:
            self.ports[name] = port
