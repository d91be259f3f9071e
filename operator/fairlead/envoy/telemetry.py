"""OpenTelemetry, where an installation asks for it: spans and histograms with the `gen_ai` names, by OTLP.

Envoy makes both itself: its tracer a span for each request with a child for each attempt, its stats sink the metrics.
Names and attributes are those of OpenTelemetry's semantic conventions for generative AI. No prompt, no answer, no key
and no query string is in any of them; what a client calls a model is, and on answers of routes alone in a metric.

Units: Envoy's histograms hold whole numbers, so durations are milliseconds where the conventions have seconds.
"""

from fairlead.envoy import logs
from fairlead.envoy.protobuf import Json, duration, extension, packed
from fairlead.ir import Gateway, Telemetry

CLUSTER_NAME = "!telemetry"
SERVICE = "fairlead-gateway"
SCOPE = "gen_ai"
"""Prefix of the histograms' names inside Envoy: `envoy_gen_ai_*` at its metrics port."""
SERIES = 2000
"""Histograms at most; those that nobody used for an interval make room."""
EXPORT_TIMEOUT_MS = 1000
TOKEN_BUCKETS = tuple(4**i for i in range(14))
"""As the conventions advise: 1 to 67,108,864."""
DURATION_BUCKETS_MS = tuple(10 * 2**i for i in range(14))
"""As the conventions advise, in milliseconds: 10 to 81,920."""
_SAMPLERS = "envoy.extensions.tracers.opentelemetry.samplers.v3"
_INPUT, _OUTPUT, _DURATION, _FIRST = "input_tokens", "output_tokens", "operation_duration", "first_token"
_METRICS = {
    _INPUT: ("gen_ai.client.token.usage", {"gen_ai.token.type": "input"}),
    _OUTPUT: ("gen_ai.client.token.usage", {"gen_ai.token.type": "output"}),
    _DURATION: ("gen_ai.client.operation.duration", {}),
    _FIRST: ("gen_ai.server.time_to_first_token", {}),
}
"""Histogram in Envoy: the metric's name and the attributes that tell it from others of this name."""
_OPERATION = (
    "%CEL(request.url_path.endsWith('/embeddings') ? 'embeddings'"
    " : request.url_path.startsWith('/v1/images/') ? 'image_generation'"
    " : request.url_path.endsWith('/speech') ? 'speech'"
    " : request.url_path.startsWith('/v1/audio/') ? 'transcription'"
    " : request.url_path.endsWith('/rerank') ? 'rerank'"
    " : request.url_path.endsWith('/moderations') ? 'moderation'"
    " : request.url_path.endsWith('/completions') && !request.url_path.endsWith('/chat/completions')"
    " ? 'text_completion' : 'chat')%"
)
"""The conventions' `gen_ai.operation.name`, by the path. Read for sampled spans and with telemetry only."""
_WHO = {
    "gen_ai.operation.name": _OPERATION,
    "gen_ai.provider.name": logs.PROVIDER,
    "fairlead.route": logs.ROUTE,
    "fairlead.target": logs.TARGET,
}
_MODELS = {"gen_ai.request.model": logs.MODEL_ASKED, "gen_ai.response.model": logs.TARGET_MODEL}
_COUNTED = logs.token_counts()
_SPAN = {
    **_WHO,
    **_MODELS,
    "fairlead.consumer": logs.CONSUMER,
    "fairlead.attempts": logs.ATTEMPTS,
    "gen_ai.usage.input_tokens": _COUNTED["prompt_tokens"],
    "gen_ai.usage.output_tokens": _COUNTED["completion_tokens"],
}
_NUMBERS = {"fairlead.attempts", "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"}


def tracing(gateway: Gateway) -> Json:
    """Make the member of a connection manager that traces, or none.

    A request whose `traceparent` says whether it is sampled is treated so; of the others the share decides. That is the
    tracer's sampler: the manager's own sampling knows no parents (seen on 1.40), so it lets all pass.
    """
    if gateway.telemetry is None:
        return {}
    return {
        "tracing": {
            "client_sampling": {"value": 0},
            "operation": _OPERATION,
            "upstream_operation": f"attempt {logs.ATTEMPT_TARGET}",
            "spawn_upstream_span": True,
            "max_path_tag_length": 0,  # a query string may hold anything: the path is a tag of its own below
            "custom_tags": [
                {"tag": "url.path", "value": "%PATH(NQ)%"},
                *(
                    {"tag": tag, "value": value, **({"value_type": "INT"} if tag in _NUMBERS else {})}
                    for tag, value in _SPAN.items()
                ),
            ],
            "provider": extension(
                "envoy.tracers.opentelemetry",
                "envoy.config.trace.v3.OpenTelemetryConfig",
                {
                    **_service(gateway.telemetry, "traces"),
                    "service_name": SERVICE,
                    "resource_detectors": [_resource(gateway)],
                    "sampler": _sampler(gateway.telemetry.sample),
                },
            ),
        }
    }


