"""Pairs of answers for people to look at: a route's own and its shadow's to the same request, posted to a recorder.

Envoy drops what a shadow answers, and says nowhere which requests it copied. So on a route that records, a filter of
ours draws: what it marks takes an Envoy route that copies all, and some of that is marked to be recorded, too. It posts
the route's answer, and the same filter in the shadows' hop the request and the shadow's answer; the recorder knows by
the request's id that they belong together (docs/adr/pairs-by-request-id.md).

Nobody waits for a post: bodies pass chunk by chunk as they come, their first 64 KiB are kept, and at their end one
request is made whose answer nobody reads. At most `MOST_POSTS` are under way at once, and as many wait for a
connection; the others are dropped.
"""

from collections.abc import Iterable

from fairlead.envoy import chunk, names
from fairlead.envoy.clusters import circuit_limits, is_ip
from fairlead.envoy.layout import Layout
from fairlead.envoy.protobuf import Json, extension, packed
from fairlead.ir import Gateway, Recording, Route

MOST_POSTS = 20
"""Under way at once: a recorder that hangs holds no more than so many bodies."""
_LUA = "envoy.extensions.filters.http.lua.v3"
_SOURCE = "record"
_CONNECT_TIMEOUT = "0.25s"
_UNIX = "unix:"


def recording(route: Route, layout: Layout) -> Recording | None:
    """Return what a route records here; None where it does not, or there is nobody to post to."""
    if route.shadow is None or route.shadow.recording is None:
        return None
    return route.shadow.recording if _place(route.shadow.recording, layout) else None


def per_request(gateway: Gateway, layout: Layout) -> list[Json]:
    """Make the data listener's filter, which does something on routes that record alone; none without such a route."""
    if not _places(gateway, layout):
        return []
    sources = {_SOURCE: {"inline_string": chunk.joined("record", ("posts", "drawn"))}}
    return [extension(names.RECORD_FILTER, f"{_LUA}.Lua", {"source_codes": sources})]


def per_copy(gateway: Gateway, layout: Layout) -> list[Json]:
    """Make the filter of the shadows' hop; none where no route records."""
    if not _places(gateway, layout):
        return []
    source = {"inline_string": chunk.joined("record", ("posts", "copied"))}
    return [extension(names.RECORD_FILTER, f"{_LUA}.Lua", {"default_source_code": source})]


def of_route(route: Route, layout: Layout) -> Json:
    """Make what a route's virtual host tells the filter, by its name; nothing where it does not record."""
    wanted = recording(route, layout)
    if wanted is None or route.shadow is None:
        return {}
    context = {
        "sample": route.shadow.sample,
        "share": wanted.share,
        "to": f"{_cluster_of(wanted)} {','.join(wanted.redact)}",
        "route": route.name,
    }
    told = packed(f"{_LUA}.LuaPerRoute", {"name": _SOURCE, "filter_context": context})
    return {names.RECORD_FILTER: told}


def clusters(gateway: Gateway, layout: Layout) -> list[Json]:
    """Make the clusters of recorders."""
    return [_cluster(name, place) for name, place in sorted(_places(gateway, layout).items())]


def _places(gateway: Gateway, layout: Layout) -> dict[str, str]:
    """Return the recorders that this gateway posts to, by the name of their cluster."""
    wanted: Iterable[Recording | None] = (recording(route, layout) for route in gateway.routes)
    return {_cluster_of(one): _place(one, layout) for one in wanted if one is not None}


def _place(wanted: Recording, layout: Layout) -> str:
    return wanted.service or layout.recorder or ""


def _cluster_of(wanted: Recording) -> str:
    return names.recorder_cluster(wanted.service)


def _cluster(name: str, place: str) -> Json:
    endpoint = {"endpoint": {"address": _address(place)}}
    cluster = {
        **packed("envoy.config.cluster.v3.Cluster"),
        "name": name,
        "connect_timeout": _CONNECT_TIMEOUT,
        "circuit_breakers": circuit_limits(MOST_POSTS),
        "load_assignment": {"cluster_name": "-", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    if not place.startswith(_UNIX) and not is_ip(place.rpartition(":")[0]):
        cluster |= {"type": "STRICT_DNS", "dns_lookup_family": "V4_PREFERRED"}
    return cluster


def _address(place: str) -> Json:
    if place.startswith(_UNIX):
        return {"pipe": {"path": place.removeprefix(_UNIX)}}
    host, _, port = place.rpartition(":")
    return {"socket_address": {"address": host, "port_value": int(port)}}
