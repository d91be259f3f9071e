"""What answers that gateways had kept would have cost: saved, and in nobody's budget.

Three counters of a route and the month (UTC): how many of its requests ended, whether or not they were looked for among
kept answers; how many were given one; and what those took when they were made, at the prices of the targets that made
them, in nano-dollars.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairlead.budget.policy import UNBUDGETED_WINDOW
from fairlead.budget.price import decimal
from fairlead.budget.window import Span, span

CACHE = "cache"
"""The policy's place in the counters, and the payer's before the route. Real names contain a slash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheCounters:
    """The counters of a route's month."""

    requests: str
    hits: str
    saved: str
    window: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheAccount:
    """What the kept answers of a route did this month."""

    route: str
    """`namespace/name`."""
    requests: int
    hits: int
    saved: int
    """Nano-dollars."""
    estimated: int
    """Of what is saved: that much without a count of tokens."""
    since_ms: int


def counters(route: str, now_ms: int) -> CacheCounters:
    """Return the counters of a route."""
    window = span(UNBUDGETED_WINDOW, now_ms)
    names = (f"{CACHE}|{route}|{what}|{window.start_ms}" for what in ("requests", "hits", "saved"))
    requests, hits, saved = names
    return CacheCounters(requests=requests, hits=hits, saved=saved, window=window)


def payer(route: str) -> str:
    """Name who stands for a route; no consumer has such a name."""
    return f"{CACHE}|{route}"


def told(*, requests: int, hits: int, saved: int, estimated: int) -> dict[str, int | str]:
    """Write an account: dollars as strings."""
    return {"requests": requests, "hits": hits, "savedUSD": decimal(saved), "estimatedUSD": decimal(estimated)}


def beside(ledger: Sequence[Mapping[str, Any]], counted: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Put what gateways counted beside what the ledger says: of routes that it does not know."""
    known = {one["route"] for one in ledger}
    return sorted([*ledger, *(one for one in counted if one["route"] not in known)], key=lambda one: str(one["route"]))


def percentage(one: Mapping[str, Any]) -> str:
    """Write the share of hits, rounded down."""
    requests = int(one["requests"])
    return f"{100 * int(one['hits']) // requests}%" if requests else "0%"


def since(one: Mapping[str, Any]) -> str:
    """Say since when it is counted: the ledger by the month, gateways since they started."""
    return one["since"] or "the gateways started"


def lines(caches: Sequence[Mapping[str, Any]]) -> list[str]:
    """Write for a person what `fairlead budgets` says of kept answers; nothing where no route keeps any."""
    written = []
    for one in caches:
        about = f" (${one['estimatedUSD']} of it estimated)" if float(one["estimatedUSD"]) else ""
        written.append(
            f"  {one['route']:<40} {'$' + str(one['savedUSD']):>14} saved{about}: {one['hits']} of {one['requests']}"
            f" requests ({percentage(one)}), since {since(one)}"
        )
    return ["saved by kept answers:", *written] if caches else []
