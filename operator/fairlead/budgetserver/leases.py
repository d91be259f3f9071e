"""Leases that checks ask for: what is wished of the store, and what the gateway is told.

How many units there are, and when a lease ends, is `fairlead.budget.lease`'s to say.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count

from fairlead.budget import lease
from fairlead.budget.ledger import Admission, Hold, Verdict, Wish
from fairlead.budgetserver.descriptor import ABSENT, Check, Report
from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.terms import Terms

_REMEMBERED = 1_000
"""Requests that asked for a lease: a report of one that was abandoned comes at once."""
Amount = Callable[[Check], int]
"""What is reserved for a request."""


@dataclass(slots=True, kw_only=True)
class _Asked:
    """A request asked for a lease."""

    lease: str
    units: int
    """What it asked for."""
    told: str | None = None
    """What its gateway was told; None: nothing yet."""
    lost: bool = False
    """It asked again, and nobody knew what it had got: its report gives that back."""


class Leases:
    """Names leases, and counts them."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._own = secrets.token_hex(6)
        """So that no two servers, and no two lives of one, give the same name."""
        self._numbers = count(1)
        self._asked: dict[tuple[str, str], _Asked] = {}
        """Who asked for a lease lately, by consumer and request."""

    def wish(
        self, check: Check, terms: Terms, in_flight: Mapping[str, int], now_ms: int, *, amount: Amount
    ) -> Wish | None:
        """Return what a check wants of a lease; None where it wants none, or cannot have one.

        A limit in flight counts what is under way, and a unit is not. What costs nothing, and what is not bounded by
        its size alone, has no most that it can cost.
        """
        wanted = check.want
        if wanted is None or not terms.policies or check.consumer in in_flight:
            return None
        if check.free or check.goes_on or check.asked is not None or check.body_bytes is None:
            return None
        if lease.end_s(now_ms, terms.until_ms) is None:
            return None
        like_it = check._replace(body_bytes=wanted.body_bytes, output_limit=wanted.output_limit, choices=wanted.choices)
        asked = self._asked.get((check.consumer, check.id))
        if asked is None:
            if len(self._asked) >= _REMEMBERED:
                del self._asked[next(iter(self._asked))]
            asked = _Asked(lease=f"{self._own}{next(self._numbers):x}", units=wanted.units)
            self._asked[check.consumer, check.id] = asked
        return Wish(lease=asked.lease, units=wanted.units, amount=amount(like_it))

    def abandoned(self, report: Report) -> tuple[str, ...]:
        """Return the units of the lease that a request asked for and nobody heard of, as it reports.

        Another server, or one that has forgotten, knows of none: they are released when they expire.
        """
        asked = self._asked.get((report.consumer, report.id))
        if asked is None or report.shadow or (report.checked and not asked.lost):
            return ()
        del self._asked[report.consumer, report.id]
        return tuple(lease.unit_name(asked.lease, number) for number in range(1, asked.units + 1))

    def told(
        self, check: Check, hold: Hold, admission: Admission, terms: Terms, *, revision: str, remaining: str
    ) -> str | None:
        """Write what a gateway is told of its lease, to a repeated check the same again; None where it got none.

        The words: the lease's name, how many units it has, the Unix second at which it ends, the size of the requests
        that it is for (bytes, limit on the output, answers), the revision of the caller's policies and of all
        terms, and the dollars that are left beside it, as they stand in the answer's header.
        """
        wish, wanted = hold.wish, check.want
        if wish is None or wanted is None:
            return None
        asked = self._asked.get((check.consumer, check.id))
        if admission.verdict is Verdict.REPLAYED and asked is not None:
            asked.lost = asked.told is None
            return asked.told
        if admission.verdict is not Verdict.GRANTED or asked is None or asked.lost:
            return None
        self._metrics.count(self._metrics.leases, "granted" if admission.units else "refused")
        if not admission.units:
            return None
        self._metrics.count(self._metrics.units, "granted", by=admission.units)
        limit = ABSENT if wanted.output_limit is None else wanted.output_limit
        end_s = lease.end_s(hold.now_ms, terms.until_ms)
        size = f"{wanted.body_bytes} {limit} {wanted.choices}"
        asked.told = f"{wish.lease} {admission.units} {end_s} {size} {revision} {remaining}"
        return asked.told
