"""Cascades: an outer ladder of models, each of which has a ladder of its own behind a hop.

On a route with one, requests that are no streams meet a composite cluster of hops, one for each model of the plan's
ladder, and behind them the first model once more, with the last resort. Behind a hop a model has its own rungs and
retries: failover within it is what it was, and whatever ends it (no rung left, a verdict) leads to the next model,
never to the same one elsewhere. There the judge looks at each answer but those of the last model and of the last
resort: there is nothing better to ask. Streams, and what is said in other words, meet the plain ladder.

A model whose every endpoint is demoted stands behind the others, as a rung does; a model is judged where one that was
declared as better still follows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from fairlead.envoy import (
    budgets,
    clusters,
    dialects,
    errors,
    filters,
    hops,
    judge,
    logs,
    makers,
    names,
    retries,
    routers,
    stats,
    token_filter,
)
from fairlead.envoy.layout import Layout
from fairlead.envoy.protobuf import Json, extension, packed
from fairlead.ir import NEEDS, Cascade, Gateway, ModelKind, Need, Plan, Route, Side

LUA = "envoy.extensions.filters.http.lua.v3"
BYPASS = "bypass"
"""What `x-fairlead-cascade` says of an answer that no cascade applies to."""
_MAX_RETRIES = "x-envoy-max-retries"
_TWO = 2


class Meeting(Enum):
    """What requests to a path have to do with a cascade."""

    NONE = "none"
    """The route has none, or there is nothing to judge."""
    JUDGED = "judged"
    """They meet it, unless the answer is a stream."""
    BYPASSED = "bypassed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One rung of the outer ladder."""

    cluster: str
    """The ladder behind the hop."""
    rungs: tuple[str, ...]
    """Its targets."""
    judged: bool


def meeting(route: Route, plan: Plan, needs: Need | None, gateway: Gateway) -> Meeting:
    """Tell what requests that need this have to do with a route's cascade.

    A count of tokens is no answer; what was said in other words cannot be said over a hop.
    """
    if route.cascade is None or plan.kind is not ModelKind.CHAT or needs is Need.ANTHROPIC:
        return Meeting.NONE
    if plan.worded_for(needs):
        return Meeting.BYPASSED
    apart = needs if needs is not None and plan.apart(needs) else None
    return Meeting.JUDGED if any(_has_two(one) for one in _arms(route, plan, apart, gateway)) else Meeting.BYPASSED


def told(*, judged: bool) -> Json:
    """Make what an Envoy route tells clients of a cascade."""
    verdicts = logs.CASCADE if judged else BYPASS
    header = filters.set_header(names.CASCADE_HEADER, verdicts)["append"]
    made = {"response_headers_to_add": [header]}
    # It stays where the time was up before the next model could be asked.
    return {**made, "response_headers_to_remove": [names.JUDGED_HEADER]} if judged else made


def retry(route: Route, plan: Plan, apart: Need | None, gateway: Gateway) -> Json:
    """Make the retries of an outer ladder: each leads to the next model."""
    return retries.policy(_attempts(route, plan, apart, gateway) - 1, attempt_ms=None, judged=True)


def render_clusters(gateway: Gateway) -> list[Json]:
    """Make the outer ladders, the hops that are their rungs, and the ladders behind those."""
    made: dict[str, Json] = {}
    for route, plan, apart in _met(gateway):
        attempts = _attempts(route, plan, apart, gateway)
        for arm in _arms(route, plan, apart, gateway):
            behind = [(one, [names.cluster(rung) for rung in one.rungs]) for one in arm.models]
            # An answer of the first model, though it was rejected, is better than no answer.
            first = replace(arm.models[0], cluster=names.model_cluster(arm.base, len(behind)), judged=False)
            behind.append((first, [*behind[0][1], names.last_resort_cluster(arm.last_resort)]))
            outer = [names.hop_cluster(arm.base, number) for number in range(len(behind))]
            for name, (one, rungs) in zip(outer, behind, strict=True):
                again = min(len(rungs), route.max_attempts) - 1
                words = ("cascade", one.cluster, one.rungs[0], route.name, str(again), "1" if one.judged else "-")
                host = {names.HOST_KEY: " ".join(words)}
                made[name] = hops.into(names.CASCADE_LISTENER, name, gateway, hostname="", host=host)
                made[one.cluster] = clusters.composite(one.cluster, rungs)
            name = names.cascade_cluster(arm.base)
            made[name] = clusters.composite(name, outer + outer[-1:] * (attempts - len(outer)))
    return list(made.values())


