"""Prometheus series of what requests cost and how long they take, by consumer, route, target, region and model."""

from fairlead.envoy import logs, names
from fairlead.envoy.protobuf import Json, extension
from fairlead.ir import Gateway, ModelKind

SERIES = 5000
"""Counters, and as many histograms, at most; those that nobody used for an interval make room."""

_FLAGS = "%RESPONSE_FLAGS%"
_APART = frozenset({ModelKind.IMAGE, ModelKind.AUDIO, ModelKind.SPEECH, ModelKind.TRANSCRIPTION, ModelKind.RERANK})
"""Kinds that may be billed by other units than tokens."""


def _tags(labels: dict[str, str]) -> list[Json]:
    return [{"name": name, "value_format": value} for name, value in labels.items()]


_OUTCOME = _tags({"code": logs.STATUS, "flags": _FLAGS})


def requests() -> list[Json]:
    """Count clients' requests: `envoy_fairlead_*`."""
    labels = {"consumer": logs.CONSUMER, "route": logs.ROUTE, **_who()}
    return _loggers("fairlead", labels, every=logs.NOT_PROBES, served=logs.SERVED)


def shadows() -> list[Json]:
    """Count shadows: `envoy_fairlead_shadow_*`."""
    labels = {"consumer": logs.CONSUMER, "route": logs.SHADOW_ROUTE, **_who()}
    return _loggers("fairlead_shadow", labels, every={}, served=logs.SERVED)


def rules(gateway: Gateway) -> list[Json]:
    """Count requests for routes with rules by the rule that applied, or `none`: `envoy_fairlead_rule_requests`."""
    if not any(route.rules for route in gateway.routes):
        return []
    tags = _tags({"route": logs.of_request(names.RULED_KEY), "rule": logs.of_request(names.RULE_KEY)})
    counts = {"stat": {"name": "requests", "tags": tags}, "value_fixed": 1}
    only = logs.metadata_filter(names.RULE_KEY, value={"present_match": True})
    return [_logger("fairlead_rule", [counts], [], only=only)]


def categories(gateway: Gateway) -> list[Json]:
    """Count requests for whose rule a category was needed: `envoy_fairlead_classified_requests`.

    `reason` says how it was found (`asked`, `remembered`), or why there is none.
    """
    if not any(route.classifier for route in gateway.routes):
        return []
    keys = {"route": names.RULED_KEY, "category": names.CATEGORY_KEY, "reason": names.CLASSIFIED_KEY}
    tags = _tags({label: logs.of_request(key) for label, key in keys.items()})
    counts = {"stat": {"name": "requests", "tags": tags}, "value_fixed": 1}
    only = logs.metadata_filter(names.CLASSIFIED_KEY, value={"present_match": True})
    return [_logger("fairlead_classified", [counts], [], only=only)]


def questions() -> list[Json]:
    """Count questions to classifiers' routes: `envoy_fairlead_classifier_*`; clients' requests are none of them."""
    labels = {"consumer": logs.CONSUMER, "route": logs.ROUTE, **_who()}
    return _loggers("fairlead_classifier", labels, every={}, served=logs.SERVED)


def units(gateway: Gateway) -> list[Json]:
    """Count what answers have of other units than tokens, and those answers: `envoy_fairlead_units`, `_unit_answers`.

    By `unit`: `image`, `millisecond` of audio, `character`, `search`.
    """
    if not any(plan.kind in _APART for route in gateway.routes for plan in route.plans):
        return []
    who = {"consumer": logs.CONSUMER, "route": logs.ROUTE, "target": logs.TARGET, "unit": logs.UNIT}
    counters: list[Json] = [
        {"stat": {"name": "units", "tags": _tags(who)}, "value_format": logs.UNITS},
        {"stat": {"name": "unit_answers", "tags": _tags(who)}, "value_fixed": 1},
    ]
    return [_logger("fairlead", counters, [], only=logs.all_of(logs.SERVED, logs.COUNTED_APART))]


