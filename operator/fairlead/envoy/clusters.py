"""Clusters: a target or last resort is one host and its metadata, a ladder is a composite of them.

A catalogue makes hundreds of them and a ConfigMap holds 1 MiB, so what is the same for all targets stands in the
bootstrap's runtime (`bootstrap.RUNTIME`) and what is Envoy's default is left out.
"""

import ipaddress

from fairlead.envoy import names
from fairlead.envoy.protobuf import Json, duration, extension, packed
from fairlead.ir import Breaker, Gateway, Ladder, LastResort, Target, Upstream

CLUSTER = "envoy.config.cluster.v3.Cluster"
HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

CONNECT_TIMEOUT_MS = 2000
ENVOYS_CONSECUTIVE_5XX = 5
"""Envoy's default, left out of cds.json."""
MANY = 100_000
"""A circuit limit that is never reached: an overflow at a target would be a 503 that is not retried."""
FAILURE = "401|403|429|5.."
"""Statuses that count against a target. Not 404 and 400: a client could eject a provider with them."""


def render(gateway: Gateway) -> list[Json]:
    """Make all clusters that need no hop."""
    clusters = [_target(target, gateway) for target in gateway.targets if target.max_in_flight is None]
    clusters += [_last_resort(last, gateway) for last in gateway.last_resorts]
    clusters += [_ladder(ladder) for ladder in gateway.ladders]
    return clusters


def _target(target: Target, gateway: Gateway) -> Json:
    return {
        **single(names.cluster(target.name), target.upstream, target_host(target), gateway),
        "outlier_detection": breaker(target.breaker),
    }


def target_host(target: Target, *, hop: str = "") -> Json:
    """Make the metadata of a target's one host: what filters, logs and stats say about it."""
    return {
        names.TARGET_KEY: target.name,
        names.PROVIDER_KEY: target.provider,
        names.REGION_KEY: target.region or "-",
        names.MODEL_KEY: target.model,
        names.WIRE_KEY: target.wire_model,
        names.HOST_KEY: _host_line(target.credential, target.wire_model, target.upstream.base_path, hop),
    }


def _last_resort(last: LastResort, gateway: Gateway) -> Json:
    host = {
        names.ENDPOINT_KEY: last.name,
        names.PROVIDER_KEY: last.provider,
        names.REGION_KEY: last.region or "-",
        names.HOST_KEY: _host_line(last.credential, names.ANY_MODEL, last.upstream.base_path),
    }
    return single(names.last_resort_cluster(last.name), last.upstream, host, gateway)


def _host_line(credential: str, wire_model: str, base_path: str, hop: str = "") -> str:
    """Put what the upstream filters need to know of a host into one value: see `lua/upstream.lua`."""
    return " ".join(part or "-" for part in (credential, wire_model, base_path, hop))


def single(name: str, upstream: Upstream, host: Json, gateway: Gateway) -> Json:
    """Make a cluster of one host."""
    address = {"address": upstream.host, "port_value": upstream.port}
    endpoint = {
        "endpoint": {"address": {"socket_address": address}, "hostname": upstream.host},
        "metadata": {"filter_metadata": {names.METADATA_NAMESPACE: host}},
    }
    cluster = {
        **packed(CLUSTER),
        "name": name,
        "connect_timeout": duration(CONNECT_TIMEOUT_MS),
        "per_connection_buffer_limit_bytes": gateway.limits.request_bytes,
        "circuit_breakers": circuit_limits(MANY),
        "load_assignment": {"cluster_name": "-", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    if not is_ip(upstream.host):
        # One host per cluster whatever DNS returns, so that an ejection is the target's.
        cluster |= {"type": "LOGICAL_DNS", "dns_lookup_family": "V4_PREFERRED"}
    if upstream.tls:
        cluster["transport_socket"] = _tls(upstream.host)
    return cluster


def circuit_limits(requests: int) -> Json:
    """Envoy's circuit breakers with this limit for everything that they count."""
    return {"thresholds": [{"max_connections": requests, "max_pending_requests": requests, "max_requests": requests}]}


def is_ip(host: str) -> bool:
    """Whether the host is an IP literal, which needs no DNS."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _tls(host: str) -> Json:
    """TLS whose SNI and certificate check go by the endpoint's host name; an address has no SNI."""
    authorities = {"validation_context_sds_secret_config": {"name": names.TRUSTED_CA}}
    if is_ip(host):
        subject = {"san_type": "IP_ADDRESS", "matcher": {"exact": ipaddress.ip_address(host).compressed}}
        own = {"default_validation_context": {"match_typed_subject_alt_names": [subject]}}
        fields: Json = {"common_tls_context": {"combined_validation_context": {**own, **authorities}}}
    else:
        fields = {"auto_host_sni": True, "auto_sni_san_validation": True, "common_tls_context": authorities}
    return extension("tls", "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", fields)


def breaker(breaker: Breaker) -> Json:
    """Outlier detection by count; its other settings are the same for all targets: `bootstrap.RUNTIME`."""
    open_for = duration(breaker.open_for_ms)
    detection: Json = {
        "base_ejection_time": open_for,
        "max_ejection_time": open_for,  # else each repeat ejects for longer
    }
    if breaker.consecutive_failures != ENVOYS_CONSECUTIVE_5XX:
        detection["consecutive_5xx"] = breaker.consecutive_failures
    return detection


def _ladder(ladder: Ladder) -> Json:
    """Make a composite cluster: attempt n goes to the n-th of its clusters that has a healthy host."""
    rungs = [*(names.cluster(rung) for rung in ladder.rungs), names.last_resort_cluster(ladder.last_resort)]
    return {
        **packed(CLUSTER),
        "name": names.ladder_cluster(ladder.name),
        "lb_policy": "CLUSTER_PROVIDED",
        "cluster_type": extension(
            "envoy.clusters.composite",
            "envoy.extensions.clusters.composite.v3.ClusterConfig",
            {"clusters": [{"name": rung} for rung in rungs]},
        ),
        # max_retries counts here, and its default is 3 at a time
        "circuit_breakers": {"thresholds": [{**circuit_limits(MANY)["thresholds"][0], "max_retries": MANY}]},
        "typed_extension_protocol_options": counts_failures(),
    }


def counts_failures() -> Json:
    """HTTP/1.1, with every status of `FAILURE` counted against the host. Envoy by itself counts 5xx only."""
    status = {"name": ":status", "string_match": {"safe_regex": {"regex": FAILURE}}}
    return http_options(
        {
            "explicit_http_config": {"http_protocol_options": {}},
            "outlier_detection": {"error_matcher": {"http_response_headers_match": {"headers": [status]}}},
        }
    )


def http_options(options: Json) -> Json:
    """Make `typed_extension_protocol_options` of HTTP options."""
    return {HTTP_OPTIONS: packed(HTTP_OPTIONS, options)}
