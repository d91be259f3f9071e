"""Classifiers: who gives requests a category, asked by the request filter (`lua/request/category.lua`).

A route that is asked is asked by the gateway itself, through an internal listener that no client can reach: a request
of the caller's own, whose budget is checked and whose tokens are metered, past keys and names. What its filters need of
it comes in headers, since it has no metadata. A service of the user's own is asked through another one, which gives up
on an answer that is longer than `MOST_ANSWER`: a call from Lua gathers 32 MB.
"""

from fairlead.envoy import budgets, hops, logs, names, routers, stats, token_filter
from fairlead.envoy.clusters import circuit_limits, is_ip
from fairlead.envoy.layout import Layout
from fairlead.envoy.protobuf import Json, extension, file_source, packed
from fairlead.ir import Classifier, Gateway

MOST_QUESTIONS = 256
"""To a service, under way at once, and as many that wait for a connection; a further one has no category."""
MOST_ANSWER = 65_536
"""Bytes of a service's answer; a longer one is none."""
_CONNECT_TIMEOUT = "0.25s"
_HTTP = "envoy.extensions.filters.http"
CARRIED = {
    names.CONSUMER_HEADER: (names.METADATA_NAMESPACE, names.CONSUMER_KEY),
    names.MODEL_HEADER: (names.METADATA_NAMESPACE, names.MODEL_KEY),
    names.WAY_HEADER: (names.METADATA_NAMESPACE, names.WAY_KEY),
    names.ASK_HEADER: (names.METADATA_NAMESPACE, names.ASK_KEY),
    names.ASKED_HEADER: (names.METADATA_NAMESPACE, names.ASKED_ROUTE_KEY),
    names.CHECK_HEADER: (names.CHECK_NAMESPACE, names.CHECK_KEY),
    names.RESERVATION_HEADER: (names.RATE_LIMIT_FILTER, names.RESERVATION_KEY),
}
"""Headers of a question to a route, and the dynamic metadata that they become: namespace and key."""


def render_listeners(gateway: Gateway, layout: Layout, *, per_attempt: list[Json], admission: str) -> list[Json]:
    """Make the listeners that questions to routes and to services pass; none where nobody is asked."""
    made = []
    if any(one.route for one in _asked(gateway)):
        manager = _manager(gateway, layout, per_attempt=per_attempt, admission=admission)
        listener = hops.internal_listener(names.CLASSIFIER_LISTENER, manager, gateway.limits.request_bytes)
        made.append({**listener, "metadata": logs.LISTENER_METADATA})
    if any(one.service for one in _asked(gateway)):
        made.append(hops.internal_listener(names.SERVICE_LISTENER, _service_manager(), MOST_ANSWER))
    return made


def render_clusters(gateway: Gateway) -> list[Json]:
    """Make the clusters that lead into those listeners, and those of services."""
    asked = _asked(gateway)
    services = sorted({one.service for one in asked if one.service})
    entries = {
        names.CLASSIFIER_CLUSTER: names.CLASSIFIER_LISTENER if any(one.route for one in asked) else "",
        names.SERVICE_CLUSTER: names.SERVICE_LISTENER if services else "",
    }
    into = [hops.into(to, name, gateway, hostname="", host={}) for name, to in entries.items() if to]
    return [*into, *map(_service, services)]


def _asked(gateway: Gateway) -> list[Classifier]:
    return [route.classifier for route in gateway.routes if route.classifier is not None]


def _service(place: str) -> Json:
    host, _, port = place.rpartition(":")
    address = {"socket_address": {"address": host, "port_value": int(port)}}
    cluster = {
        **packed("envoy.config.cluster.v3.Cluster"),
        "name": names.classifier_cluster(place),
        "connect_timeout": _CONNECT_TIMEOUT,
        "circuit_breakers": circuit_limits(MOST_QUESTIONS),
        "load_assignment": {"cluster_name": "-", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]},
    }
    if not is_ip(host):
        cluster |= {"type": "STRICT_DNS", "dns_lookup_family": "V4_PREFERRED"}
    return cluster


def _service_manager() -> Json:
    action = {"cluster_header": names.HOP_HEADER, "timeout": "0s"}  # who asks waits for so long, and no longer
    held = {"inline_string": "function envoy_on_response(h) h:body(true) end"}  # 500 in the place of a longer one
    return {
        **hops.manager("classifier-service", action, used=hops.BULKHEAD_HEADERS),
        # What is held of a message over HTTP/2 is bounded by the stream's window, not by the listener's limit.
        "http2_protocol_options": {"initial_stream_window_size": MOST_ANSWER},
        "http_filters": [
            extension("held", f"{_HTTP}.lua.v3.Lua", {"default_source_code": held}),
            hops.router([]),
        ],
    }


def _manager(gateway: Gateway, layout: Layout, *, per_attempt: list[Json], admission: str) -> Json:
    router = {
        "upstream_log": [*logs.attempt_loggers(layout.access_log, gateway.region), *stats.attempts()],
        "upstream_http_filters": per_attempt,
    }
    carried = [
        {
            "header": header,
            "remove": True,
            "on_header_present": {"metadata_namespace": namespace, "key": key, "type": "STRING"},
        }
        for header, (namespace, key) in CARRIED.items()
    ]
    whole = [{"metadata_namespace": names.METADATA_NAMESPACE, "value": {names.STREAM_KEY: False}}]
    return {
        "stat_prefix": "classifier",
        "generate_request_id": False,  # the request that it is asked for has one
        "stream_idle_timeout": "0s",  # who asks waits for so long, and no longer
        "delayed_close_timeout": "0.1s",
        "rds": {
            "route_config_name": names.ROUTE_CONFIGURATION,
            "config_source": file_source(layout.xds_dir, "rds.json", mounted=layout.xds_mounted),
        },
        "http_filters": [
            extension("whole", f"{_HTTP}.set_metadata.v3.Config", {"metadata": whole}),
            extension("carried", f"{_HTTP}.header_to_metadata.v3.Config", {"request_rules": carried}),
            *budgets.per_request(gateway, layout, admission=admission),
            token_filter.render(),
            routers.render(router),
        ],
        "access_log": [
            *logs.request_loggers(layout.access_log, gateway.region),
            *stats.questions(),
            *stats.answers(),
            *budgets.stats_logger(gateway, layout),
        ],
    }
