"""The protocol of stores: who keeps counters, entries and usage counters, and applies what the ledger says.

Every method is one atomic step. A step that raises `StoreError` may have happened or not: all of them can be repeated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from fairlead.budget.ledger import Admission, Counter, Hold, Posting, Settlement
from fairlead.budget.reconciliation import Count, UsageCounter, UsageCounterKey
from fairlead.errors import FairleadError

KEEP_MS = 7 * 24 * 60 * 60 * 1000
"""How long a counter is kept after its window ended: late reports, and people who ask."""
FORGET_GATEWAY_MS = 24 * 60 * 60 * 1000
"""How long the counters of a gateway that is gone are kept."""


class StoreError(FairleadError):
    """The store did not do what it was asked: away, slow, full, or wrong."""


class RefusedError(StoreError):
    """The store works and cannot take this one operation, now or later: nothing of it was written."""


LARGEST_SUM = 2**63 - 1
"""Nano-dollars that a counter can hold in every store."""

Metered = tuple[UsageCounterKey, Count] | None
"""What a settlement adds to what reports booked; None = nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """Tokens that reconciliation found, priced."""

    payer: str
    requests: int
    cost: int
    postings: tuple[Posting, ...]
    at_ms: int
    """The reading at which they were first missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """A reservation whose report never came."""

    payer: str
    booked: int
    """0 when reconciliation had booked the request."""
    leased: bool = False
    """A unit of a lease: nothing is booked for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What settling did."""

    cost: int
    """What is booked for the request; 0 for a repeated report."""
    counters: Mapping[str, int]
    """Counter -> what is spent now, for those that changed."""
    unknown: bool = False
    """Something was reserved for it, the report says, and nobody remembers that: nothing was booked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageCounters:
    """All that reconciliation keeps."""

    version: int
    """Grows with each write; two replicas that read the same version cannot both write."""
    since_ms: int
    """When the store was first asked: it knows nothing of what was before."""
    usage_counters: dict[UsageCounterKey, UsageCounter]
    known_gateways: Mapping[str, int]
    """Gateway -> when it was last read."""
    booked: Mapping[UsageCounterKey, Count]


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageCounterUpdate:
    """What one reading of the gateways changes."""

    version: int
    """The version that was read before."""
    usage_counters: Mapping[UsageCounterKey, UsageCounter]
    gateways: tuple[str, ...]
    """Those that were read."""
    bookings: tuple[Booking, ...]
    now_ms: int
    """When reading began."""


class Store(Protocol):
    """A place where money is counted."""

    async def reserve(self, hold: Hold) -> Admission:
        """Judge a request and hold its amount."""

    async def settle(self, settlement: Settlement, metered: Metered) -> Settled:
        """Book a request; `metered` is added to what reports booked, once per request."""

    async def settle_all(self, settlements: Sequence[tuple[Settlement, Metered]]) -> Sequence[Settled | StoreError]:
        """Settle several, each a step of its own; return what that did, or why it failed, in their order."""

    async def give_back(self, units: Sequence[str], now_ms: int) -> int:
        """Release these units of leases, by their names; return how many were still open."""

    async def expire(self, now_ms: int, limit: int) -> Sequence[Expired]:
        """Expire at most `limit` open reservations that are due."""

    async def counters(self, names: Sequence[str]) -> Sequence[Counter]:
        """Read counters, in the order of the names."""

    async def opened(self, payers: Sequence[str]) -> Sequence[int]:
        """Count the open reservations of each payer, in the order of the names. Units of leases are none."""

    async def keep(self, postings: Sequence[Posting], now_ms: int) -> None:
        """Keep the counters that are there at least as long as these postings say."""

    async def read_usage_counters(self, now_ms: int) -> UsageCounters:
        """Read all that reconciliation keeps."""

    async def write_usage_counters(self, update: UsageCounterUpdate) -> bool:
        """Store a reading and book what it found; False when somebody else wrote since it was begun."""

    async def ping(self) -> None:
        """Do nothing, or raise."""

    async def close(self) -> None:
        """Let go of files and connections."""
