"""Leases: room for the requests that come next, so that not each of them has to ask.

    (check granted) --reserve--> units, open --settle--> settled
                                   |                       ^
                                   +--release--> expired, nothing booked
                                                    |
                                                    +--settle-- a report that comes after all is booked

A unit is a reservation as any, made in the same step as the check's own. The gateway hands it to a request, whose
report settles it, or gives it back. A unit that expires is released and not booked: nobody can know whether it was
ever used. Near a limit there is no lease, so each request is judged for itself there.
"""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha1, sha256

from fairlead.budget import ledger
from fairlead.budget.ledger import (
    CORRECTABLE_MS,
    EMPTY,
    EXPIRES_AFTER_MS,
    REMEMBERED_MS,
    Admission,
    Counter,
    Counters,
    Entry,
    Hold,
    Phase,
    Posting,
    Step,
    Verdict,
    Waiver,
    Wish,
)

LASTS_MS = 15_000
"""How long units are handed out: gateways learn of a lease with the answer of the request that asked for it."""
_SHORTEST_MS = 2_000
"""A lease that ends sooner, with a window, is none."""
MOST, FEWEST = 32, 4
"""How many units a lease may have."""
SHARE = 256
"""A lease takes at most this part of what is left, so a limit is approached by single checks."""
_HALF = 2
"""Of what is not spent at most half may be reserved when a lease is made, and as much of the payer's reservations may
be open: units that nobody uses must not take the room of requests."""
PREFIX = "lease|"
"""How the name of each unit begins, and of no request: those begin with their payer, `namespace/name`."""
PAYER_DIGITS = 10
"""How many digits of a lease's name say whose it is."""
_REQUEST_DIGITS = 16


def name(payer: str, request: str) -> str:
    """Return the name of the lease that a request of a payer asks for, in hexadecimal digits.

    It is the same at every server and at each of its checks, so whoever is asked again, or hears that nobody got the
    answer, knows which units were meant. The first digits are of the payer alone: a unit whose entry is lost is still
    known to be one of theirs.
    """
    whose = sha1(payer.encode(), usedforsecurity=False).hexdigest()
    return whose[:PAYER_DIGITS] + sha256(f"{payer} {request}".encode()).hexdigest()[:_REQUEST_DIGITS]


def names_of(lease: str) -> str:
    """Return how the names of a lease's units begin."""
    return f"{PREFIX}{lease}."


def unit_name(lease: str, number: int) -> str:
    """Return the name of a unit in the ledger; they are numbered from 1."""
    return f"{names_of(lease)}{number}"


def is_unit(request: str) -> bool:
    """Tell a unit by its name in the ledger."""
    return request.startswith(PREFIX)


def end_s(now_ms: int, until_ms: int | None) -> int | None:
    """Return the Unix second at which a lease ends, at the latest with the first window; None: too soon for one."""
    end = now_ms + LASTS_MS if until_ms is None else min(until_ms, now_ms + LASTS_MS)
    return end // 1000 if end - now_ms >= _SHORTEST_MS else None


def units(hold: Hold, wish: Wish, counters: Counters, already_open: int) -> int:
    """Return how many units of a wish there is room for, beside what is spent and reserved; 0: no lease.

    `already_open`: the payer's open reservations, with that of the request that asks.
    """
    found = min(wish.units, MOST, hold.most_open // _HALF - already_open)
    for posting in hold.plan.postings:
        bar = _bar(posting, downgrades=hold.downgrade is not None)
        if bar is not None:
            counter = counters.get(posting.counter, EMPTY)
            share = (bar - counter.spent - counter.reserved) // SHARE
            half = (bar - counter.spent) // _HALF - counter.reserved
            found = min(found, _in(min(share, half), wish.amount))
    return found if found >= FEWEST else 0


def _bar(posting: Posting, *, downgrades: bool) -> int | None:
    """Return what a lease keeps away from; None: nothing."""
    bars = (posting.cap, posting.downgrade_at if downgrades else None)
    return min((bar for bar in bars if bar is not None), default=None)


def _in(room: int, amount: int) -> int:
    """Return how many times an amount fits; what costs nothing, as often as anybody likes."""
    if room < 0:
        return 0
    return room // amount if amount else MOST


Known = Callable[[str], Entry | None]
"""What the ledger remembers of a unit, by its name."""


def reserve(
    hold: Hold, entry: Entry | None, counters: Counters, already_open: int = 0, *, known: Known
) -> tuple[Admission, Step]:
    """Judge a request as `ledger.reserve` does; where it is granted, reserve the units that it wishes for, too.

    One that asked before has those that it got.
    """
    admission, step = ledger.reserve(hold, entry, counters, already_open)
    wish = hold.wish
    if wish is None or admission.downgraded:
        return admission, step
    if admission.verdict is Verdict.REPLAYED:
        return replace(admission, units=_standing(hold, wish, known)), step
    if admission.verdict is not Verdict.GRANTED or known(unit_name(wish.lease, 1)) is not None:
        return admission, step
    found = units(hold, wish, step.counters, already_open + 1)
    if not found:
        return admission, step
    after = {
        name: Counter(spent=counter.spent, reserved=counter.reserved + found * wish.amount, estimated=counter.estimated)
        for name, counter in step.counters.items()
    }
    opened = tuple(
        Entry(
            request=unit_name(wish.lease, number),
            payer=hold.payer,
            phase=Phase.OPEN,
            amount=wish.amount,
            booked=0,
            estimated=False,
            downgraded=False,
            counters=tuple(after),
            due_ms=hold.now_ms + EXPIRES_AFTER_MS,
        )
        for number in range(1, found + 1)
    )
    admission = replace(admission, counters=tuple(after.values()), units=found)
    return admission, replace(step, counters=after, units=opened)


def _standing(hold: Hold, wish: Wish, known: Known) -> int:
    """Return how many units of the lease stand, from the first on, as they would be reserved now."""
    paid = tuple(posting.counter for posting in hold.plan.postings)
    number = 0
    while number < MOST and (entry := known(unit_name(wish.lease, number + 1))) is not None:
        if entry.phase is not Phase.OPEN or entry.amount != wish.amount or entry.counters != paid:
            break
        number += 1
    return number


def release(entry: Entry, counters: Counters, *, now_ms: int, remembered_ms: int = REMEMBERED_MS) -> Step:
    """Take back a unit that nobody used; one that is settled, or was released, stays as it is."""
    if entry.phase is not Phase.OPEN:
        return Step(entry=entry, counters={})
    after = {}
    for name in entry.counters:
        counter = counters.get(name, EMPTY)
        after[name] = Counter(
            spent=counter.spent, reserved=counter.reserved - entry.amount, estimated=counter.estimated
        )
    return Step(entry=replace(entry, phase=Phase.EXPIRED, due_ms=now_ms + remembered_ms), counters=after)


def expire(entry: Entry, counters: Counters, *, now_ms: int, waiver: Waiver) -> Step:
    """Give up on a report as `ledger.expire` does; a unit is released, and needs no waiver for that."""
    if not is_unit(entry.request):
        return ledger.expire(entry, counters, now_ms=now_ms, waiver=waiver)
    if entry.due_ms > now_ms:
        return Step(entry=entry, counters={})
    return release(entry, counters, now_ms=now_ms, remembered_ms=CORRECTABLE_MS)
