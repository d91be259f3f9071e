"""What OTLP's specification forbids in what a sender exports: for a receiver that takes nothing on trust."""

from collections.abc import Iterator
from typing import Any

from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

TRACE_ID, SPAN_ID = 16, 8
CUMULATIVE = metrics_pb2.AGGREGATION_TEMPORALITY_CUMULATIVE
_KINDS = {trace_pb2.Span.SPAN_KIND_SERVER, trace_pb2.Span.SPAN_KIND_CLIENT}


def complaints_of_traces(request: Any) -> list[str]:
    """Check ids, times, kinds and attributes of spans."""
    found = []
    for resource in request.resource_spans:
        found += _keys(resource.resource.attributes, "resource")
        for span in (span for scope in resource.scope_spans for span in scope.spans):
            found += [f"span {span.name!r}: {what}" for what in _span(span)]
    return found


def _span(span: Any) -> Iterator[str]:
    if len(span.trace_id) != TRACE_ID or not any(span.trace_id):
        yield f"got trace id {span.trace_id.hex()}, want {TRACE_ID} bytes that are not all 0"
    if len(span.span_id) != SPAN_ID or not any(span.span_id):
        yield f"got span id {span.span_id.hex()}, want {SPAN_ID} bytes that are not all 0"
    if span.parent_span_id and len(span.parent_span_id) != SPAN_ID:
        yield f"got parent {span.parent_span_id.hex()}, want {SPAN_ID} bytes or none"
    if not span.name:
        yield "got no name"
    if span.kind not in _KINDS:
        yield f"got kind {span.kind}, want server or client"
    if not 0 < span.start_time_unix_nano <= span.end_time_unix_nano:
        yield f"got times {span.start_time_unix_nano} to {span.end_time_unix_nano}"
    yield from _keys(span.attributes, "attributes")


def complaints_of_metrics(request: Any) -> list[str]:
    """Check histograms: cumulative, times, buckets that add up, attributes."""
    found = []
    for resource in request.resource_metrics:
        found += _keys(resource.resource.attributes, "resource")
        for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
            found += [f"metric {metric.name!r}: {what}" for what in _metric(metric)]
    return found


def _metric(metric: Any) -> Iterator[str]:
    if metric.WhichOneof("data") != "histogram":
        yield f"got {metric.WhichOneof('data')}, want a histogram"
        return
    if metric.histogram.aggregation_temporality != CUMULATIVE:
        yield "got another temporality than cumulative"
    for point in metric.histogram.data_points:
        bounds, counts = list(point.explicit_bounds), list(point.bucket_counts)
        if len(counts) != len(bounds) + 1:
            yield f"got {len(counts)} buckets for {len(bounds)} bounds"
        if bounds != sorted(set(bounds)):
            yield f"got bounds {bounds}, want them to rise"
        if sum(counts) != point.count:
            yield f"got a count of {point.count}, its buckets have {sum(counts)}"
        if not point.start_time_unix_nano <= point.time_unix_nano or not point.time_unix_nano:
            yield f"got times {point.start_time_unix_nano} to {point.time_unix_nano}"
        yield from _keys(point.attributes, "attributes")


def _keys(attributes: Any, where: str) -> Iterator[str]:
    keys = [pair.key for pair in attributes]
    if len(keys) != len(set(keys)):
        yield f"{where}: got a key twice: {sorted(keys)}"
    for pair in attributes:
        if not pair.key or pair.value.WhichOneof("value") is None:
            yield f"{where}: got {pair.key!r} without a value"
