"""What a route's answers would have cost at its `baseline`, beside what they did: savings, in nobody's budget.

Two counters of a route, its baseline and the month (UTC). On one stands what the route's requests cost, attempts that
came to nothing included; on the other what the same tokens cost at the baseline's prices, of answers alone. So a saving
is never said to be larger than it is. Copies for a shadow are in neither.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fairlead.budget.policy import UNBUDGETED_WINDOW
from fairlead.budget.price import decimal
from fairlead.budget.window import Span, span

SAVINGS = "savings"
"""The policy's place in the counters, and the payer's before the route. Real names contain a slash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavingsCounters:
    """The counters of a route's month."""

    spent: str
    baseline: str
    window: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class SavingsAccount:
    """What a route cost this month, and what it would have. All in nano-dollars."""

    route: str
    """`namespace/name`."""
    baseline: str
    """The target whose prices are compared with."""
    spent: int
    cost_there: int
    estimated: int
    """Of what was spent: that much without a count of tokens. The same requests are estimated at the baseline, too."""
    since_ms: int


def counters(route: str, baseline: str, now_ms: int) -> SavingsCounters:
    """Return the counters of a route; another baseline has others, so that no sum mixes two."""
    window = span(UNBUDGETED_WINDOW, now_ms)
    head, start = f"{SAVINGS}|{route}|{baseline}", window.start_ms
    return SavingsCounters(spent=f"{head}|spent|{start}", baseline=f"{head}|there|{start}", window=window)


def payer(route: str) -> str:
    """Name who stands for a route; no consumer has such a name."""
    return f"{SAVINGS}|{route}"


def told(*, spent: int, cost_there: int, estimated: int) -> dict[str, str]:
    """Write the money of an account: dollars as strings, negative where the baseline would have been cheaper."""
    return {
        "spentUSD": decimal(spent),
        "baselineUSD": decimal(cost_there),
        "savedUSD": decimal(cost_there - spent),
        "estimatedUSD": decimal(estimated),
    }


def lines(savings: Sequence[Mapping[str, str]]) -> list[str]:
    """Write for a person what `fairlead budgets` says of savings; nothing where no route has a baseline."""
    written = []
    for one in savings:
        about = f" (${one['estimatedUSD']} of it estimated)" if float(one["estimatedUSD"]) else ""
        written.append(
            f"  {one['route']:<40} {_dollars(one['savedUSD']):>14} saved: {_dollars(one['spentUSD'])} spent{about},"
            f" {_dollars(one['baselineUSD'])} at {one['baseline']}, since {one['since']}"
        )
    return ["savings against a baseline:", *written] if savings else []


def _dollars(written: str) -> str:
    return f"-${written[1:]}" if written.startswith("-") else f"${written}"
