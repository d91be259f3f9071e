"""Prometheus series of what requests cost and how long they take, by consumer, route, target, region and model."""

from fairlead.envoy import logs
from fairlead.envoy.protobuf import Json, extension

SERIES = 5000
"""Counters, and as many histograms, at most; those that nobody used for an interval make room."""


def requests() -> list[Json]:
    """Count clients' requests: `envoy_fairlead_*`."""
    labels = {"consumer": logs.CONSUMER, "route": logs.ROUTE, **_who()}
    return _loggers("fairlead", labels, every=logs.NOT_PROBES, served=logs.SERVED)


def shadows() -> list[Json]:
    """Count shadows: `envoy_fairlead_shadow_*`."""
    labels = {"consumer": logs.CONSUMER, "route": logs.SHADOW_ROUTE, **_who()}
    return _loggers("fairlead_shadow", labels, every={}, served=logs.SERVED)


def _who() -> dict[str, str]:
    # Never the model that the client asked for: each unknown name would be a series.
    return {"target": logs.TARGET, "region": logs.REGION, "model": logs.TARGET_MODEL}


def _loggers(prefix: str, labels: dict[str, str], *, every: Json, served: Json) -> list[Json]:
    """Count every request, and the tokens and first bytes of those that have some: Envoy complains of the others."""
    tags = [{"name": name, "value_format": value} for name, value in labels.items()]
    code = {"name": "code", "value_format": logs.STATUS}
    counts = {"stat": {"name": "requests", "tags": [*tags, code]}, "value_fixed": 1}
    return [
        _logger(prefix, [counts], [_histogram("latency_ms", tags, logs.LATENCY_MS)], only=every),
        _logger(
            prefix,
            [
                {"stat": {"name": name, "tags": tags}, "value_format": value}
                for name, value in logs.token_counts().items()
            ],
            [_histogram("first_byte_ms", tags, logs.FIRST_BYTE_MS)],
            only=served,
        ),
    ]


def _histogram(name: str, tags: list[Json], value: str) -> Json:
    return {"stat": {"name": name, "tags": tags}, "unit": "Milliseconds", "value_format": value}


def _logger(prefix: str, counters: list[Json], histograms: list[Json], *, only: Json) -> Json:
    scope = {"prefix": prefix, "max_counters": SERIES, "max_histograms": SERIES, "enable_eviction": True}
    logger = extension(
        "stats",
        "envoy.extensions.access_loggers.stats.v3.Config",
        {"stats_scope": scope, "counters": counters, "histograms": histograms},
    )
    return {**logger, "filter": only} if only else logger
