"""Clusters: a target or last resort is one host and its metadata, a ladder is a composite of them.

A catalogue makes hundreds of them and a ConfigMap holds 1 MiB, so what is the same for all targets stands in the
bootstrap's runtime (`bootstrap.RUNTIME`) and what is Envoy's default is left out.
"""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence

from fairlead import statuses
from fairlead.envoy import dialects, makers, names, signing, upstream_filter
from fairlead.envoy.protobuf import Json, duration, extension, packed
from fairlead.ir import Breaker, Gateway, Ladder, LastResort, Target, Upstream

CLUSTER = "envoy.config.cluster.v3.Cluster"
HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

CONNECT_TIMEOUT_MS = 2000
ENVOYS_CONSECUTIVE_5XX = 5
"""Envoy's default, left out of cds.json."""
MANY = 100_000
"""A circuit limit that is never reached: an overflow at a target would be a 503 that is not retried."""
FAILURE = statuses.pattern()
"""Statuses that count against a target."""

CONNECTION_BYTES = 65_536
"""What is read of a provider's connection at once, and no more while the client does not take what was read before."""

Addresses = frozenset[tuple[str, int]]
"""Host and port."""


def ladders(gateway: Gateway) -> Iterator[tuple[Ladder, int]]:
    """Yield each ladder with the attempts of its route: what `ladder` makes a cluster of."""
    attempts = {arm.ladder: route.max_attempts for route in gateway.routes for plan in route.plans for arm in plan.arms}
    return ((one, attempts.get(one.name, 1)) for one in gateway.ladders)


def render(gateway: Gateway, crowded: Addresses) -> list[Json]:
    """Make all other clusters that need no hop."""
    made = makers.by_host(gateway)
    clusters = [_target(target, crowded, made) for target in gateway.targets if target.max_in_flight is None]
    clusters += [_last_resort(last, crowded, made) for last in gateway.last_resorts]
    clusters += [
        _to_last_resort(name, rungs, last_resort, route.max_attempts)
        for route, name, rungs, last_resort in dialects.ladders(gateway)
    ]
    return clusters


def _target(target: Target, crowded: Addresses, made: Mapping[str, str]) -> Json:
    host = target_host(target) | makers.of_host(target.name, made)
    return {
        **single(names.cluster(target.name), target.upstream, host, crowded),
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
        names.HOST_KEY: _host_line(target, target.wire_model, hop),
    }


def _last_resort(last: LastResort, crowded: Addresses, made: Mapping[str, str]) -> Json:
    host = {
        names.ENDPOINT_KEY: last.name,
        names.PROVIDER_KEY: last.provider,
        names.REGION_KEY: last.region or "-",
        names.HOST_KEY: _host_line(last, names.ANY_MODEL),
        **makers.of_host(last.name, made),
    }
    return single(names.last_resort_cluster(last.name), last.upstream, host, crowded)


def _host_line(host: Target | LastResort, wire_model: str, hop: str = "") -> str:
    """Put what the upstream filters need to know of a host into one value: see `lua/upstream/attempt.lua`."""
    marks = {names.WANTS_CONVERSE: True}
    if not host.aws_region:
        marks = {names.WANTS_CHAT: host.translates_messages, names.WANTS_MESSAGES: host.translates_chat}
    signature = signing.mark(host)
    wanted = (
        *(mark for mark, wants in marks.items() if wants),
        *([signature] if signature else []),
        *host.forward_headers,
    )
    base = upstream_filter.versioned(host.upstream.base_path, host.api_version)
    words = (host.credential, wire_model, base, hop, ",".join(wanted))
    return " ".join(word or "-" for word in words)


def single(name: str, upstream: Upstream, host: Json, crowded: Addresses) -> Json:
    """Make a cluster of one host, which stands behind a trunk where its address is crowded."""
    metadata = {"filter_metadata": {names.METADATA_NAMESPACE: host}}
    if (upstream.host, upstream.port) not in crowded:
        cluster = direct(name, upstream, metadata=metadata)
    else:
        trunk = names.trunk(upstream.host, upstream.port)
        endpoint = {"address": {"envoy_internal_address": {"server_listener_name": trunk}}, "hostname": upstream.host}
        cluster = _cluster(name, {"endpoint": endpoint, "metadata": metadata})
    return {**cluster, "typed_extension_protocol_options": http1(upstream)}


