"""Listeners: the data port, and the port for metrics."""

from fairlead.envoy import (
    budgets,
    cache,
    errors,
    filters,
    keys,
    logs,
    names,
    overload,
    probe,
    routers,
    stats,
    telemetry,
    words,
)
from fairlead.envoy.layout import Layout
from fairlead.envoy.own import HEALTH_PATH, READY_PATH
from fairlead.envoy.protobuf import Json, extension, file_source, packed
from fairlead.ir import Gateway, ListenAddress

LISTENER = "envoy.config.listener.v3.Listener"
MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"


def render(gateway: Gateway, layout: Layout) -> list[Json]:
    """Make the listeners that have a port."""
    listeners = [_data(gateway, layout)]
    if layout.metrics_listen is not None:
        listeners.append(_metrics(layout.metrics_listen))
    return listeners


def _data(gateway: Gateway, layout: Layout) -> Json:
    router = routers.render(
        {
            "upstream_log": [*logs.attempt_loggers(layout.access_log, gateway.region), *stats.attempts()],
            "upstream_http_filters": filters.per_attempt(gateway, layout),
        }
    )
    manager = {
        "stat_prefix": "fairlead",
        "use_remote_address": True,  # also replaces a client's x-request-id by one of ours, from whatever address
        "skip_xff_append": True,
        "always_set_request_id_in_response": True,
        "normalize_path": True,
        # No API has names with them, and servers that fold `_` into `-` would take one for another.
        "common_http_protocol_options": {
            "headers_with_underscores_action": "DROP_HEADER",
            "idle_timeout": f"{gateway.limits.idle_timeout_ms / 1000:g}s",
            "max_connection_duration": f"{gateway.limits.connection_duration_ms / 1000:g}s",
        },
        # HTTP/1: by the next answer's `connection: close`, so that no request meets a connection that just ended.
        "http1_safe_max_connection_duration": True,
        "http_protocol_options": {"accept_http_10": True, "default_host_for_http_10": "fairlead"},
        "http2_protocol_options": overload.http2(),
        "max_request_headers_kb": overload.HEADERS_KB,
        "stream_error_on_invalid_http_message": True,  # keep the connection after a 400 of the request filter
        "stream_idle_timeout": "60s",  # until a route is chosen: a client that stalls its upload
        "request_headers_timeout": overload.first_request(gateway.limits),
        "request_timeout": f"{gateway.limits.request_timeout_ms / 1000:g}s",
        "delayed_close_timeout": "0.1s",  # default 1 s: clients diagnostic a broken stream that much later
        "early_header_mutation_extensions": [_strip(gateway)],
        "rds": {
            "route_config_name": names.ROUTE_CONFIGURATION,
            "config_source": file_source(layout.xds_dir, "rds.json", mounted=layout.xds_mounted),
        },
        "http_filters": [*filters.per_request(gateway, layout, probed=(READY_PATH, HEALTH_PATH, probe.PATH)), router],
        "access_log": [
            *logs.request_loggers(
                layout.access_log, gateway.region, _more(gateway, layout), kept=cache.is_used(gateway)
            ),
            *cache.of_asked(gateway, [*stats.requests(), *stats.rules(gateway), *stats.answers()]),
            *stats.categories(gateway),
            *stats.units(gateway),
            *cache.stats_loggers(gateway),
            *cache.of_asked(gateway, telemetry.loggers(gateway)),
            *budgets.stats_logger(gateway, layout),
            *budgets.batch_logger(gateway, layout),
        ],
        "local_reply_config": errors.local_reply_config(
            limited=budgets.limits_in_flight(gateway, layout),
            worded=words.CHAT in words.wanted(gateway),
            pinned=gateway.signers is not None,
        ),
        **telemetry.tracing(gateway),
    }
    return {
        **_listener("data", layout.listen, manager),
        **overload.waiting(gateway.limits),
        **overload.connection(gateway.limits),
        "metadata": logs.LISTENER_METADATA,
    }


def _more(gateway: Gateway, layout: Layout) -> dict[str, str]:
    """Name what a line says of rules, categories and limits in flight, where the gateway has some."""
    ruled = any(route.rules for route in gateway.routes)
    classified = any(route.classifier for route in gateway.routes)
    limited = logs.REFUSED if budgets.limits_in_flight(gateway, layout) else {}
    return {**(logs.RULED if ruled else {}), **(logs.CLASSIFIED if classified else {}), **limited}


def _strip(gateway: Gateway) -> Json:
    """Before the first route is looked up, so that no header of a client's takes part in it."""
    mutations: list[Json] = [
        {"remove_on_match": {"key_matcher": {"prefix": names.HEADER_PREFIX}}},
        {"remove_on_match": {"key_matcher": {"prefix": "x-envoy-"}}},
        filters.set_header(names.ROUTE_HEADER, names.NO_ROUTE),
        filters.set_header(names.ENCODING_HEADER, "%REQ(content-encoding)%"),
    ]
    if gateway.anonymous is not None:
        mutations.append(filters.set_header(names.ANONYMOUS_HEADER, keys.ANONYMOUS_KEY))
    return extension(
        "strip",
        "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
        {"mutations": mutations},
    )


def _metrics(listen: ListenAddress) -> Json:
    """`GET /metrics` and nothing else of the admin interface."""
    route = {
        "match": {"path": "/metrics", "headers": [{"name": ":method", "string_match": {"exact": "GET"}}]},
        "route": {"cluster": names.ADMIN_CLUSTER, "path_rewrite": "/stats/prometheus", "timeout": "10s"},
    }
    manager = {
        "stat_prefix": "metrics",
        "route_config": {
            "name": "metrics",
            "virtual_hosts": [{"name": "metrics", "domains": ["*"], "routes": [route]}],
        },
        "http_filters": [extension("envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router")],
    }
    return {**_listener("metrics", listen, manager), **overload.exempt()}


def _listener(name: str, listen: ListenAddress, manager: Json) -> Json:
    address = {"address": listen.address, "port_value": listen.port}
    return {
        **packed(LISTENER),
        "name": name,
        "address": {"socket_address": address},
        "filter_chains": [{"filters": [extension("http", MANAGER, manager)]}],
    }
