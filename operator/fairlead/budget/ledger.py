"""Reserve, settle, expire: what happens to money, one request at a time.

    (nothing) --reserve--> open --settle--> settled
        |                   |                  ^
        |                   +--expire--> expired (booked in full) or waived (booked by reconciliation)
        |                                      |
        +------------- settle -----------------+  a report that comes after all replaces what expiry booked

A report may wait at a server whose way to the store is cut, while reconciliation finds its tokens missing and books
them: then it only releases the reservation (`covered`).

Units of leases go by the same steps, but for their expiry: `fairlead.budget.lease`.

Every transition is a pure function from the request's entry and the counters that it names to their new values, and
every store applies it atomically. Laws, which the property tests hold for all stores:

- a counter's `reserved` is the sum of the open entries that name it, its `spent` the sum of all bookings on it;
- repeating a step changes nothing, and reports in any order give the same sums;
- at an admission `spent + reserved <= cap` holds for every policy, so what is spent passes a cap at most by what
  requests cost beyond their own reservations (`estimate` says when that can be), plus what nobody checked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

EXPIRES_AFTER_MS = 15 * 60 * 1000
"""How long a reservation waits for its report."""
REMEMBERED_MS = 15 * 60 * 1000
"""How long a settled request is remembered, so that a repeated report or a late check changes nothing."""
CORRECTABLE_MS = 24 * 60 * 60 * 1000
"""How long an expired reservation can still be replaced by its report: longer than any stream. As long is a report
remembered that nothing was reserved for: its server may try again when an outage of the store has ended."""

MOST_OPEN = 10_000
"""How many reservations of one consumer may be open at a time: who opens them faster than they end, or abandons them,
gets no more before some have ended or expired. Nobody's own limit is higher."""


class Phase(StrEnum):
    """Where a request stands."""

    OPEN = "open"
    """Its reservation holds."""
    EXPIRED = "expired"
    """No report came; the reservation was booked in full, or released: a unit of a lease."""
    WAIVED = "waived"
    """No report came, but reconciliation had booked its tokens: nothing was booked again."""
    SETTLED = "settled"
    """Its cost is booked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """What one policy holds for one consumer (or all) in one window, in nano-dollars."""

    spent: int = 0
    reserved: int = 0
    estimated: int = 0
    """The part of `spent` that nobody counted in tokens."""


EMPTY = Counter()
Counters = Mapping[str, Counter]


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """One counter that a request draws on."""

    counter: str
    cap: int | None
    """What spent and reserved may reach together; None = no cap."""
    downgrade_at: int | None
    """What must be spent for a downgrade; None = never."""
    keep_ms: int | None
    """How long the counter is kept after its last change; None = forever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an answer may cost, and who pays."""

    amount: int
    postings: tuple[Posting, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A request asks for a lease (`fairlead.budget.lease`), too: room for requests like it that come next."""

    lease: str
    """Its name, which is that request's alone."""
    units: int
    amount: int
    """What each of these requests can cost at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A request asks for room."""

    request: str
    """Unique for a request of a consumer; a repeated check carries the same."""
    payer: str
    """Whom reconciliation may find to have paid already: consumer and route."""
    plan: Plan
    downgrade: Plan | None
    """What happens instead when a policy of `plan` says Downgrade; None: the route has nothing smaller."""
    now_ms: int
    most_open: int = MOST_OPEN
    """How many reservations of the payer may be open, this one included."""
    in_flight: bool = False
    """`most_open` is the payer's own limit in flight: units of leases are no requests, and do not count."""
    wish: Wish | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the ledger remembers of a request."""

    request: str
    payer: str
    phase: Phase
    amount: int
    """What was reserved."""
    booked: int
    """What is booked now."""
    estimated: bool
    downgraded: bool
    counters: tuple[str, ...]
    due_ms: int
    """When an open entry expires, and any other is forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """How many requests of a payer reconciliation has booked, and neither an expiry nor a report has waived yet."""

    requests: int
    at_ms: int
    """The reading at which they were first missing: reservations made and reports taken later are not meant."""