def direct(name: str, upstream: Upstream, *, metadata: Json) -> Json:
    """Make a cluster of one host that finds and secures its connections by itself."""
    endpoint: Json = {"address": {"socket_address": {"address": upstream.host, "port_value": upstream.port}}}
    if is_ip(upstream.host):
        endpoint["hostname"] = upstream.host  # else the name that DNS is asked for
    cluster = _cluster(name, {"endpoint": endpoint, **({"metadata": metadata} if metadata else {})})
    cluster["connect_timeout"] = duration(CONNECT_TIMEOUT_MS)
    if not is_ip(upstream.host):
        # One host per cluster whatever DNS returns, so that an ejection is the target's.
        cluster |= {"type": "LOGICAL_DNS", "dns_lookup_family": "V4_PREFERRED"}
    if upstream.tls:
        cluster["transport_socket"] = _tls(upstream.host)
    return cluster


def _cluster(name: str, lb_endpoint: Json) -> Json:
    return {
        **packed(CLUSTER),
        "name": name,
        "per_connection_buffer_limit_bytes": CONNECTION_BYTES,
        "circuit_breakers": circuit_limits(MANY),
        "load_assignment": {"cluster_name": "-", "endpoints": [{"lb_endpoints": [lb_endpoint]}]},
    }


def circuit_limits(requests: int, *, retries: int | None = None) -> Json:
    """Envoy's circuit breakers with this limit for everything that they count; of retries at a time Envoy allows 3."""
    counted: Json = {"max_connections": requests, "max_pending_requests": requests, "max_requests": requests}
    return {"thresholds": [counted if retries is None else {**counted, "max_retries": retries}]}


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


def ladder(ladder: Ladder, attempts: int) -> Json:
    """Make a composite cluster: attempt n goes to the n-th of its clusters that has a healthy host.

    There is a rung for each attempt: without one Envoy answers 503 itself, and the last provider's own error is lost.
    """
    return _to_last_resort(names.ladder_cluster(ladder.name), ladder.rungs, ladder.last_resort, attempts)


def _to_last_resort(name: str, targets: Sequence[str], last_resort: str, attempts: int) -> Json:
    rungs = [names.cluster(rung) for rung in targets]
    return composite(name, [*rungs, *[names.last_resort_cluster(last_resort)] * max(1, attempts - len(rungs))])


def composite(name: str, rungs: Sequence[str]) -> Json:
    """Make a cluster whose attempts go to one of these clusters after the other."""
    return {
        **packed(CLUSTER),
        "name": name,
        "lb_policy": "CLUSTER_PROVIDED",
        "cluster_type": extension(
            "envoy.clusters.composite",
            "envoy.extensions.clusters.composite.v3.ClusterConfig",
            {"clusters": [{"name": rung} for rung in rungs]},
        ),
        # max_retries counts here, and its default is 3 at a time
        "circuit_breakers": {"thresholds": [{"max_retries": MANY}]},
        "typed_extension_protocol_options": http1(counted=True),
    }


def http1(upstream: Upstream | None = None, *, counted: bool = False, longest_ms: int | None = None) -> Json:
    """Make the options of a cluster that speaks HTTP/1.1.

    `counted`: every status of `FAILURE` counts against the host; Envoy by itself counts 5xx only. `longest_ms`: how
    long a request may take.
    """
    options: Json = {"explicit_http_config": {"http_protocol_options": {}}}
    common = {"idle_timeout": duration(upstream.idle_timeout_ms)} if upstream else {}
    if longest_ms is not None:
        common["max_stream_duration"] = duration(longest_ms)
    if common:
        options["common_http_protocol_options"] = common
    if counted:
        status = {"name": ":status", "string_match": {"safe_regex": {"regex": FAILURE}}}
        options["outlier_detection"] = {"error_matcher": {"http_response_headers_match": {"headers": [status]}}}
    return http_options(options)


def http_options(options: Json) -> Json:
    """Make `typed_extension_protocol_options` of HTTP options."""
    return {HTTP_OPTIONS: packed(HTTP_OPTIONS, options)}
