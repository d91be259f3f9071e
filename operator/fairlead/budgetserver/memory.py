"""A store that lives and dies with the process: for tests and benchmarks, and the model of the other stores."""

import heapq
from collections import defaultdict
from collections.abc import Sequence

from fairlead.budget.lease import expire, is_unit, release, reserve
from fairlead.budget.ledger import (
    EMPTY,
    NO_WAIVER,
    Admission,
    Counter,
    Entry,
    Hold,
    Phase,
    Posting,
    Settlement,
    Step,
    Waiver,
    settle,
)
from fairlead.budget.reconciliation import NOTHING, Count, UsageCounter, UsageCounterKey
from fairlead.budgetserver.store import (
    FORGET_GATEWAY_MS,
    Expired,
    Metered,
    Settled,
    StoreError,
    UsageCounters,
    UsageCounterUpdate,
)


class MemoryStore:
    """Dictionaries; atomic because nothing in a step awaits."""

    def __init__(self) -> None:
        self._counters: dict[str, Counter] = {}
        self._entries: dict[str, Entry] = {}
        self._open: list[tuple[int, str]] = []
        self._opened: dict[str, int] = defaultdict(int)
        self._units: dict[str, int] = defaultdict(int)
        """Those of the opened ones that are units of leases."""
        self._done: list[tuple[int, str]] = []
        self._waivers: dict[str, Waiver] = {}
        self._booked: dict[UsageCounterKey, Count] = {}
        self._usage_counters: dict[UsageCounterKey, UsageCounter] = {}
        self._gateways: dict[str, int] = {}
        self._version = 0
        self._since_ms = 0

    async def reserve(self, hold: Hold) -> Admission:
        """See `Store`."""
        self._forget(hold.now_ms)
        opened = self._opened[hold.payer] - (self._units[hold.payer] if hold.in_flight else 0)
        entry, known = self._entries.get(hold.request), self._entries.get
        admission, step = reserve(hold, entry, self._counters, opened, known=known)
        self._apply(hold.request, hold.payer, step)
        return admission

    async def settle(self, settlement: Settlement, metered: Metered) -> Settled:
        """See `Store`."""
        self._forget(settlement.now_ms)
        before = self._entries.get(settlement.request)
        if before is not None and before.phase is Phase.SETTLED:
            return Settled(cost=0, counters={})
        if before is None and settlement.reserved:
            return Settled(cost=0, counters={}, unknown=True)
        waiver = NO_WAIVER if metered is None else self._waivers.get(settlement.payer, NO_WAIVER)
        step = settle(settlement, before, self._counters, waiver)
        self._apply(settlement.request, settlement.payer, step)
        if metered is not None and not step.covered:
            key, count = metered
            for counted in key.counted:
                self._booked[counted] = self._booked.get(counted, NOTHING) + count
        booked = step.entry.booked if step.entry is not None else 0
        return Settled(cost=booked, counters={name: counter.spent for name, counter in step.counters.items()})

    async def settle_all(self, settlements: Sequence[tuple[Settlement, Metered]]) -> Sequence[Settled | StoreError]:
        """See `Store`."""
        found: list[Settled | StoreError] = []
        for settlement, metered in settlements:
            try:
                found.append(await self.settle(settlement, metered))
            except StoreError as error:  # of a store that a test makes of this one
                found.append(error)
        return found

    async def give_back(self, units: Sequence[str], now_ms: int) -> int:
        """See `Store`."""
        released = 0
        for name in units:
            entry = self._entries.get(name)
            if entry is not None and entry.phase is Phase.OPEN:
                self._apply(name, entry.payer, release(entry, self._counters, now_ms=now_ms))
                released += 1
        return released

    async def expire(self, now_ms: int, limit: int) -> Sequence[Expired]:
        """See `Store`."""
        expired: list[Expired] = []
        while self._open and self._open[0][0] <= now_ms and len(expired) < limit:
            _, request = heapq.heappop(self._open)
            entry = self._entries.get(request)
            if entry is None or entry.phase is not Phase.OPEN:
                continue
            step = expire(entry, self._counters, now_ms=now_ms, waiver=self._waivers.get(entry.payer, NO_WAIVER))
            self._apply(entry.request, entry.payer, step)
            booked = step.entry.booked if step.entry else 0
            expired.append(Expired(payer=entry.payer, booked=booked, leased=is_unit(request)))
        return expired

    async def counters(self, names: Sequence[str]) -> Sequence[Counter]:
        """See `Store`."""
        return [self._counters.get(name, EMPTY) for name in names]

    async def opened(self, payers: Sequence[str]) -> Sequence[int]:
        """See `Store`."""
        return [self._opened.get(payer, 0) - self._units.get(payer, 0) for payer in payers]

    async def keep(self, postings: Sequence[Posting], now_ms: int) -> None:
        """See `Store`; no counter ever goes."""

    async def read_usage_counters(self, now_ms: int) -> UsageCounters:
        """See `Store`."""
        self._since_ms = self._since_ms or now_ms
        return UsageCounters(
            version=self._version,
            since_ms=self._since_ms,
            usage_counters=dict(self._usage_counters),
            known_gateways=dict(self._gateways),
            booked=dict(self._booked),
        )

    async def write_usage_counters(self, update: UsageCounterUpdate) -> bool:
        """See `Store`."""
        if update.version != self._version:
            return False
        self._version += 1
        self._usage_counters |= update.usage_counters
        self._gateways |= dict.fromkeys(update.gateways, update.now_ms)
        for booking in update.bookings:
            for posting in booking.postings:
                counter = self._counters.get(posting.counter, EMPTY)
                self._counters[posting.counter] = Counter(
                    spent=counter.spent + booking.cost, reserved=counter.reserved, estimated=counter.estimated
                )
            waiver = self._waivers.get(booking.payer, NO_WAIVER)
            self._waivers[booking.payer] = Waiver(
                requests=waiver.requests + booking.requests, at_ms=max(waiver.at_ms, booking.at_ms)
            )
        gone = {name for name, seen_ms in self._gateways.items() if seen_ms < update.now_ms - FORGET_GATEWAY_MS}
        for name in gone:
            del self._gateways[name]
        self._usage_counters = {
            key: counter for key, counter in self._usage_counters.items() if key.gateway not in gone
        }
        self._booked = {key: count for key, count in self._booked.items() if key.gateway not in gone}
        return True

    async def ping(self) -> None:
        """See `Store`."""

    async def close(self) -> None:
        """See `Store`."""

    def _apply(self, request: str, payer: str, step: Step) -> None:
        self._counters.update(step.counters)
        before = self._entries.get(request)
        if step.entry is not None and before is not step.entry:
            change = (step.entry.phase is Phase.OPEN) - _is_open(before)
            self._opened[step.entry.payer] += change
            self._units[step.entry.payer] += change if is_unit(request) else 0
            self._entries[request] = step.entry
            heap = self._open if step.entry.phase is Phase.OPEN else self._done
            heapq.heappush(heap, (step.entry.due_ms, request))
        for unit in step.units:
            self._entries[unit.request] = unit
            heapq.heappush(self._open, (unit.due_ms, unit.request))
        self._opened[payer] += len(step.units)
        self._units[payer] += len(step.units)
        if step.waived:
            waiver = self._waivers.get(payer, NO_WAIVER)
            self._waivers[payer] = Waiver(requests=waiver.requests + step.waived, at_ms=waiver.at_ms)

    def _forget(self, now_ms: int) -> None:
        """Drop entries that are done and no longer needed to recognize a repetition."""
        while self._done and self._done[0][0] <= now_ms:
            _, request = heapq.heappop(self._done)
            entry = self._entries.get(request)
            if entry is not None and entry.phase is not Phase.OPEN and entry.due_ms <= now_ms:
                del self._entries[request]


def _is_open(entry: Entry | None) -> bool:
    return entry is not None and entry.phase is Phase.OPEN
