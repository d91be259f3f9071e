"""Budgets: the check before a request goes on, the report when it ends, `GET /v1/usage`, and the counters beside them.

The check must stand after the request filter: before it the route of the moment is a direct response, and those Envoy
never limits. What the words of a check and of a report mean stands in `fairlead.budgetserver.descriptor`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from fairlead.envoy import batches, cache, logs, names
from fairlead.envoy.clusters import circuit_limits
from fairlead.envoy.layout import BudgetServer, Layout
from fairlead.envoy.protobuf import Json, duration, extension, packed
from fairlead.ir import BudgetCheck, Gateway, Need, Plan, Route

USAGE_PATH = "/v1/usage"
NOBODY = """{"object":"usage","budget":null,"budgets":[]}"""
"""The answer of an installation without budgets."""

_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_CONNECT_TIMEOUT = "0.25s"
_MANY = 100_000
_SERIES = 40_000
_UNIX = "unix:"
_ADMISSION = "admission"
_REPORT = "report"
_OF_CHECKS = (names.RATE_LIMIT_FILTER, _ADMISSION)
_REPORT_MS = 10_000
"""Nobody waits for a report, and one that a slow server never read leaves a reservation standing."""
_BACK_OFF_MS = 10


def server_of(gateway: Gateway, layout: Layout) -> BudgetServer | None:
    """Return where to ask; None when nobody has a budget, or nobody can be asked."""
    return layout.budget if gateway.budget is not None and gateway.budget.asked else None


def limits_in_flight(gateway: Gateway, layout: Layout) -> bool:
    """Tell whether a consumer may have so many requests under way and no more, and somebody counts them."""
    return server_of(gateway, layout) is not None and any(one.max_in_flight is not None for one in gateway.consumers)


def at_rest(gateway: Gateway, layout: Layout) -> Json:
    """Turn the check off in the route that requests begin with, while nobody has a budget or a limit in flight.

    And the report, unless a route wants to be told of what requests took. The filters stand there all the same: a
    listener that gains one would serve connections that are open without it, until they are drained.
    """
    if gateway.budget is None or layout.budget is None:
        return {}
    if gateway.budget.only_told:
        return {"typed_per_filter_config": _disabled(_OF_CHECKS)}
    return {} if gateway.budget.asked else {"typed_per_filter_config": off(gateway, layout)}


def off(gateway: Gateway, layout: Layout) -> Json:
    """Turn check and report off in a route whose requests are nobody's; nothing where there are no such filters."""
    if gateway.budget is None or layout.budget is None:
        return {}
    return _disabled((_REPORT, *_OF_CHECKS))


def _disabled(filters: Iterable[str]) -> Json:
    return dict.fromkeys(filters, packed("envoy.config.route.v3.FilterConfig", {"disabled": True}))


def per_request(gateway: Gateway, layout: Layout, *, admission: str) -> list[Json]:
    """Make the filters that stand right after the request filter: the check, then what comes of its answer.

    `admission` is the Lua source of the latter: a downgrade, or what happens to a request whose check nobody answered.
    """
    if gateway.budget is None or layout.budget is None:
        return []
    reported = _entry("report", _words(gateway, layout))
    lua = {"default_source_code": {"inline_string": admission}}
    return [
        *_rate_limits(gateway.budget, check=_CHECK, report=reported, hits={"format": batches.HITS}),
        extension(_ADMISSION, "envoy.extensions.filters.http.lua.v3.Lua", lua),
    ]


def per_shadow(gateway: Gateway, layout: Layout) -> list[Json]:
    """Make the filter of the shadows' hop: a copy goes on only when its money was reserved, and is booked at its end.

    A check that nobody answers stops the copy, whatever the `failurePolicy`: no client waits for it, and nobody would
    book it.
    """
    if gateway.budget is None or layout.budget is None:
        return []
    budget = replace(gateway.budget, fail_closed=True)
    reported = _entry("shadow_report", report(instance(gateway, layout), route=logs.SHADOW_ROUTE))
    return _rate_limits(budget, check=_entry("shadow_check", SHADOW_CHECK), report=reported, hits={"number": 1})


def _words(gateway: Gateway, layout: Layout) -> tuple[str, ...]:
    """Return the words of a request's report."""
    return (*report(instance(gateway, layout)), *cache.report_words(gateway))


