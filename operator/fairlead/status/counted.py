"""What gateways counted of classifiers and of kept answers, as both shells tell it: of JSON's types only.

Since the gateways that run now have started. Where somebody has a budget the ledger knows what kept answers did in a
month, and its word goes before this.
"""

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from fairlead import ir
from fairlead.budget.configuration import decode
from fairlead.budget.price import FREE, Price, Tokens, cost_of_sum, decimal
from fairlead.health.counted import HIT, Counted
from fairlead.status.standing import rfc3339

_FOUND = ("asked", "remembered")
"""How a category was found."""


class Cache(TypedDict):
    """What kept answers of a route did."""

    route: str
    requests: int
    hits: int
    savedUSD: str
    estimatedUSD: str
    since: None
    """Of what the ledger counted it is a date."""


class Classifier(TypedDict):
    """What came of a route's need for categories."""

    route: str
    asked: int
    remembered: int
    without: dict[str, int]
    """Requests without a category, by reason."""
    openSince: str | None
    """Since when it is seen that it is not asked, RFC 3339; None where it is."""


CACHES: TypeAdapter[list[Cache]] = TypeAdapter(list[Cache])
CLASSIFIERS: TypeAdapter[list[Classifier]] = TypeAdapter(list[Classifier])


@lru_cache(maxsize=1)
def prices(configuration: bytes) -> Mapping[str, Price]:
    """Read what targets cost out of a budget server's configuration, which is large; by name."""
    return {name: rung.price for name, rung in decode(configuration).targets.items()}


def caches(counted: Counted, gateways: Iterable[ir.Gateway], prices: Mapping[str, Price]) -> list[Cache]:
    """Describe each route that keeps answers, as `fairlead budgets` does; `since` is null."""
    routes = {route.name for gateway in gateways for route in gateway.routes if route.cache is not None}
    found, saved = counted.cached(), counted.saved()
    return [_cache(route, found.get(route, {}), saved.get(route, {}), prices) for route in sorted(routes)]


def _cache(
    route: str, found: Mapping[str, int], kept: Mapping[tuple[str, str], int], prices: Mapping[str, Price]
) -> Cache:
    tokens: dict[str, dict[str, int]] = {}
    for (target, kind), count in kept.items():
        tokens.setdefault(target, {})[kind] = count
    saved = sum(
        cost_of_sum(
            prices.get(target, FREE),
            Tokens(input=of.get("prompt", 0), output=of.get("completion", 0), cached=of.get("cached", 0)),
        )
        for target, of in tokens.items()
    )
    return {
        "route": route,
        "requests": sum(found.values()),
        "hits": found.get(HIT, 0),
        "savedUSD": decimal(saved),
        "estimatedUSD": decimal(0),
        "since": None,
    }


def classifiers(counted: Counted, gateways: Iterable[ir.Gateway]) -> list[Classifier]:
    """Describe the classifier of each route that asks one."""
    routes = {route.name for gateway in gateways for route in gateway.routes if route.classifier is not None}
    found = counted.classified()
    return [_classifier(route, found.get(route, {}), counted.open_since_ms.get(route)) for route in sorted(routes)]


def _classifier(route: str, found: Mapping[str, int], since: int | None) -> Classifier:
    return {
        "route": route,
        "asked": found.get("asked", 0),
        "remembered": found.get("remembered", 0),
        "without": {why: found[why] for why in sorted(found) if why not in _FOUND and found[why]},
        "openSince": None if since is None else rfc3339(since),
    }


def open_lines(found: Collection[Classifier]) -> list[str]:
    """Say which classifiers are not asked."""
    return [
        f"classifier of {one['route']} failed time and again, and is not asked for a while at a time, since"
        f" {one['openSince']}: rules that need a category do not match"
        for one in found
        if one["openSince"]
    ]


def classifier_lines(found: Collection[Classifier]) -> list[str]:
    """Write for a person what became of requests that needed a category; nothing where none did."""
    written = []
    for one in found:
        without = sum(one["without"].values())
        why = ", ".join(f"{count} {reason}" for reason, count in one["without"].items())
        if one["asked"] or one["remembered"] or without:
            written.append(
                f"classifier of {one['route']}: {one['asked']} asked, {one['remembered']} remembered,"
                f" {without} without a category{f' ({why})' if why else ''}"
            )
    return written
