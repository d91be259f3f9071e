"""The document of `GET /v1/usage`: what a key may still spend.

Dollars are JSON numbers, made from the ledger's integers by one correctly rounded division and never calculated with.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from fairlead.budget.admission import Standing, tightest
from fairlead.budget.price import USD, decimal

_SECOND_MS = 1000


def document(standings: Sequence[Standing]) -> dict[str, Any]:
    """Return `budget`, the one with the least remaining (null without policies), and `budgets`, all of them."""
    least = tightest(standings)
    return {
        "object": "usage",
        "budget": None if least is None else _budget(least),
        "budgets": [_budget(standing) for standing in standings],
    }


def _budget(standing: Standing) -> dict[str, Any]:
    policy, counter = standing.policy, standing.counter
    stage = policy.reached(counter.spent)
    return {
        "name": policy.name,
        "scope": policy.scope.value,
        "routes": None if policy.routes is None else sorted(policy.routes),
        "limit": dollars(policy.limit),
        "spent": dollars(counter.spent),
        "estimated": dollars(counter.estimated),
        "reserved": dollars(counter.reserved),
        "remaining": dollars(standing.remaining),
        "stage": None if stage is None else stage.action.value,
        "window_started_at": None if standing.span.end_ms is None else moment(standing.span.start_ms),
        "resets_at": None if standing.span.end_ms is None else moment(standing.span.end_ms),
    }


def dollars(nanodollars: int) -> float:
    """Return nano-dollars as dollars for people to read: the nearest float."""
    return nanodollars / USD


def amounts(**nanodollars: int) -> dict[str, float | str]:
    """Return each amount as `dollars`, and beside it, as `<name>USD`, exactly: a decimal string."""
    return {
        name: value
        for one, amount in nanodollars.items()
        for name, value in ((one, dollars(amount)), (f"{one}USD", decimal(amount)))
    }


def moment(unix_ms: int) -> str:
    """Return a time as RFC 3339 in UTC, with a fraction only when there is one."""
    seconds, rest = divmod(unix_ms, _SECOND_MS)
    whole = datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{rest:03d}Z" if rest else f"{whole}Z"