def attempts() -> list[Json]:
    """Count attempts as their router ends them: `envoy_fairlead_attempt_*`.

    Without consumer and without eviction: whoever judges a target or an arm reads totals that only grow. `flags` tells
    a refused connection (`UF`) from an attempt that was given up (`UT`) or cut (`UC`, `UR`); `code` is 0 without an
    answer. `first_byte_ms` is of streams, until their response headers.
    """
    tags = _tags({"arm": "%UPSTREAM_CLUSTER%", "target": logs.ATTEMPT_TARGET})
    counts = {"stat": {"name": "total", "tags": [*tags, *_OUTCOME]}, "value_fixed": 1}
    # Of an answer in one piece the first byte comes with the last: its time is the answer's length, not the provider's.
    first_byte = _histogram("first_byte_ms", tags, logs.FIRST_BYTE_MS)
    streams = logs.all_of(logs.NOT_COPIES, *logs.WELL, logs.STREAMED)
    return [
        _logger("fairlead_attempt", [counts], [], only=logs.NOT_COPIES, evicted=False),
        _logger("fairlead_attempt", [], [first_byte], only=streams, evicted=False),
    ]


def answers() -> list[Json]:
    """Count what only a request's log knows of the attempt that answered: `envoy_fairlead_attempt_*`, as `attempts`."""
    return _answers("fairlead_attempt", {"arm": "%UPSTREAM_CLUSTER%", "target": logs.TARGET})


def copies() -> list[Json]:
    """Count shadows' copies as attempts are counted, and as their answers: `envoy_fairlead_copy_*`."""
    labels = {"route": logs.SHADOW_ROUTE, "target": logs.TARGET}
    counts = {"stat": {"name": "total", "tags": [*_tags(labels), *_OUTCOME]}, "value_fixed": 1}
    first_byte = _histogram("first_byte_ms", _tags(labels), logs.FIRST_BYTE_MS)
    streams = logs.all_of(*logs.WELL, logs.metadata_filter(names.STREAM_KEY, value={"string_match": {"exact": "true"}}))
    return [
        _logger("fairlead_copy", [counts], [], only={}, evicted=False),
        _logger("fairlead_copy", [], [first_byte], only=streams, evicted=False),
        *_answers("fairlead_copy", labels),
    ]


def verdicts() -> list[Json]:
    """Count what cascades said of models' answers, behind their hop, and the tokens of those that were rejected.

    `envoy_fairlead_cascade_verdicts`, by `verdict`: `accepted`, `unjudged`, `large`, a check, or a status.
    """
    tags = _tags({"route": "%ROUTE_NAME%", "target": logs.TARGET, "verdict": logs.of_request(names.VERDICT_KEY)})
    counts = {"stat": {"name": "verdicts", "tags": tags}, "value_fixed": 1}
    judged = logs.metadata_filter(names.VERDICT_KEY, value={"present_match": True})
    of_attempts = {"arm": "%UPSTREAM_CLUSTER%", "target": logs.TARGET}
    return [
        _logger("fairlead_cascade", [counts], [], only=judged, evicted=False),
        *_answers("fairlead_attempt", of_attempts, only=REJECTED),
    ]


REJECTED = logs.metadata_filter(names.REJECTED_KEY, value={"present_match": True})
"""Answers of which their request's log does not know: another model's went to the client."""


def _answers(prefix: str, labels: dict[str, str], *, only: Json = logs.SERVED) -> list[Json]:
    """Count tokens, why answers ended, and streams that began with an error or had nothing in them.

    `finished` is of answers that went well; its `reason` is empty where an answer does not say that it has ended, its
    `flags` are not `-` where the client left. `broken` streams are counted as a 200 by `total`, and here as `finished`.
    """
    tags = _tags(labels)
    ended = _tags({"reason": logs.of_request(names.FINISH_KEY), "flags": _FLAGS})
    finished = {"stat": {"name": "finished", "tags": [*tags, *ended]}, "value_fixed": 1}
    broken = {"stat": {"name": "broken", "tags": tags}, "value_fixed": 1}
    begun = logs.metadata_filter(names.BROKEN_KEY, value={"present_match": True})
    return [
        _logger(prefix, [finished, *_tokens(tags)], [], only=only, evicted=False),
        *([_logger(prefix, [broken], [], only=begun, evicted=False)] if only is logs.SERVED else []),
    ]


def _tokens(tags: list[Json]) -> list[Json]:
    return [
        {"stat": {"name": name, "tags": tags}, "value_format": value} for name, value in logs.token_counts().items()
    ]


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
            _tokens(tags),
            [_histogram("first_byte_ms", tags, logs.FIRST_BYTE_MS)],
            only=served,
        ),
    ]


def logger(prefix: str, counters: list[Json], *, only: Json) -> Json:
    """Make an access logger that counts requests."""
    return _logger(prefix, counters, [], only=only)


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
