"""Hops: internal listeners of the same process that a request passes on its way to a provider.

Three kinds go this way, and nobody else pays for it. A target with `maxInFlight`: Envoy never retries an overflow of
its own circuit breaker, but behind a hop an overflow is a provider's 503, and the next rung serves. Shadows: only a
connection manager of their own sees their tokens. And the models of a cascade: see `cascades`.
"""

from collections.abc import Mapping, Sequence

from fairlead.envoy import (
    budgets,
    clusters,
    errors,
    filters,
    logs,
    makers,
    names,
    overload,
    recorder,
    routers,
    stats,
    token_filter,
)
from fairlead.envoy.layout import Layout
from fairlead.envoy.protobuf import Json, extension, packed
from fairlead.ir import Gateway, Route, Target

HTTP = "envoy.extensions.filters.http"
MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"

BULKHEAD_HEADERS = (names.HOP_HEADER, names.HOP_ATTEMPT_HEADER, "x-forwarded-proto")
"""What the way into the bulkheads' hop adds, its connection manager included."""
SHADOWS_IN_FLIGHT = 20
"""Per shadowed target; what comes on top is dropped. A shadow that hangs must not fill the gateway's memory."""
_MARGIN_MS = 500
_TIMERS = {
    "x-envoy-upstream-rq-per-try-timeout-ms": names.SHADOW_BEGIN_HEADER,
    "x-envoy-upstream-rq-timeout-ms": names.SHADOW_END_HEADER,
}
"""How Envoy is told of a request's timers: not before the hop, where the mirror's own router would take them."""


def render_clusters(gateway: Gateway, crowded: clusters.Addresses) -> list[Json]:
    """Make the clusters before and behind the hops."""
    made: list[Json] = []
    makes = makers.by_host(gateway)
    for target in gateway.targets:
        if target.max_in_flight is not None:
            made += [_entry(target, gateway), _limited(target, crowded, makes)]
    shadowed = _shadowed(gateway)
    if shadowed:
        made.append(_shadow_entry(gateway))
    made += [_shadow(target, crowded, longest_ms) for target, longest_ms in shadowed]
    return made


def render_listeners(gateway: Gateway, layout: Layout) -> list[Json]:
    """Make the internal listeners that the gateway needs; none when it has no hop."""
    made: list[Json] = []
    if any(target.max_in_flight is not None for target in gateway.targets):
        made.append(
            internal_listener(names.BULKHEAD_LISTENER, _bulkhead_manager(gateway), gateway.limits.request_bytes)
        )
    if _shadowed(gateway):
        buffer_bytes = gateway.limits.request_bytes
        shadow = internal_listener(names.SHADOW_LISTENER, _shadow_manager(gateway, layout), buffer_bytes)
        made.append({**shadow, "metadata": logs.LISTENER_METADATA})
    return made