def batch_logger(gateway: Gateway, layout: Layout) -> list[Json]:
    """Report what a call does not: requests under a lease whose answers were counted."""
    if gateway.budget is None or layout.budget is None:
        return []
    return [batches.logger(" ".join(_words(gateway, layout)))]


def _rate_limits(budget: BudgetCheck, *, check: Json, report: Json, hits: Json) -> list[Json]:
    """Make the filter that reports at a request's end and the one that checks at its beginning.

    They are two: one whose check is under way when the client leaves cancels it and reports nothing
    (`Filter::onDestroy` in `source/extensions/filters/http/ratelimit/ratelimit.cc`), and what the server has reserved
    would stand until it expires. One that only reports has no check under way, and always does.
    """
    reports = {"apply_on_stream_done": True, "hits_addend": hits, "actions": [report]}
    checks = {"hits_addend": {"number": 0}, "actions": [check]}
    return [
        _filter(_REPORT, budget, reports, timeout_ms=_REPORT_MS),
        _filter(names.RATE_LIMIT_FILTER, budget, checks, timeout_ms=budget.timeout_ms),
    ]


def _filter(name: str, budget: BudgetCheck, limit: Json, *, timeout_ms: int) -> Json:
    fields = {
        "domain": "fairlead",
        "stat_prefix": "budget",
        "timeout": duration(timeout_ms),
        "failure_mode_deny": budget.fail_closed,
        "status_on_error": {"code": "ServiceUnavailable"},
        "disable_x_envoy_ratelimited_header": True,
        "rate_limit_service": {
            "transport_api_version": "V3",
            "grpc_service": {
                "envoy_grpc": {"cluster_name": names.BUDGET_CLUSTER},
                "retry_policy": _retry(timeout_ms),
            },
        },
        "rate_limits": [limit],
    }
    return extension(name, "envoy.extensions.filters.http.ratelimit.v3.RateLimit", fields)