def loggers(gateway: Gateway) -> list[Json]:
    """Record a client's request in the histograms, or nothing."""
    if gateway.telemetry is None:
        return []
    served = {**_WHO, **_MODELS}
    return [
        _logger({_INPUT: _COUNTED["prompt_tokens"], _OUTPUT: _COUNTED["completion_tokens"]}, served, only=logs.SERVED),
        _logger({_DURATION: logs.LATENCY_MS}, served, only=logs.SERVED, unit="Milliseconds"),
        _logger({_FIRST: logs.FIRST_BYTE_MS}, served, only=logs.SERVED_STREAMS, unit="Milliseconds"),
        _logger(
            {_DURATION: logs.LATENCY_MS}, {**_WHO, "error.type": logs.STATUS}, only=logs.NOT_SERVED, unit="Milliseconds"
        ),
    ]


def bucket_settings(gateway: Gateway) -> list[Json]:
    """Give the histograms their buckets."""
    if gateway.telemetry is None:
        return []
    return [
        *({"match": {"prefix": f"{SCOPE}.{name}"}, "buckets": list(TOKEN_BUCKETS)} for name in (_INPUT, _OUTPUT)),
        {"match": {"prefix": SCOPE}, "buckets": list(DURATION_BUCKETS_MS)},
    ]


def sinks(gateway: Gateway) -> list[Json]:
    """Send these histograms, and no other series, every five seconds."""
    if gateway.telemetry is None:
        return []
    conversions = {
        "matcher_list": {
            "matchers": [
                {
                    "predicate": {
                        "single_predicate": {
                            "input": extension(
                                "name", "envoy.extensions.matching.common_inputs.stats.v3.StatFullNameMatchInput"
                            ),
                            "value_match": {"prefix": f"{SCOPE}.{name}"},
                        }
                    },
                    "on_match": {"action": _converted(name)},
                }
                for name in _METRICS
            ]
        },
        "on_no_match": {
            "action": extension("drop", "envoy.extensions.stat_sinks.open_telemetry.v3.SinkConfig.DropAction")
        },
    }
    return [
        extension(
            "envoy.stat_sinks.open_telemetry",
            "envoy.extensions.stat_sinks.open_telemetry.v3.SinkConfig",
            {
                **_service(gateway.telemetry, "metrics"),
                "resource_detectors": [_resource(gateway)],
                "custom_metric_conversions": conversions,
                "max_data_points_per_request": 1000,
            },
        )
    ]


def clusters(gateway: Gateway) -> list[Json]:
    """Make the cluster of whoever takes it all; in the bootstrap, where a sink looks for it."""
    if gateway.telemetry is None:
        return []
    told = gateway.telemetry
    endpoint = {"endpoint": {"address": {"socket_address": {"address": told.host, "port_value": told.port}}}}
    cluster: Json = {
        "name": CLUSTER_NAME,
        "type": "STRICT_DNS",
        "connect_timeout": duration(EXPORT_TIMEOUT_MS),
        "load_assignment": {"cluster_name": CLUSTER_NAME, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    if told.grpc:
        options: Json = {"explicit_http_config": {"http2_protocol_options": {}}}
        protocol = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
        cluster["typed_extension_protocol_options"] = {protocol: packed(protocol, options)}
    return [cluster]


def _converted(name: str) -> Json:
    metric, attributes = _METRICS[name]
    labels = [{"key": key, "value": {"string_value": value}} for key, value in attributes.items()]
    return extension(
        name,
        "envoy.extensions.stat_sinks.open_telemetry.v3.SinkConfig.ConversionAction",
        {"metric_name": metric, **({"static_metric_labels": labels} if labels else {})},
    )


def _service(telemetry: Telemetry, signal: str) -> Json:
    """Name where a signal goes; a receiver that is slow or away costs requests nothing, what it misses is lost."""
    timeout = duration(EXPORT_TIMEOUT_MS)
    if telemetry.grpc:
        return {"grpc_service": {"envoy_grpc": {"cluster_name": CLUSTER_NAME}, "timeout": timeout}}
    uri = f"http://{telemetry.authority}/v1/{signal}"
    return {"http_service": {"http_uri": {"uri": uri, "cluster": CLUSTER_NAME, "timeout": timeout}}}


def _resource(gateway: Gateway) -> Json:
    return extension(
        "envoy.tracers.opentelemetry.resource_detectors.static_config",
        "envoy.extensions.tracers.opentelemetry.resource_detectors.v3.StaticConfigResourceDetectorConfig",
        {"attributes": {"service.name": SERVICE, "fairlead.region": gateway.region}},
    )


def _sampler(sample: int) -> Json:
    share = {"numerator": sample, "denominator": "TEN_THOUSAND"}
    ratio = extension(
        "envoy.tracers.opentelemetry.samplers.trace_id_ratio_based",
        f"{_SAMPLERS}.TraceIdRatioBasedSamplerConfig",
        {"sampling_percentage": share},
    )
    return extension(
        "envoy.tracers.opentelemetry.samplers.parent_based",
        f"{_SAMPLERS}.ParentBasedSamplerConfig",
        {"wrapped_sampler": ratio},
    )


def _logger(values: dict[str, str], labels: dict[str, str], *, only: Json, unit: str = "Unspecified") -> Json:
    tags = [{"name": name, "value_format": value} for name, value in labels.items()]
    histograms = [
        {"stat": {"name": name, "tags": tags}, "unit": unit, "value_format": value} for name, value in values.items()
    ]
    scope = {"prefix": SCOPE, "max_histograms": SERIES, "enable_eviction": True}
    logger = extension(
        "stats",
        "envoy.extensions.access_loggers.stats.v3.Config",
        {"stats_scope": scope, "histograms": histograms},
    )
    return {**logger, "filter": only}
