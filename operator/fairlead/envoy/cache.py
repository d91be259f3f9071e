"""Kept answers: a gateway gives what a caller has asked before once more, without asking a provider.

**On the way in** the filter stands behind the budget check and what comes of it: a hit is checked, and its
reservation is given back by the report, which has no attempt in it. It answers from the memory of its worker, or
says what the key of this request is. **On the way back** it stands where the client is: what it keeps is what a client
got, whole, and chunks pass as they come while it keeps them.

Whoever may not have an answer cannot find it. An entry's key is a text of everything that the answer depends on, whose
it is included, and Lua compares such texts whole, whatever they hash to. It holds

- the caller, or its namespace where the route says so. Callers without a key are one consumer, and nobody knows whether
  they are one person: only a route that says so keeps their answers;
- the route, what makes its answers (`ir.Cache.digest`) and the side of a rollout that this request is on;
- path, name of the model, whether it streams, and whether the client wants the usage of its stream;
- the headers that providers are told (`HEADERS`, and those that some provider wants besides);
- the body as it goes out, so the output cap, too.

Kept are answers in one piece that end with their JSON, and streams that say that they have ended; both with status 200,
and with no other reason of ending than `stop`; made by what the route, as it was when the request came, is answered by
(see `makers`). Each worker keeps its own, up to a number of bytes; a change of the listener forgets them.

**Shared**: a route whose answers are `stored` asks the budget server for what its worker has not, by the whole key, and
leaves there what it keeps, when the client has it. A question waits `FIND_MS` at most, a breaker in each worker ends
them while nobody answers, and at most `MOST_UNDER_WAY` are under way. What comes back is judged as a provider's answer
is, and is no hit unless it would be kept.
"""

from collections.abc import Iterable

from fairlead.envoy import allow_list, chunk, logs, names, stats
from fairlead.envoy.protobuf import Json, extension, packed
from fairlead.ir import Gateway, Route, Side

PARTS = ("shelf", "key", "judge", "store", "filter")
"""The files of `lua/cache/`, in the order in which they are joined."""
HEADERS = ("anthropic-beta", "anthropic-version", "openai-beta", "x-fairlead-rule")
"""Of a request, beside `forwardHeaders`: they say how a provider, which may be another gateway, is to answer."""
LARGEST = 1 << 20
"""Bytes of one entry, its key included; a larger answer passes and is not kept."""
FIND_MS, LEAVE_MS = 100, 2_000
"""How long a request waits for a shared answer, and how long one that is left may take to arrive."""
MOST_UNDER_WAY = 64
"""Requests for shared answers of one gateway, each at most `LARGEST` long; more are dropped, and no hit."""
OUTCOMES = ("hit", "miss", "bypass")
"""`bypass`: nothing was looked for, since the client says so, or nobody knows whose the answer would be."""
SAVED_TOKENS = logs.token_counts(f"{names.CACHE_NAMESPACE}:{names.SAVED_KEY}")
_OF_ANSWERS = (logs.SERVED, logs.SERVED_STREAMS)
_LUA = "envoy.extensions.filters.http.lua.v3"
_SOURCE = "cache"


def is_used(gateway: Gateway) -> bool:
    """Tell whether some route keeps answers."""
    return gateway.cache_bytes is not None


def source(gateway: Gateway) -> str:
    """Read the Lua source, one chunk of all parts: code, not input."""
    return written(
        most_bytes=gateway.cache_bytes or 0,
        largest=LARGEST,
        anonymous=gateway.anonymous or "",
        headers=sorted({*HEADERS, *allow_list.forwarded(gateway)}),
    )


def written(*, most_bytes: int, largest: int, anonymous: str, headers: Iterable[str]) -> str:
    """Write bounds, who callers without a key are, and the headers that count into the source."""
    return (
        chunk.parts("cache", PARTS)
        .replace("@most_bytes@", str(most_bytes))
        .replace("@largest@", str(largest))
        .replace("@find_ms@", str(FIND_MS))
        .replace("@leave_ms@", str(LEAVE_MS))
        .replace("@anonymous@", anonymous)
        .replace("@headers@", ", ".join(f'"{name}"' for name in headers))
    )