def _retry(timeout_ms: int) -> Json:
    """Make the retries of a step, which changes nothing when it is repeated.

    They stand here and not inside `envoy_grpc`, where they are taken and do nothing. Envoy takes `max_interval` for the
    longest that one try may last as well (`Utility::convertCoreToRouteRetryPolicy`): half of the timeout, so
    that a server that hangs leaves time to ask another one, and one that is slow is not given up.
    """
    return {
        "retry_on": "unavailable,connect-failure,reset,refused-stream",
        "num_retries": 2,
        "retry_back_off": {
            "base_interval": duration(_BACK_OFF_MS),
            "max_interval": duration(max(_BACK_OFF_MS, timeout_ms // 2)),
        },
    }


_CHECK: Json = {
    "metadata": {
        "descriptor_key": "check",
        "metadata_key": {"key": names.CHECK_NAMESPACE, "path": [{"key": names.CHECK_KEY}]},
    }
}
"""The entry of a check, whose words the request filter has left. Where it has not, and nothing stands for them, Envoy
drops the descriptor, and without any it asks nobody."""
_WHO = (logs.CONSUMER, "%REQ(x-request-id)%", logs.MODEL_ASKED, "%REQ(content-length)%")
SHADOW_CHECK = (*_WHO, logs.SHADOW_ROUTE, logs.of_request(names.SHADOW_TARGET_KEY), logs.of_request(names.ASK_KEY))
"""The words of a shadow's check; the last of them are two."""
REPORT = (
    *_WHO,
    logs.ROUTE,
    f"%DYNAMIC_METADATA({names.RATE_LIMIT_FILTER}:{names.RESERVATION_KEY})%",
    logs.TARGET,
    logs.STREAM,
    logs.STATUS,
    "%RESPONSE_FLAGS%",
    logs.ATTEMPTS,
    "%BYTES_SENT%",
)
"""The words of a report before the gateway's name."""
ATTEMPTS = (
    logs.SENT_BY_ATTEMPTS,
    logs.LATENCY_MS,
    *(logs.of_request(key) for key in (names.TRIED_KEY, names.FAILED_KEY, names.LOST_KEY, names.ASKED_ROUTE_KEY)),
    "%UPSTREAM_CLUSTER%",
    "counts-asked",
    batches.BACK,
)
"""The words of a report behind it; the last but one says that `_moved` counts. What bounds the request's cost follows,
then its usage."""


def report(gateway: str, *, route: str = logs.ROUTE) -> tuple[str, ...]:
    """Return the words of a report. Groups whose number of words is not fixed are set apart by `;`."""
    words = (route if word == logs.ROUTE else word for word in REPORT)
    return (*words, gateway, *ATTEMPTS, ";", logs.of_request(names.ASK_KEY), ";", logs.USAGE_WORDS)


def _entry(key: str, words: Iterable[str]) -> Json:
    """Make an entry of words. It is never empty, else Envoy would drop the descriptor, and the check with it."""
    return {"generic_key": {"descriptor_key": key, "descriptor_value": " ".join(words)}}


def instance(gateway: Gateway, layout: Layout) -> str:
    """Return what tells this Envoy from others, as a format."""
    return layout.instance or gateway.region


def clusters(gateway: Gateway, layout: Layout) -> list[Json]:
    """Make the budget server's clusters."""
    server = layout.budget
    if gateway.budget is None or server is None:
        return []
    rpc: Json = {"explicit_http_config": {"http2_protocol_options": {}}}
    # A filter chain of its own, else the one that writes providers' credentials would run, and remove the consumer.
    codec = extension("codec", "envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec")
    usage = {"explicit_http_config": {"http_protocol_options": {}}, "http_filters": [codec]}
    return [
        {**_cluster(names.BUDGET_CLUSTER, server.rpc, rpc), **_ejects(server.rpc)},
        {
            **_cluster(names.BATCHES_CLUSTER, server.rpc, rpc),
            "circuit_breakers": circuit_limits(batches.MOST_UNDER_WAY, retries=batches.MOST_UNDER_WAY),
            **_ejects(server.rpc),
        },
        _cluster(names.USAGE_CLUSTER, server.usage, usage),
        *_answers(gateway, server.usage, usage),
    ]


def _answers(gateway: Gateway, address: str, options: Json) -> list[Json]:
    """Make the cluster of shared answers, where a route has such: apart, since a body may be long, and nobody waits."""
    if not cache.is_stored(gateway):
        return []
    bounded = {"circuit_breakers": circuit_limits(cache.MOST_UNDER_WAY)}
    return [{**_cluster(names.ANSWERS_CLUSTER, address, options), **bounded, **_ejects(address)}]


def _cluster(name: str, address: str, options: Json) -> Json:
    endpoint = {"endpoint": {"address": _address(address)}}
    cluster = {
        **packed("envoy.config.cluster.v3.Cluster"),
        "name": name,
        "connect_timeout": _CONNECT_TIMEOUT,
        "circuit_breakers": {
            "thresholds": [
                {"max_connections": _MANY, "max_pending_requests": _MANY, "max_requests": _MANY, "max_retries": _MANY}
            ]
        },
        "load_assignment": {"cluster_name": "-", "endpoints": [{"lb_endpoints": [endpoint]}]},
        "typed_extension_protocol_options": {_HTTP_OPTIONS: packed(_HTTP_OPTIONS, options)},
    }
    if not address.startswith(_UNIX):
        # In turns, each check would meet one of two servers and each report the other.
        cluster |= {"type": "STRICT_DNS", "dns_lookup_family": "V4_PREFERRED", "lb_policy": "LEAST_REQUEST"}
    return cluster


def _ejects(address: str) -> Json:
    """Make outlier detection, where a name stands for several servers: one failure, and the others take over.

    A server whose *store* is away does not answer with what counts here, so its reports keep arriving.
    """
    if address.startswith(_UNIX):
        return {}
    return {
        "outlier_detection": {
            "consecutive_5xx": 1,
            "consecutive_gateway_failure": 1,
            "enforcing_consecutive_gateway_failure": 100,
            "interval": "0.2s",
            "base_ejection_time": "1s",
            "max_ejection_time": "2s",
            "max_ejection_percent": 50,
        }
    }


def _address(address: str) -> Json:
    if address.startswith(_UNIX):
        return {"pipe": {"path": address.removeprefix(_UNIX)}}
    host, _, port = address.rpartition(":")
    return {"socket_address": {"address": host, "port_value": int(port)}}


def usage_route(gateway: Gateway, layout: Layout) -> Json:
    """Make the route of `GET /v1/usage`: a key is needed, the request filter and the check are not."""
    disabled = packed("envoy.config.route.v3.FilterConfig", {"disabled": True})
    skipped = {names.DIRECTORY_NAMESPACE: disabled}
    route: Json = {
        "name": "usage",
        "match": {"path": USAGE_PATH, "headers": [{"name": ":method", "string_match": {"exact": "GET"}}]},
    }
    if server_of(gateway, layout) is None:
        route["direct_response"] = {"status": 200, "body": {"inline_string": NOBODY}}
    else:
        route["route"] = {"cluster": names.USAGE_CLUSTER, "timeout": "5s"}
        skipped |= off(gateway, layout)
    route["typed_per_filter_config"] = skipped
    return route


def downgrade(route: Route, gateway: Gateway, needs: Need | None) -> str:
    """Say which route answers a chat route's requests under budget pressure, and what is its last resort.

    `needs`: what they need of a rung; empty where no other route answers. A count of tokens is for the model
    that was asked, and costs nothing.
    """
    plan = _downgraded(route, gateway)
    if plan is None or needs is Need.ANTHROPIC or (needs is not None and not plan.speaks(needs)):
        return ""
    last = plan if needs is None else plan.apart(needs) or plan
    return f"{route.downgrade_to} {last.last_model} {last.last_target}"


def downgrade_metadata(line: str) -> Json:
    """Make the metadata of an Envoy route from what `downgrade` says."""
    if not line:
        return {}
    return {"metadata": {"filter_metadata": {names.DIRECTORY_NAMESPACE: {names.DOWNGRADE_KEY: line}}}}


def _downgraded(route: Route, gateway: Gateway) -> Plan | None:
    other = gateway.routes_by_name.get(route.downgrade_to or "")
    if other is None:
        return None
    (plan,) = other.plans
    return plan


def stats_logger(gateway: Gateway, layout: Layout) -> list[Json]:
    """Count what reports call metered, in counters that only grow: what reports lose is found in them.

    It stands there while nobody has a budget, too, so that the listener stays the same when somebody gets one. Then it
    counts nothing: the request filter has not noted what it would ask.
    """
    return [*_metered(gateway, layout), *_moved(gateway, layout)]


def rejected_logger(gateway: Gateway, layout: Layout) -> list[Json]:
    """Count the same of answers that a cascade rejected, behind its hop: the request's report brings them, too."""
    rejected = logs.metadata_filter(names.REJECTED_KEY, value={"present_match": True})
    return [*_metered(gateway, layout, rejected), *_moved(gateway, layout, rejected)]


def _moved(gateway: Gateway, layout: Layout, *only: Json) -> list[Json]:
    """Count once more, by the routes that were asked, what another route answered: its series are the only ones more.

    Beside the others and not as a label of theirs: series of other names would begin at zero, and a budget server of
    the version before would take what they had counted for lost.
    """
    moved = logs.metadata_filter(names.ASKED_ROUTE_KEY, value={"present_match": True})
    return _counted("moved", gateway, layout, {"asked": logs.of_request(names.ASKED_ROUTE_KEY)}, moved, *only)


def _metered(gateway: Gateway, layout: Layout, *only: Json) -> list[Json]:
    return _counted("metered", gateway, layout, {}, *only)


def _counted(name: str, gateway: Gateway, layout: Layout, more: Mapping[str, str], *only: Json) -> list[Json]:
    """Make the logger of `fairlead_<name>`; `more` are further labels."""
    if gateway.budget is None or layout.budget is None:
        return []
    tags = {
        "consumer": logs.of_request(names.CONSUMER_KEY),
        "route": "%ROUTE_NAME%",
        "target": logs.TARGET,
        "gateway": instance(gateway, layout),
        **more,
    }
    labels = [{"name": tag, "value_format": format_} for tag, format_ in tags.items()]
    logger = extension(
        name,
        "envoy.extensions.access_loggers.stats.v3.Config",
        {
            # A counter that is evicted, because nobody used it for a while, starts again at zero: the reader knows.
            "stats_scope": {"prefix": f"fairlead_{name}", "max_counters": _SERIES, "enable_eviction": True},
            "counters": [{"stat": {"name": stat, "tags": labels}, **value} for stat, value in logs.METERED.items()],
        },
    )
    asked = logs.metadata_filter(names.ASK_KEY, value={"present_match": True})
    return [{**logger, "filter": logs.all_of(asked, logs.COMPLETE, *only)}]