def render_listeners(gateway: Gateway, layout: Layout) -> list[Json]:
    """Make the internal listener behind the hops; none without a cascade."""
    routes = {route.name: route for route, _, _ in _met(gateway)}
    if not routes:
        return []
    made = hops.internal_listener(
        names.CASCADE_LISTENER, _manager(list(routes.values()), gateway, layout), gateway.limits.request_bytes
    )
    return [{**made, "metadata": logs.LISTENER_METADATA}]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arm:
    """The cascade of an arm."""

    base: str
    """The cluster of the plain ladder."""
    side: Side
    last_resort: str
    models: tuple[Model, ...]


def _has_two(arm: _Arm) -> bool:
    return len(arm.models) >= _TWO


def _met(gateway: Gateway) -> Iterator[tuple[Route, Plan, Need | None]]:
    """Yield the plans with a cascade, by what requests need of a rung where not all have it."""
    for route in gateway.routes:
        for plan, apart in _met_by(route, gateway):
            yield route, plan, apart


def _met_by(route: Route, gateway: Gateway) -> Iterator[tuple[Plan, Need | None]]:
    for plan in route.plans:
        for paths_need in dict.fromkeys(NEEDS.values()):
            if meeting(route, plan, paths_need, gateway) is Meeting.JUDGED:
                yield plan, paths_need if paths_need is not None and plan.apart(paths_need) else None


def made_by(route: Route, side: Side, gateway: Gateway) -> Iterator[str]:
    """Yield what may have made an answer that met the cascade on this side, each with how it was judged.

    Not the first model once more: what it says then is never kept.
    """
    for plan, apart in _met_by(route, gateway):
        for arm in _arms(route, plan, apart, gateway):
            if arm.side is side and route.cascade is not None:
                for one in arm.models:
                    judged = _judged_as(route.cascade, judged=one.judged)
                    yield from (f"{made}.{judged}" for made in makers.of_hosts(one.rungs, gateway).values())


def _judged_as(cascade: Cascade, *, judged: bool) -> str:
    """Name how an answer was judged, or what made those before it fail, in one word."""
    return f"{'judged' if judged else 'unjudged'}-{makers.word(judge.accept(cascade.accept))}"


def _arms(route: Route, plan: Plan, apart: Need | None, gateway: Gateway) -> Iterator[_Arm]:
    targets = gateway.targets_by_name
    dialect = None if apart is None else plan.apart(apart)
    for arm in plan.arms:
        declared = gateway.ladders_by_name[arm.ladder]
        rungs = [rung for rung in declared.rungs if dialect is None or dialect.need.met_by(targets[rung])]
        base = dialects.cluster(arm, plan, apart, gateway)
        yield _Arm(
            base=base,
            side=arm.side,
            last_resort=declared.last_resort if dialect is None else dialect.last_resort,
            models=_models(route, base, rungs),
        )


def _models(route: Route, base: str, rungs: Sequence[str]) -> tuple[Model, ...]:
    """Return the models of a ladder in the order in which they are asked."""
    grouped: dict[str, list[str]] = {}
    for rung in rungs:
        grouped.setdefault(rung.split("/", 2)[2], []).append(rung)
    judged = route.cascade.judged(rungs) if route.cascade is not None else ()
    return tuple(
        Model(cluster=names.model_cluster(base, number), rungs=tuple(found), judged=model in judged)
        for number, (model, found) in enumerate(grouped.items())
    )


def _attempts(route: Route, plan: Plan, apart: Need | None, gateway: Gateway) -> int:
    """Return how many models an outer ladder has at most, the last resort included."""
    return max(len(arm.models) for arm in _arms(route, plan, apart, gateway)) + 1


