"""Prometheus series of what requests cost and how long they take, by consumer, route, target, region and model."""

from fairlead.envoy import logs
from fairlead.envoy.protobuf import Json, extension

SERIES = 5000
"""Counters, and as many histograms, at most; those that nobody used for an interval make room."""


def requests() -> Json:
    """Count clients' requests: `envoy_fairlead_*`."""
    return _logger("fairlead", {"consumer": logs.CONSUMER, "route": logs.ROUTE, **_who()}, only=logs.NOT_PROBES)


def shadows() -> Json:
    """Count shadows: `envoy_fairlead_shadow_*`."""
    return _logger("fairlead_shadow", {"consumer": logs.CONSUMER, "route": logs.SHADOW_ROUTE, **_who()}, only={})


def _who() -> dict[str, str]:
    # Never the model that the client asked for: each unknown name would be a series.
    return {"target": logs.TARGET, "region": logs.REGION, "model": logs.TARGET_MODEL}


def _logger(prefix: str, labels: dict[str, str], *, only: Json) -> Json:
    tags = [{"name": name, "value_format": value} for name, value in labels.items()]
    code = {"name": "code", "value_format": logs.STATUS}
    tokens = {
        "prompt_tokens": logs.PROMPT_TOKENS,
        "completion_tokens": logs.COMPLETION_TOKENS,
        "cached_tokens": logs.CACHED_TOKENS,
    }
    times = {"latency_ms": logs.LATENCY_MS, "first_byte_ms": logs.FIRST_BYTE_MS}
    logger = extension(
        "stats",
        "envoy.extensions.access_loggers.stats.v3.Config",
        {
            "stats_scope": {
                "prefix": prefix,
                "max_counters": SERIES,
                "max_histograms": SERIES,
                "enable_eviction": True,
            },
            "counters": [
                {"stat": {"name": "requests", "tags": [*tags, code]}, "value_fixed": 1},
                *({"stat": {"name": name, "tags": tags}, "value_format": value} for name, value in tokens.items()),
            ],
            "histograms": [
                {"stat": {"name": name, "tags": tags}, "unit": "Milliseconds", "value_format": value}
                for name, value in times.items()
            ],
        },
    )
    return {**logger, "filter": only} if only else logger
