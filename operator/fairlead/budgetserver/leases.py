"""Leases that checks ask for: what is wished of the store, and what the gateway is told.

How many units there are, and when a lease ends, is `fairlead.budget.lease`'s to say.
"""

from collections.abc import Callable, Mapping

from fairlead.budget import lease
from fairlead.budget.ledger import Admission, Hold, Verdict, Wish
from fairlead.budgetserver.descriptor import ABSENT, Check, Report
from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.terms import Terms

Amount = Callable[[Check], int]
"""What is reserved for a request."""


def request_name(of: Check | Report) -> str:
    """Return how the ledger names a request."""
    return f"{of.consumer}|{of.id}"


def wish(check: Check, terms: Terms, in_flight: Mapping[str, int], now_ms: int, *, amount: Amount) -> Wish | None:
    """Return what a check wants of a lease; None where it wants none, or cannot have one.

    A limit in flight counts what is under way, and a unit is not. What costs nothing, and what is not bounded by its
    size alone, has no most that it can cost.
    """
    wanted = check.want
    if wanted is None or not terms.policies or check.consumer in in_flight:
        return None
    if check.free or check.goes_on or check.asked is not None or check.body_bytes is None:
        return None
    if lease.end_s(now_ms, terms.until_ms) is None:
        return None
    like_it = check._replace(body_bytes=wanted.body_bytes, output_limit=wanted.output_limit, choices=wanted.choices)
    name = lease.name(check.consumer, request_name(check))
    return Wish(lease=name, units=wanted.units, amount=amount(like_it))


def abandoned(report: Report) -> tuple[str, ...]:
    """Return the units of the lease that a request asked for and nobody heard of, by all names that they may have."""
    if not report.asked_lease or report.checked or report.shadow:
        return ()
    name = lease.name(report.consumer, request_name(report))
    return tuple(lease.unit_name(name, number) for number in range(1, lease.MOST + 1))


def told(
    check: Check, hold: Hold, admission: Admission, terms: Terms, metrics: Metrics, *, revision: str, remaining: str
) -> str | None:
    """Write what a gateway is told of its lease, also to a repeated check; None where it has none.

    The words: the lease's name, how many units it has, the Unix second at which it ends, the size of the requests
    that it is for (bytes, limit on the output, answers), the revision of the caller's policies and of all
    terms, and the dollars that are left beside it, as they stand in the answer's header.
    """
    wanted = check.want
    if hold.wish is None or wanted is None:
        return None
    if admission.verdict is Verdict.GRANTED:
        metrics.count(metrics.leases, "granted" if admission.units else "refused")
        metrics.count(metrics.units, "granted", by=admission.units)
    if not admission.units:
        return None
    limit = ABSENT if wanted.output_limit is None else wanted.output_limit
    end_s = lease.end_s(hold.now_ms, terms.until_ms)
    size = f"{wanted.body_bytes} {limit} {wanted.choices}"
    return f"{hold.wish.lease} {admission.units} {end_s} {size} {revision} {remaining}"