NO_WAIVER = Waiver(requests=0, at_ms=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """A request ended."""

    request: str
    payer: str
    cost: int
    estimated: bool
    """True: cost is a guess, at most what was reserved is booked."""
    postings: tuple[Posting, ...]
    """Who pays when there is no reservation."""
    now_ms: int
    reserved: bool = False
    """Something was reserved for it. Then a ledger that knows nothing of it has booked it long ago, and forgotten."""
    remembered_ms: int = REMEMBERED_MS
    """How long a repetition is known."""


class Verdict(StrEnum):
    """What a check found."""

    GRANTED = "granted"
    REJECTED = "rejected"
    CROWDED = "crowded"
    """Too many reservations of the payer are open: nothing was judged."""
    REPLAYED = "replayed"
    """The same request asked before: the answer is what it was, nothing is reserved again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The answer to a `Hold`."""

    verdict: Verdict
    downgraded: bool
    counters: tuple[Counter, ...]
    """The counters of the plan that was judged, in the order of its postings, after the step."""
    units: int = 0
    """How many units of a lease are reserved besides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a transition changes."""

    entry: Entry | None
    """The request's new entry; None = nothing to remember."""
    counters: Counters
    """New values of the counters that change."""
    units: tuple[Entry, ...] = ()
    """New entries of the units of a lease."""
    waived: int = 0
    """By how much the payer's count of requests booked by reconciliation changes."""
    covered: bool = False
    """A report whose tokens reconciliation has booked: they are not to be counted as reported again."""


def fits(counter: Counter, posting: Posting, amount: int) -> bool:
    """Say whether a posting has room: something is left, and the amount fits beside what is spent and reserved."""
    if posting.cap is None:
        return True
    return counter.spent < posting.cap and counter.spent + counter.reserved + amount <= posting.cap


def reserve(hold: Hold, entry: Entry | None, counters: Counters, already_open: int = 0) -> tuple[Admission, Step]:
    """Judge a request: all of its policies must have room, or none is touched.

    `already_open`: how many reservations of the payer are open.
    """
    if entry is not None:
        plan = hold.downgrade if entry.downgraded and hold.downgrade else hold.plan
        seen = tuple(counters.get(posting.counter, EMPTY) for posting in plan.postings)
        admission = Admission(verdict=Verdict.REPLAYED, downgraded=entry.downgraded, counters=seen)
        return admission, Step(entry=entry, counters={})
    plan, downgraded = hold.plan, False
    if already_open >= hold.most_open:
        seen = tuple(counters.get(posting.counter, EMPTY) for posting in plan.postings)
        return Admission(verdict=Verdict.CROWDED, downgraded=False, counters=seen), Step(entry=None, counters={})
    if hold.downgrade is not None and any(
        _downgrades(counters.get(posting.counter, EMPTY), posting) for posting in plan.postings
    ):
        plan, downgraded = hold.downgrade, True
    after = {}
    for posting in plan.postings:
        before = counters.get(posting.counter, EMPTY)
        if not fits(before, posting, plan.amount):
            seen = tuple(counters.get(posting.counter, EMPTY) for posting in plan.postings)
            admission = Admission(verdict=Verdict.REJECTED, downgraded=downgraded, counters=seen)
            return admission, Step(entry=None, counters={})
        after[posting.counter] = Counter(
            spent=before.spent, reserved=before.reserved + plan.amount, estimated=before.estimated
        )
    opened = Entry(
        request=hold.request,
        payer=hold.payer,
        phase=Phase.OPEN,
        amount=plan.amount,
        booked=0,
        estimated=False,
        downgraded=downgraded,
        counters=tuple(after),
        due_ms=hold.now_ms + EXPIRES_AFTER_MS,
    )
    admission = Admission(verdict=Verdict.GRANTED, downgraded=downgraded, counters=tuple(after.values()))
    return admission, Step(entry=opened, counters=after)


def _downgrades(counter: Counter, posting: Posting) -> bool:
    return posting.downgrade_at is not None and counter.spent >= posting.downgrade_at


def settle(settlement: Settlement, entry: Entry | None, counters: Counters, waiver: Waiver = NO_WAIVER) -> Step:
    """Book what a request cost and release its reservation; a second report of the same request changes nothing.

    `waiver` is the payer's, for a report with the provider's counts: only those does reconciliation see. A report that
    a server took before the reading, and that is still not booked, was missing there for sure.
    """
    if entry is None and settlement.reserved:
        return Step(entry=None, counters={}, covered=True)
    covers = settlement.now_ms <= waiver.at_ms
    if covers and waiver.requests > 0 and (entry is None or entry.phase in {Phase.OPEN, Phase.EXPIRED}):
        return _cover(settlement, entry, counters, waived=-1)
    if entry is None:
        return _book(settlement, _unchecked(settlement), counters, waived=0)
    match entry.phase:
        case Phase.SETTLED:
            return Step(entry=entry, counters={})
        case Phase.WAIVED:
            return (
                _cover(settlement, entry, counters, waived=0)
                if covers
                else _book(settlement, entry, counters, waived=1)
            )
        case Phase.OPEN | Phase.EXPIRED:
            return _book(settlement, entry, counters, waived=0)


def _unchecked(settlement: Settlement) -> Entry:
    """Return what stands for the reservation that a request never had."""
    return Entry(
        request=settlement.request,
        payer=settlement.payer,
        phase=Phase.WAIVED,
        amount=settlement.cost,
        booked=0,
        estimated=False,
        downgraded=False,
        counters=tuple(dict.fromkeys(posting.counter for posting in settlement.postings)),
        due_ms=0,
    )


def _cover(settlement: Settlement, entry: Entry | None, counters: Counters, *, waived: int) -> Step:
    """Release what is held and configuration nothing."""
    nothing = replace(settlement, cost=0, estimated=False)
    return replace(_book(nothing, entry or _unchecked(nothing), counters, waived=waived), covered=True)


def _book(settlement: Settlement, entry: Entry, counters: Counters, *, waived: int) -> Step:
    """Replace whatever an entry holds or has booked by the cost."""
    cost = min(settlement.cost, entry.amount) if settlement.estimated else settlement.cost
    held = entry.amount if entry.phase is Phase.OPEN else 0
    guessed = entry.booked if entry.estimated else 0
    after = {}
    for name in entry.counters:
        counter = counters.get(name, EMPTY)
        after[name] = Counter(
            spent=counter.spent - entry.booked + cost,
            reserved=counter.reserved - held,
            estimated=counter.estimated - guessed + (cost if settlement.estimated else 0),
        )
    settled = Entry(  # not `replace`, which takes five times as long, on each request
        request=entry.request,
        payer=entry.payer,
        phase=Phase.SETTLED,
        amount=entry.amount,
        booked=cost,
        estimated=settlement.estimated,
        downgraded=entry.downgraded,
        counters=entry.counters,
        due_ms=settlement.now_ms + settlement.remembered_ms,
    )
    return Step(entry=settled, counters=after, waived=waived)


def expire(entry: Entry, counters: Counters, *, now_ms: int, waiver: Waiver) -> Step:
    """Give up on a report: book the reservation in full, or waive it when reconciliation has booked the request."""
    if entry.phase is not Phase.OPEN or entry.due_ms > now_ms:
        return Step(entry=entry, counters={})
    waived = waiver.requests > 0 and entry.due_ms - EXPIRES_AFTER_MS <= waiver.at_ms
    booked = 0 if waived else entry.amount
    after = {}
    for name in entry.counters:
        counter = counters.get(name, EMPTY)
        after[name] = Counter(
            spent=counter.spent + booked,
            reserved=counter.reserved - entry.amount,
            estimated=counter.estimated + booked,
        )
    closed = replace(
        entry,
        phase=Phase.WAIVED if waived else Phase.EXPIRED,
        booked=booked,
        estimated=True,
        due_ms=now_ms + CORRECTABLE_MS,
    )
    return Step(entry=closed, counters=after, waived=-1 if waived else 0)