_CARRIED = {
    names.CONSUMER_HEADER: names.CONSUMER_KEY,
    names.CASCADE_ASK_HEADER: names.ASK_KEY,
    names.ASKED_HEADER: names.ASKED_ROUTE_KEY,
    names.WAY_HEADER: names.WAY_KEY,
    names.MODEL_HEADER: names.MODEL_KEY,
    names.STREAM_HEADER: names.STREAM_KEY,
}
"""What filters behind the hop need of the request, which has no metadata there."""
_BY = (
    *(logs.SENT_BY_ATTEMPTS, logs.TARGET, logs.REGION, logs.PROVIDER),
    *(logs.TARGET_MODEL, logs.MODEL_SENT, logs.ATTEMPTS),
)
"""What `names.BY_HEADER` says, with bars between."""


def _manager(routes: Sequence[Route], gateway: Gateway, layout: Layout) -> Json:
    rules = [
        {
            "header": header,
            "remove": True,
            "on_header_present": {"metadata_namespace": names.METADATA_NAMESPACE, "key": key, "type": "STRING"},
        }
        for header, key in _CARRIED.items()
    ]
    # Before the filters Envoy takes such a header from whom it does not know.
    again = {"mutations": {"request_mutations": [filters.set_header(_MAX_RETRIES, f"%REQ({names.RETRIES_HEADER})%")]}}
    lua = {"default_source_code": {"inline_string": judge.filter_source()}}
    router = {
        "upstream_log": [*logs.attempt_loggers(layout.access_log, gateway.region), *stats.attempts()],
        "upstream_http_filters": filters.per_attempt(gateway, layout),
    }
    return {
        "stat_prefix": "cascade",
        "generate_request_id": False,  # the client's request has one
        "stream_idle_timeout": "0s",  # the timers are the data listener's
        "delayed_close_timeout": "0.1s",
        "server_header_transformation": "PASS_THROUGH",
        "local_reply_config": errors.hop_reply_config(),
        "route_config": {
            "name": "cascade",
            "vhost_header": names.ROUTE_HEADER,
            "virtual_hosts": [_host(route, one, gateway) for route in routes if (one := route.cascade)],
        },
        "http_filters": [
            extension("carried", f"{filters.HTTP}.header_to_metadata.v3.Config", {"request_rules": rules}),
            extension("retries", f"{filters.HTTP}.header_mutation.v3.HeaderMutation", again),
            # On the way back once the answer's tokens are counted, and so before the token filter here.
            extension(names.JUDGE_FILTER, f"{LUA}.Lua", lua),
            token_filter.render(),
            routers.render(router),
        ],
        "access_log": [*stats.verdicts(), *budgets.rejected_logger(gateway, layout)],
    }


def _host(route: Route, cascade: Cascade, gateway: Gateway) -> Json:
    """Make the two ways to a route's models: to those that are judged, and to the others."""
    way = {
        "name": route.name,
        "match": {"prefix": "/"},
        "route": {
            "cluster_header": names.RUNG_HEADER,
            "auto_host_rewrite": True,
            "timeout": "0s",  # the whole request's is the data listener's
            "idle_timeout": "0s",
        },
        "request_headers_to_remove": [names.RUNG_HEADER, names.RETRIES_HEADER, names.JUDGE_HEADER],
        **_made(route, cascade, judged=False),
    }
    accept = {"filter_context": {"accept": judge.accept(cascade.accept)}}
    judged = {
        **way,
        "match": {
            "prefix": "/",
            "headers": [{"name": names.JUDGE_HEADER, "string_match": {"exact": "1"}}],
        },
        "typed_per_filter_config": {names.JUDGE_FILTER: packed(f"{LUA}.LuaPerRoute", accept)},
        **_made(route, cascade, judged=True),
    }
    return {
        "name": route.name,
        "domains": [route.name],
        "request_body_buffer_limit": gateway.limits.request_bytes,
        "retry_policy": retries.policy(route.max_attempts - 1, attempt_ms=route.timeouts.response_ms),
        "response_headers_to_add": [filters.set_header(names.BY_HEADER, "|".join(_BY))["append"]],
        "routes": [judged, way],
    }


def _made(route: Route, cascade: Cascade, *, judged: bool) -> Json:
    """Say what made an answer, and how it was judged, where the route keeps some."""
    return makers.told(f".{_judged_as(cascade, judged=judged)}") if route.cache is not None else {}