def per_request(gateway: Gateway) -> list[Json]:
    """Make the data listener's filter, which does something on routes that keep answers alone; none without such."""
    if not is_used(gateway):
        return []
    sources = {_SOURCE: {"inline_string": source(gateway)}}
    return [extension(names.CACHE_FILTER, f"{_LUA}.Lua", {"source_codes": sources})]


def of_side(route: Route, side: Side, makers: Iterable[str]) -> Json:
    """Make what is told to the filter of a route that keeps answers; nothing where it keeps none.

    Of a side: a candidate's answers are not for callers of the stable one. `makers` are what may have made them.
    """
    kept = route.cache
    if kept is None:
        return {}
    context = {
        "ttl": kept.ttl_ms,
        "shared": kept.shared,
        "made_by": f"{route.name} {side.value} {kept.digest}",
        "makers": f" {' '.join(sorted(set(makers)))} ",
    }
    if kept.stored:
        context["stored"] = True
    return {names.CACHE_FILTER: packed(f"{_LUA}.LuaPerRoute", {"name": _SOURCE, "filter_context": context})}


def of_asked(gateway: Gateway, loggers: Iterable[Json]) -> list[Json]:
    """Let those of these loggers that look at providers' answers pass over answers that were kept."""
    if not is_used(gateway):
        return list(loggers)
    return [
        {**one, "filter": logs.all_of(logs.NOT_HIT, one["filter"])} if one.get("filter") in _OF_ANSWERS else one
        for one in loggers
    ]


def stats_loggers(gateway: Gateway) -> list[Json]:
    """Count requests of routes that keep answers: `envoy_fairlead_cache_*`.

    `requests` by what became of them; `prompt_tokens` and the like are what the answers of hits took when they were
    made, by the target that made them: what is saved. `lookups` tell answers of the worker from shared ones.
    """
    if not is_used(gateway):
        return []
    route = {"name": "route", "value_format": logs.ROUTE}
    outcome = {"name": "outcome", "value_format": logs.of_request(names.CACHE_KEY)}
    target = {"name": "target", "value_format": logs.of_request(names.HIT_KEY)}
    asked = {"stat": {"name": "requests", "tags": [route, outcome]}, "value_fixed": 1}
    saved = [
        {"stat": {"name": name, "tags": [route, target]}, "value_format": value} for name, value in SAVED_TOKENS.items()
    ]
    only = logs.metadata_filter(names.CACHE_KEY, value={"present_match": True})
    return [
        stats.logger("fairlead_cache", [asked], only=only),
        stats.logger("fairlead_cache", saved, only=logs.HIT),
        *_lookups(gateway, route),
    ]


def is_stored(gateway: Gateway) -> bool:
    """Tell whether some route shares its answers."""
    return any(route.cache is not None and route.cache.stored for route in gateway.routes)


def _lookups(gateway: Gateway, route: Json) -> list[Json]:
    """Count where routes that share answers found one, or why none: `envoy_fairlead_cache_lookups`."""
    if not is_stored(gateway):
        return []
    found = {"name": "found", "value_format": logs.of_request(names.LOOKED_KEY)}
    looked = {"stat": {"name": "lookups", "tags": [route, found]}, "value_fixed": 1}
    return [
        stats.logger(
            "fairlead_cache", [looked], only=logs.metadata_filter(names.LOOKED_KEY, value={"present_match": True})
        )
    ]


def report_words(gateway: Gateway) -> tuple[str, ...]:
    """Return a report's last group, behind a `;`: what became of the request, who made its answer, the usage then."""
    if not is_used(gateway):
        return ()
    saved = f"%DYNAMIC_METADATA({names.CACHE_NAMESPACE}:{names.SAVED_KEY}:report)%"
    return (";", logs.of_request(names.CACHE_KEY), logs.of_request(names.HIT_KEY), saved)
