"""Books what reports lost: reads the gateways' counters at intervals and compares them with what was booked.

The rules are `fairlead.budget.reconciliation`'s. Several servers may do this on one store: a reading is stored only if
nobody else stored one since it was begun.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from fairlead.adapters.exposition import samples
from fairlead.budget.estimate import LARGEST, believable
from fairlead.budget.price import USD, Tokens, cost
from fairlead.budget.reconciliation import NOTHING, Count, UsageCounterKey, joined, read, share_captured
from fairlead.budgetserver import savings
from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.ratelimit import RateLimitService
from fairlead.budgetserver.store import Booking, Store, UsageCounterUpdate
from fairlead.runtime import scrape
from fairlead.runtime.scrape import Scraper

_GRACE_S = 0.2
"""Between reading counters and reading bookings: reports that are on their way arrive."""
_OLDER_MS = 60_000
"""A gateway that began at most that long before the store is taken for one whose whole life the store knows."""
SERIES: Mapping[str, str] = {
    f"envoy_fairlead_{kind}_{name}": number
    for kind in ("metered", "moved")
    for name, number in {
        "requests": "requests",
        "input_tokens": "input",
        "output_tokens": "output",
        "cached_tokens": "cached",
    }.items()
}
"""Series, and which number of a `Count` each is: of all requests, and once more of those that were moved, by the routes
that were asked as well."""
_UPTIME = "envoy_server_uptime"
ONLY = r"^fairlead_(metered|moved)\.|^server\.uptime$"
"""The same, as Envoy names them."""
log = structlog.get_logger("fairlead.budget")


class UsageReconciliation:
    """Reads, compares, books."""

    def __init__(self, *, sources: Sequence[str], store: Store, service: RateLimitService, metrics: Metrics) -> None:
        self._scraper = Scraper(sources, only=ONLY)
        self._store = store
        self._service = service
        self._metrics = metrics

    async def close(self) -> None:
        """Let go of the connections to gateways."""
        await self._scraper.close()

    async def once(self) -> None:
        """Take one reading of all gateways and book what is missing for sure; raises `StoreError`."""
        now_ms = self._service.now_ms()
        before = await self._store.read_usage_counters(now_ms)
        pages = await self._scrape()
        if not pages:
            return
        await asyncio.sleep(_GRACE_S)
        await self._service.backlog.drain()
        known = await self._store.read_usage_counters(now_ms)
        if known.version != before.version:
            # That reading may be of younger counters: next to them these would seem to have gone back.
            self._metrics.captured.set(share_captured(known.usage_counters))
            return
        # Not before: what is booked in between, of requests that no page has, hides as much of what is missing.
        readings = [_scraped(page) for page in pages]
        young = {
            name
            for reading in readings
            for name in reading.gateways
            if reading.uptime_s is not None and now_ms - reading.uptime_s * 1000 > before.since_ms - _OLDER_MS
        }
        reading = read(
            usage_counters=known.usage_counters,
            known_gateways=frozenset(known.known_gateways) | young,
            booked_before=before.booked,
            scraped={key: count for reading in readings for key, count in reading.counts.items()},
            booked=known.booked,
        )
        bookings = tuple(
            self._booking(key, count, known.known_gateways.get(key.gateway, 0))
            for key, count in reading.bookings.items()
        )
        update = UsageCounterUpdate(
            version=known.version,
            usage_counters=reading.usage_counters,
            gateways=tuple(sorted({name for reading in readings for name in reading.gateways})),
            bookings=(*bookings, *self._saved(reading.bookings, bookings)),
            now_ms=now_ms,
        )
        if await self._store.write_usage_counters(update):
            self._tell(reading.bookings, bookings)
            await self._tell_stages(bookings)
            self._metrics.captured.set(share_captured(known.usage_counters | reading.usage_counters))
        else:  # another server did, and booked what it found
            self._metrics.captured.set(share_captured(known.usage_counters))

    def _booking(self, key: UsageCounterKey, count: Count, at_ms: int) -> Booking:
        rung = self._service.configuration.rung(key.target, key.answered, "")
        tokens = _tokens(count)
        true = rung is None or believable(rung, inputs=count.input, outputs=count.output, requests=count.requests)
        if not true:
            log.error("budget.count_unbelievable", gateway=key.gateway, consumer=key.consumer, target=key.target)
        return Booking(
            payer=key.consumer,
            # Nothing is waived for a count that cannot be true: what has no report is booked when it expires.
            requests=count.requests if true else 0,
            # Whose prompts were long is in no counter: where one can have been, no less than what that cost.
            cost=min(LARGEST, cost(rung.price, tokens)) if true and rung is not None else 0,
            postings=self._service.payers(key.consumer, key.routes),
            at_ms=at_ms,
        )

    def _saved(self, found: Mapping[UsageCounterKey, Count], booked: Sequence[Booking]) -> list[Booking]:
        """Return what is booked besides for routes with a baseline."""
        return [
            more
            for (key, count), booking in zip(found.items(), booked, strict=True)
            for more in savings.bookings(booking, key.answered, _tokens(count), self._service.configuration)
        ]

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

    async def _scrape(self) -> list[scrape.Metrics]:
        found = []
        for answer in await self._scraper.read():
            outcome = "read" if isinstance(answer, scrape.Metrics) else "failed"
            self._metrics.gateways.labels(outcome).inc()
            if isinstance(answer, scrape.Metrics):
                found.append(answer)
            else:
                log.warning("budget.gateway_unread", gateway=answer.gateway, error=answer.problem)
        return found


def _tokens(count: Count) -> Tokens:
    return Tokens(input=count.input, output=count.output, cached=count.cached)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scrape:
    """What one gateway showed."""

    gateways: frozenset[str]
    """Its names: by address, and as it calls itself."""
    uptime_s: int | None
    counts: Mapping[UsageCounterKey, Count]


def _scraped(answer: scrape.Metrics) -> _Scrape:
    counted = counts(answer.text, gateway=answer.gateway)
    gateways = frozenset({answer.gateway, *(key.gateway for key in counted)})
    return _Scrape(gateways=gateways, uptime_s=uptime_s(answer.text), counts=counted)


def uptime_s(text: str) -> int | None:
    """Return how long the gateway's process runs; None when it does not say."""
    return next((sample.value for sample in samples(text, {_UPTIME})), None)


def counts(text: str, *, gateway: str) -> dict[UsageCounterKey, Count]:
    """Return what a gateway counted. `gateway` names it when its series carry no label `gateway`."""
    found: dict[UsageCounterKey, Count] = {}
    for sample in samples(text, SERIES):
        asked = (sample.labels["asked"],) if "asked" in sample.labels else ()
        key = UsageCounterKey(
            gateway=sample.labels.get("gateway", gateway),
            consumer=sample.labels.get("consumer", "-"),
            route=joined((*asked, sample.labels.get("route", "-"))),
            target=sample.labels.get("target", "-"),
        )
        found[key] = found.get(key, NOTHING) + Count(**{SERIES[sample.name]: sample.value})
    return found
