"""What the ledger's scripts take and give, as plain values: their own first lines say the same (`lua/`)."""

from collections.abc import Sequence
from typing import Any

from fairlead.budget import lease
from fairlead.budget.ledger import (
    CORRECTABLE_MS,
    EXPIRES_AFTER_MS,
    Admission,
    Counter,
    Hold,
    Plan,
    Posting,
    Settlement,
    Verdict,
    Wish,
)
from fairlead.budget.reconciliation import NOTHING
from fairlead.budgetserver import redis_fields
from fairlead.budgetserver.store import Expired, Metered, Settled

_NONE = "-"
_FORGET_OPEN_MS = 30 * 24 * 60 * 60 * 1000
"""An open entry outlives any outage of all budget servers that somebody would leave so."""
_THREE = 3
"""Words of each counter in an admission, and of each reservation that expired."""


def hold(asked: Hold) -> tuple[Any, ...]:
    """Write what `reserve` takes."""
    words: list[Any] = [asked.request, asked.payer, asked.now_ms, EXPIRES_AFTER_MS, _FORGET_OPEN_MS, asked.most_open]
    words += (*_wish(asked.wish), int(asked.in_flight))
    for plan in (asked.plan, asked.downgrade):
        words += [] if plan is None else _plan(plan)
    return tuple(words)


def admission(reply: Sequence[Any]) -> Admission:
    """Read what `reserve` gives."""
    verdict, downgraded, units, *numbers = reply
    return Admission(
        verdict=Verdict(verdict),
        downgraded=downgraded == "1",
        counters=tuple(
            Counter(spent=int(numbers[at]), reserved=int(numbers[at + 1]), estimated=int(numbers[at + 2]))
            for at in range(0, len(numbers), _THREE)
        ),
        units=units,
    )


def settlement(asked: Settlement, metered: Metered) -> tuple[Any, ...]:
    """Write what `settle` takes."""
    key, count = (redis_fields.field(metered[0]), metered[1]) if metered else (_NONE, NOTHING)
    return (
        asked.request,
        asked.payer,
        asked.cost,
        int(asked.estimated),
        asked.remembered_ms,
        asked.now_ms,
        int(asked.reserved),
        key,
        count.requests,
        count.input,
        count.output,
        count.cached,
        *kept(asked.postings),
    )


def settled(reply: Sequence[Any]) -> Settled:
    """Read what `settle` gives."""
    if not reply:
        return Settled(cost=0, counters={})
    if reply[0] == "unknown":
        return Settled(cost=0, counters={}, unknown=True)
    return Settled(cost=int(reply[0]), counters={reply[at]: int(reply[at + 1]) for at in range(1, len(reply), 2)})


def due(now_ms: int, limit: int) -> tuple[Any, ...]:
    """Write what `expire` takes."""
    return now_ms, limit, EXPIRES_AFTER_MS, CORRECTABLE_MS


def expired(reply: Sequence[Any]) -> list[Expired]:
    """Read what `expire` gives."""
    return [
        Expired(payer=reply[at], booked=int(reply[at + 1]), leased=reply[at + 2] == 1)
        for at in range(0, len(reply), _THREE)
    ]


def kept(postings: Sequence[Posting]) -> list[Any]:
    """Write counters, and how long each is kept."""
    return [word for one in postings for word in (one.counter, _NONE if one.keep_ms is None else one.keep_ms)]


def _wish(wish: Wish | None) -> tuple[Any, ...]:
    if wish is None:
        return _NONE, 0, 0, lease.FEWEST, lease.SHARE
    return lease.names_of(wish.lease), min(wish.units, lease.MOST), wish.amount, lease.FEWEST, lease.SHARE


def _plan(plan: Plan) -> list[Any]:
    words: list[Any] = [plan.amount, len(plan.postings)]
    for posting in plan.postings:
        words.append(posting.counter)
        words += [
            _NONE if number is None else number for number in (posting.cap, posting.downgrade_at, posting.keep_ms)
        ]
    return words
