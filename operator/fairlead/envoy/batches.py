"""Reports in batches: of requests under a lease whose answers were counted.

A lease (`lua/request/leases.lua`) is room for a caller's next requests, so these are not checked one by one. Nor is
each reported by a call: Envoy's OpenTelemetry logger sends the words of their reports, many at a time. A batch that is
lost is found in the counters that reconciliation reads, because only what these count is sent so; every other report is
the filter's call (`budgets`). One mark of the token filter decides between the two, so each request is reported once.

Measured with Envoy 1.40: without retries 409 of 1,700 entries were lost while the server was away for a second, with
`retry_policy` beside `envoy_grpc` none (inside it the policy does nothing). A server that hangs is waited for, each
batch for as long as `_retry` says; more than `MOST_UNDER_WAY` batches are dropped, and counted (`logs_dropped`).
"""

from fairlead.envoy import logs, names
from fairlead.envoy.protobuf import Json, duration, extension

FLUSH_MS = 100
"""How long an entry waits for others."""
LARGEST = 32 << 10
"""Bytes of a batch: of about a hundred entries."""
MOST_UNDER_WAY = 512
"""Batches: 16 MiB of them at most, whatever becomes of the server."""
_RETRIES = 4
_FIRST_RETRY_MS = 250
_LONGEST_TRY_MS = 1_000


def _of_lease(key: str) -> tuple[str, str]:
    return "DYNAMIC_METADATA", f"{names.LEASE_NAMESPACE}:{key}"


BACK = logs.first_of(_of_lease(names.BACK_KEY), _of_lease(names.UNLEARNED_KEY))
"""The word of a report that gives back what is left of leases."""
HITS = logs.first_of(_of_lease(names.BATCHED_KEY), logs.ZERO)
"""The hits of the filter's report. The mark is no number: Envoy drops a report with such hits."""


def logger(words: str) -> Json:
    """Make the logger that sends these words of each request with the mark."""
    made = extension(
        "reports",
        "envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig",
        {
            # Deprecated, and the only place where 1.40 reads how much is buffered for gRPC.
            "common_config": {
                "log_name": "reports",
                "transport_api_version": "V3",
                "grpc_service": {"envoy_grpc": {"cluster_name": names.BATCHES_CLUSTER}, "retry_policy": _retry()},
                "buffer_flush_interval": duration(FLUSH_MS),
                "buffer_size_bytes": LARGEST,
            },
            "disable_builtin_labels": True,
            "body": {"string_value": words},
        },
    )
    mark = {"filter": names.LEASE_NAMESPACE, "path": [{"key": names.BATCHED_KEY}], "value": {"present_match": True}}
    return {**made, "filter": {"metadata_filter": {"matcher": mark, "match_if_key_not_found": False}}}


def _retry() -> Json:
    """Make the retries of a batch: a report that comes twice is booked once.

    Not for longer than 8 s in all, nor 3 s where nobody listens: reconciliation takes for lost what two readings miss,
    7 s apart, and a report that came after would be booked beside that. Envoy takes `max_interval` for the longest that
    one try may last as well (`budgets`).
    """
    return {
        "retry_on": "unavailable,connect-failure,reset,refused-stream,cancelled,deadline-exceeded",
        "num_retries": _RETRIES,
        "retry_back_off": {"base_interval": duration(_FIRST_RETRY_MS), "max_interval": duration(_LONGEST_TRY_MS)},
    }