def mirror(route: Route, gateway: Gateway, *, attempt_ms: int) -> list[Json]:
    """Make the mirror policy of a route's shadow; empty without one.

    A copy has the time of a client's attempt, so that one that hangs is known as soon as a client would know it.
    """
    if route.shadow is None:
        return []
    target = gateway.targets_by_name[route.shadow.target]
    # The copy has no metadata: what the hop's filters need goes along in headers.
    carried = {
        names.SHADOW_CONSUMER_HEADER: logs.of_request(names.CONSUMER_KEY),
        names.SHADOW_ROUTE_HEADER: route.name,
        names.SHADOW_TARGET_HEADER: logs.literal(target.name),
        names.SHADOW_ASK_HEADER: logs.of_request(names.ASK_KEY),
        names.SHADOW_HOP_HEADER: logs.literal(names.shadow_cluster(target.name)),
        names.SHADOW_BEGIN_HEADER: str(attempt_ms),
        # Before the mirror's own timer, whose end would look like a client that left.
        names.SHADOW_END_HEADER: str(route.timeouts.request_ms - min(_MARGIN_MS, route.timeouts.request_ms // 10)),
        names.WAY_HEADER: logs.of_request(names.WAY_KEY),
        names.MODEL_HEADER: logs.of_request(names.MODEL_KEY),
        names.STREAM_HEADER: logs.of_request(names.STREAM_KEY),
    }
    sample = {"numerator": route.shadow.sample, "denominator": "TEN_THOUSAND"}
    return [
        {
            "cluster": names.SHADOW_CLUSTER,
            "runtime_fraction": {"default_value": sample},
            "disable_shadow_host_suffix_append": True,
            "host_rewrite_literal": target.upstream.host,
            "request_headers_mutations": [filters.set_header(key, value) for key, value in carried.items()],
        }
    ]


def _shadowed(gateway: Gateway) -> list[tuple[Target, int]]:
    """Return the targets that get copies, and how long one may take there at most, in milliseconds."""
    longest: dict[str, int] = {}
    for route in gateway.routes:
        if route.shadow is not None:
            longest[route.shadow.target] = max(longest.get(route.shadow.target, 0), route.timeouts.request_ms)
    return [(target, longest[target.name]) for target in gateway.targets if target.name in longest]


def _entry(target: Target, gateway: Gateway) -> Json:
    """Make what a ladder sees of a target with a bulkhead: never ejected, since its failures are the hop's too."""
    host = clusters.target_host(target, hop=names.limited_cluster(target.name))
    return into(names.BULKHEAD_LISTENER, names.cluster(target.name), gateway, hostname=target.upstream.host, host=host)


def _limited(target: Target, crowded: clusters.Addresses, makes: Mapping[str, str]) -> Json:
    host = clusters.target_host(target) | makers.of_host(target.name, makes)
    return {
        **clusters.single(names.limited_cluster(target.name), target.upstream, host, crowded),
        "circuit_breakers": _in_flight(target.max_in_flight or clusters.MANY),
        "outlier_detection": clusters.breaker(target.breaker),
        "typed_extension_protocol_options": clusters.http1(target.upstream, counted=True),
    }


def _in_flight(requests: int) -> Json:
    """Bound the requests in flight. Connections are not bounded: at that bound requests would queue, not overflow."""
    return {
        "thresholds": [
            {"max_connections": clusters.MANY, "max_pending_requests": requests, "max_requests": requests},
        ]
    }


def _shadow_entry(gateway: Gateway) -> Json:
    host = {names.HOST_KEY: names.SHADOW_HOST}
    return into(names.SHADOW_LISTENER, names.SHADOW_CLUSTER, gateway, hostname="", host=host)


def _shadow(target: Target, crowded: clusters.Addresses, longest_ms: int) -> Json:
    return {
        **clusters.single(names.shadow_cluster(target.name), target.upstream, clusters.target_host(target), crowded),
        "circuit_breakers": clusters.circuit_limits(SHADOWS_IN_FLIGHT),
        "typed_extension_protocol_options": clusters.http1(target.upstream, longest_ms=longest_ms),
    }


def into(listener: str, name: str, gateway: Gateway, *, hostname: str, host: Json) -> Json:
    """Make a cluster that leads into an internal listener: HTTP/2, since HTTP/1 there costs 40 % of the throughput."""
    endpoint: Json = {"address": {"envoy_internal_address": {"server_listener_name": listener}}}
    if hostname:
        endpoint["hostname"] = hostname
    one = {"endpoint": endpoint, "metadata": {"filter_metadata": {names.METADATA_NAMESPACE: host}}}
    raw = extension("raw", "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer")
    return {
        **packed(clusters.CLUSTER),
        "name": name,
        "per_connection_buffer_limit_bytes": gateway.limits.request_bytes,
        "circuit_breakers": clusters.circuit_limits(clusters.MANY),
        "load_assignment": {
            "cluster_name": "-",
            "endpoints": [{"lb_endpoints": [one]}],
        },
        "transport_socket": extension(
            "internal",
            "envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport",
            {"transport_socket": raw},
        ),
        "typed_extension_protocol_options": clusters.http_options(
            {"explicit_http_config": {"http2_protocol_options": overload.hop_windows()}}
        ),
    }


def internal_listener(name: str, manager: Json, buffer_bytes: int) -> Json:
    """Make a listener that only this process reaches."""
    return {
        **packed("envoy.config.listener.v3.Listener"),
        "name": name,
        **overload.exempt(),
        "internal_listener": {},
        "per_connection_buffer_limit_bytes": buffer_bytes,
        "filter_chains": [{"filters": [extension("http", MANAGER, manager)]}],
    }


def _bulkhead_manager(gateway: Gateway) -> Json:
    """Pass on what the data listener's filters have made ready."""
    made = manager("bulkhead", {"cluster_header": names.HOP_HEADER, "timeout": "0s"}, used=BULKHEAD_HEADERS)
    return {
        **made,
        "http2_protocol_options": overload.hop_windows(),
        "route_config": {**made["route_config"], **makers.told_by_hop(gateway)},
        "http_filters": [router([])],
        "local_reply_config": errors.hop_reply_config(),
    }


def _shadow_manager(gateway: Gateway, layout: Layout) -> Json:
    carried = {
        names.SHADOW_CONSUMER_HEADER: names.CONSUMER_KEY,
        names.SHADOW_ROUTE_HEADER: names.ROUTE_KEY,
        names.SHADOW_TARGET_HEADER: names.SHADOW_TARGET_KEY,
        names.SHADOW_ASK_HEADER: names.ASK_KEY,
        names.WAY_HEADER: names.WAY_KEY,
        names.MODEL_HEADER: names.MODEL_KEY,
        names.STREAM_HEADER: names.STREAM_KEY,
    }
    action = {
        "cluster_header": names.SHADOW_HOP_HEADER,
        "timeout": "0s",  # the copy's own: `_TIMERS`
        "auto_host_rewrite": True,
    }
    recording = recorder.per_copy(gateway, layout)
    if recording:
        carried[names.SHADOW_RECORD_HEADER] = names.RECORD_KEY
    rules = [
        {
            "header": header,
            "remove": True,
            "on_header_present": {"metadata_namespace": names.METADATA_NAMESPACE, "key": key, "type": "STRING"},
        }
        for header, key in carried.items()
    ]
    timers = [filters.set_header(header, f"%REQ({carried_by})%") for header, carried_by in _TIMERS.items()]
    return {
        **manager("shadow", action, used=(names.SHADOW_HOP_HEADER, *_TIMERS.values())),
        "http_filters": [
            extension("carried", f"{HTTP}.header_to_metadata.v3.Config", {"request_rules": rules}),
            # Before the filters Envoy takes such headers from whom it does not know.
            extension(
                "timers", f"{HTTP}.header_mutation.v3.HeaderMutation", {"mutations": {"request_mutations": timers}}
            ),
            *budgets.per_shadow(gateway, layout),
            *recording,
            token_filter.render(),
            router(filters.per_attempt(gateway, layout)),
        ],
        "access_log": [
            *logs.shadow_loggers(layout.access_log, gateway.region),
            *stats.shadows(),
            *stats.copies(),
        ],
    }


def manager(name: str, action: Json, *, used: Sequence[str]) -> Json:
    """Make a connection manager that passes on, by the cluster that a header names, without the headers `used`."""
    route = {
        "name": name,
        "match": {"prefix": "/"},
        "route": action,
        "request_headers_to_remove": list(used),
    }
    return {
        "stat_prefix": name,
        "generate_request_id": False,  # the client's request has one, and all copies carry it
        "stream_idle_timeout": "0s",  # the timers are the data listener's
        "delayed_close_timeout": "0.1s",
        "server_header_transformation": "PASS_THROUGH",
        "route_config": {"name": name, "virtual_hosts": [{"name": name, "domains": ["*"], "routes": [route]}]},
    }


def router(upstream_filters: list[Json]) -> Json:
    """Make the filter that ends a hop's chain."""
    return routers.render({"upstream_http_filters": upstream_filters} if upstream_filters else {})
