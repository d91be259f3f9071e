"""What makes answers: by it the cache knows whether one is of the ladder that its key names.

Envoy reads routes, clusters and listeners one by one, so for a moment the routes of one version lead to the clusters of
another: on Kubernetes about a second, and for as long as DNS takes where an address is new. A key holds the route's
digest, and an answer of another ladder's target must not be kept under it. So each host whose answers some route keeps
names what it makes them by, in one word of its metadata; a cascade adds how it was judged; and the cache keeps what
comes from one of the words that the route names.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping

from fairlead.envoy import errors, logs, names
from fairlead.envoy.protobuf import Json
from fairlead.ir import Gateway, LastResort, Route, Side, Target

_LETTERS = 8


def word(text: str) -> str:
    """Return a short word that stands for a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:_LETTERS]


def by_host(gateway: Gateway) -> dict[str, str]:
    """Return the words of all targets and last resorts whose answers some route keeps, by name."""
    kept = (route for route in gateway.routes if route.cache is not None)
    return of_hosts((name for route in kept for name in _hosts(route, None, gateway)), gateway)


def of_hosts(wanted: Iterable[str], gateway: Gateway) -> dict[str, str]:
    """Return the words of these targets and last resorts, by name."""
    return {name: word(repr(_host(name, gateway).makes)) for name in {*wanted}}


def _host(name: str, gateway: Gateway) -> Target | LastResort:
    return gateway.targets_by_name.get(name) or gateway.last_resorts_by_name[name]


def of_host(name: str, made: Mapping[str, str]) -> Json:
    """Make what a host's metadata says of it; nothing where nobody keeps its answers."""
    return {names.MADE_KEY: made[name]} if name in made else {}


def of_side(route: Route, side: Side, gateway: Gateway) -> Collection[str]:
    """Return the words of what may answer requests for a route on this side, without a cascade."""
    return of_hosts(_hosts(route, side, gateway), gateway).values()


def _hosts(route: Route, side: Side | None, gateway: Gateway) -> Iterator[str]:
    """Yield the targets and last resorts on a side of a route, or on all; some twice."""
    ladders = gateway.ladders_by_name
    for plan in route.plans:
        yield from (dialect.last_resort for dialect in plan.dialects)
        for arm in plan.arms:
            if side is None or arm.side is side:
                yield from (*ladders[arm.ladder].rungs, ladders[arm.ladder].last_resort)


def told(judged: str = "") -> Json:
    """Make the header that says what made an answer, with how it was judged behind it."""
    header = {"key": names.MADE_HEADER, "value": f"{logs.MADE}{judged}"}
    return {"response_headers_to_add": [{"header": header, "append_action": errors.OVERWRITE}]}


def told_by_hop(gateway: Gateway) -> Json:
    """Make the same of a hop that leads to one host; nothing on a gateway that keeps no answers."""
    return told() if gateway.cache_bytes is not None else {}
