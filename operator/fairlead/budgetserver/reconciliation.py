"""Books what reports lost: reads the gateways' counters at intervals and compares them with what was booked.

The rules are `fairlead.budget.reconciliation`'s. Several servers may do this on one store: a reading is stored only if
nobody else stored one since it was begun.
"""

import asyncio
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import structlog
from yarl import URL

from fairlead.budget.estimate import LARGEST, believable
from fairlead.budget.price import USD, Tokens, cost
from fairlead.budget.reconciliation import NOTHING, Count, UsageCounterKey, read, share_captured
from fairlead.budgetserver.exposition import counts, uptime_s
from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.ratelimit import RateLimitService
from fairlead.budgetserver.store import Booking, Store, StoreError, UsageCounterUpdate

_READ_S = 5.0
_GRACE_S = 0.2
"""Between reading counters and reading bookings: reports that are on their way arrive."""
_OLDER_MS = 60_000
"""A gateway that began at most that long before the store is taken for one whose whole life the store knows."""
_FILE = "file:"
log = structlog.get_logger("fairlead.budget")


class UsageReconciliation:
    """Reads, compares, books."""

    def __init__(self, *, sources: Sequence[str], store: Store, service: RateLimitService, metrics: Metrics) -> None:
        self._sources = sources
        self._store = store
        self._service = service
        self._metrics = metrics

    async def run(self, every_s: float) -> None:
        """Reconcile for as long as the server lives."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_READ_S)) as session:
            while True:
                try:
                    await self.once(session)
                except StoreError as error:
                    self._metrics.store_errors.labels("reconcile").inc()
                    log.warning("budget.reconcile_failed", error=str(error))
                await asyncio.sleep(every_s)

    async def once(self, session: aiohttp.ClientSession) -> None:
        """Take one reading of all gateways and book what is missing for sure."""
        now_ms = self._service.now_ms()
        since_ms = (await self._store.read_usage_counters(now_ms)).since_ms
        readings = await self._scrape(session)
        if not readings:
            return
        await asyncio.sleep(_GRACE_S)
        await self._service.backlog.drain()
        known = await self._store.read_usage_counters(now_ms)
        young = {
            name
            for reading in readings
            for name in reading.gateways
            if reading.uptime_s is not None and now_ms - reading.uptime_s * 1000 > since_ms - _OLDER_MS
        }
        reading = read(
            meters=known.meters,
            known_gateways=frozenset(known.known_gateways) | young,
            scraped={key: count for reading in readings for key, count in reading.counts.items()},
            booked=known.booked,
        )
        bookings = tuple(
            self._booking(key, count, known.known_gateways.get(key.gateway, 0))
            for key, count in reading.bookings.items()
        )
        update = UsageCounterUpdate(
            version=known.version,
            meters=reading.meters,
            gateways=tuple(sorted({name for reading in readings for name in reading.gateways})),
            bookings=bookings,
            now_ms=now_ms,
        )
        if await self._store.write_usage_counters(update):
            self._tell(reading.bookings, bookings)
            await self._tell_stages(bookings)
            self._metrics.captured.set(share_captured((known.meters | reading.meters).values()))
        else:  # another server did, and booked what it found
            self._metrics.captured.set(share_captured(known.meters.values()))

    def _booking(self, key: UsageCounterKey, count: Count, at_ms: int) -> Booking:
        rung = self._service.configuration.rung(key.target, key.route, "")
        tokens = Tokens(input=count.input, output=count.output, cached=count.cached)
        true = rung is None or believable(rung, inputs=count.input, outputs=count.output, requests=count.requests)
        if not true:
            log.error("budget.count_unbelievable", gateway=key.gateway, consumer=key.consumer, target=key.target)
        return Booking(
            payer=key.consumer,
            # Nothing is waived for a count that cannot be true: what has no report is booked when it expires.
            requests=count.requests if true else 0,
            cost=min(LARGEST, cost(rung.price, tokens)) if true and rung is not None else 0,
            postings=self._service.payers(key.consumer, key.route),
            at_ms=at_ms,
        )

    def _tell(self, missed: Mapping[UsageCounterKey, Count], bookings: Sequence[Booking]) -> None:
        found = sum(missed.values(), NOTHING)
        if found:
            booked = sum(booking.cost for booking in bookings)
            self._metrics.reconciled.inc(found.tokens)
            self._metrics.reconciled_usd.inc(booked / USD)
            log.warning("budget.reconciled", requests=found.requests, tokens=found.tokens, usd=booked / USD)

    async def _tell_stages(self, bookings: Sequence[Booking]) -> None:
        """Tell of the stages that were reached by what no report brought."""
        booked: dict[str, int] = {}
        payers: dict[str, str] = {}
        for booking in bookings:
            for posting in booking.postings:
                booked[posting.counter] = booked.get(posting.counter, 0) + booking.cost
                payers[posting.counter] = booking.payer
        for name, counter in zip(booked, await self._service.counters(tuple(booked)), strict=True):
            self._service.note_stage(name, payers[name], before=counter.spent - booked[name], after=counter.spent)

    async def _scrape(self, session: aiohttp.ClientSession) -> list["_Scrape"]:
        urls = [url for source in self._sources for url in await _addresses(source)]
        readings = await asyncio.gather(*(self._read(session, name, url) for name, url in urls))
        return [reading for reading in readings if reading is not None]

    async def _read(self, session: aiohttp.ClientSession, name: str, url: URL) -> "_Scrape | None":
        try:
            async with session.get(url) as response:
                response.raise_for_status()
                text = (await response.read()).decode("utf-8")
        except (aiohttp.ClientError, TimeoutError, UnicodeDecodeError) as error:
            self._metrics.gateways.labels("failed").inc()
            log.warning("budget.gateway_unread", gateway=name, error=str(error) or type(error).__name__)
            return None
        self._metrics.gateways.labels("read").inc()
        found = counts(text, gateway=name)
        return _Scrape(
            gateways=frozenset({name, *(key.gateway for key in found)}), uptime_s=uptime_s(text), counts=found
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scrape:
    """What one gateway showed."""

    gateways: frozenset[str]
    """Its names: by address, and as it calls itself."""
    uptime_s: int | None
    counts: Mapping[UsageCounterKey, Count]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split()
    except OSError:
        return []


async def _addresses(source: str) -> list[tuple[str, URL]]:
    """Return name and URL of each gateway behind a source: a file's lines, a URL, all addresses of a URL's name."""
    if source.startswith(_FILE):
        return [pair for line in _lines(Path(source.removeprefix(_FILE))) for pair in await _addresses(line)]
    url = URL(source)
    host, port = url.host or "", url.port or 80
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return [(f"{host}:{port}", url)]
    return [(f"{host}:{port}", url.with_host(host)) for host in sorted({str(entry[4][0]) for entry in found})]
