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


def attempts() -> list[Json]:
    """Count attempts as their router ends them: `envoy_fairlead_attempt_*`.

    Without consumer and without eviction: whoever judges a target or an arm reads totals that only grow. `flags` tells
    a refused connection (`UF`) from an attempt that was given up (`UT`) or cut (`UC`, `UR`); `code` is 0 without an
    answer.
    """
    tags = _tags({"arm": "%UPSTREAM_CLUSTER%", "target": logs.ATTEMPT_TARGET})
    outcome = _tags({"code": logs.STATUS, "flags": "%RESPONSE_FLAGS%"})
    counts = {"stat": {"name": "total", "tags": [*tags, *outcome]}, "value_fixed": 1}
    first_byte = _histogram("first_byte_ms", tags, logs.FIRST_BYTE_MS)
    return [
        _logger("fairlead_attempt", [counts], [], only=logs.NOT_COPIES, evicted=False),
        _logger("fairlead_attempt", [], [first_byte], only=logs.all_of(logs.NOT_COPIES, *logs.WELL), evicted=False),
    ]


def _tags(labels: dict[str, str]) -> list[Json]:
    return [{"name": name, "value_format": value} for name, value in labels.items()]


def _who() -> dict[str, str]:
    # Never the model that the client asked for: each unknown name would be a series.
    return {"target": logs.TARGET, "region": logs.REGION, "model": logs.TARGET_MODEL}


def _loggers(prefix: str, labels: dict[str, str], *, every: Json, served: Json) -> list[Json]:
    """Count every request, and the tokens and first bytes of those that have some: Envoy complains of the others."""
    tags = _tags(labels)
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


def _logger(prefix: str, counters: list[Json], histograms: list[Json], *, only: Json, evicted: bool = True) -> Json:
    scope = {"prefix": prefix, "max_counters": SERIES, "max_histograms": SERIES, "enable_eviction": evicted}
    logger = extension(
        "stats",
        "envoy.extensions.access_loggers.stats.v3.Config",
        {"stats_scope": scope, "counters": counters, "histograms": histograms},
    )
    return {**logger, "filter": only} if only else logger
