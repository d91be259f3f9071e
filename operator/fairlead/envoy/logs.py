"""The access log: one JSON line per request, per attempt and per shadow, and the values that its fields have.

Never in it: prompts, keys, credentials, query strings, or anything else that a client writes freely, but for the model
name that it asks for, whose grammar the request filter has checked.
"""

import json

from fairlead.envoy import names
from fairlead.envoy.protobuf import Json, extension

_NAMESPACE = names.METADATA_NAMESPACE
USAGE = 'metadata.typed_filter_metadata["envoy.ai.token_usage"]'
"""The record of ai_protocol_manager. It is typed metadata, so nothing but CEL reads it."""


def of_host(key: str) -> str:
    """Read the metadata of the host that an attempt went to."""
    return f"%UPSTREAM_METADATA({_NAMESPACE}:{key})%"


def of_request(key: str) -> str:
    """Read what the request filter found out."""
    return f"%DYNAMIC_METADATA({_NAMESPACE}:{key})%"


def _first_of(*operators: tuple[str, str]) -> str:
    """Take the first of the operators that has a value."""
    listed = [{"command": command, "param": f"{_NAMESPACE}:{key}"} for command, key in operators]
    return f"%COALESCE({json.dumps({'operators': listed}, separators=(',', ':'))})%"


def _of_host_or_last_resort(key: str, last_key: str) -> str:
    """Read the host's metadata; a last resort's host knows no model, there the upstream filter has written it down."""
    return _first_of(("UPSTREAM_METADATA", key), ("DYNAMIC_METADATA", last_key))


ATTEMPTED = _first_of(("UPSTREAM_METADATA", names.TARGET_KEY), ("UPSTREAM_METADATA", names.ENDPOINT_KEY))
"""The target of one attempt; `provider/endpoint` where it was the last resort."""

CONSUMER = of_request(names.CONSUMER_KEY)
MODEL_ASKED = of_request(names.MODEL_KEY)
STREAM = of_request(names.STREAM_KEY)
ROUTE = "%ROUTE_NAME%"
SHADOW_ROUTE = of_request(names.ROUTE_KEY)
TARGET = _of_host_or_last_resort(names.TARGET_KEY, names.LAST_TARGET_KEY)
TARGET_MODEL = _of_host_or_last_resort(names.MODEL_KEY, names.LAST_MODEL_KEY)
MODEL_SENT = _of_host_or_last_resort(names.WIRE_KEY, names.LAST_WIRE_KEY)
PROVIDER = of_host(names.PROVIDER_KEY)
REGION = of_host(names.REGION_KEY)
ATTEMPTS = "%UPSTREAM_REQUEST_ATTEMPT_COUNT%"
STATUS = "%RESPONSE_CODE%"
LATENCY_MS = "%DURATION%"
FIRST_BYTE_MS = "%RESPONSE_DURATION%"
PROMPT_TOKENS = f"%CEL({USAGE}.input_tokens)%"
COMPLETION_TOKENS = f"%CEL({USAGE}.output_tokens)%"
CACHED_TOKENS = f"%CEL({USAGE}.input_token_details.cached_tokens)%"
MODEL_SERVED = f"%CEL({USAGE}.model)%"
USAGE_STATUS = f"%CEL({USAGE}.extraction_status)%"

NOT_PROBES: Json = {"not_health_check_filter": {}}
NOT_COPIES: Json = {
    "header_filter": {"header": {"name": names.SHADOW_ROUTE_HEADER, "present_match": True, "invert_match": True}}
}
"""The router that makes a copy for a shadow logs it too, without tokens; behind the hop it has a line of its own."""


def file_logger(path: str, fields: Json, *, only: Json) -> Json:
    """Make a logger that writes one JSON object per line, for what passes the filter `only`."""
    logger = extension(
        "file",
        "envoy.extensions.access_loggers.file.v3.FileAccessLog",
        {"path": path, "log_format": {"json_format": fields}},
    )
    return {**logger, "filter": only} if only else logger


def request_line(region: str) -> Json:
    """Fields of the line that ends a client's request."""
    return {
        **_answer(region, "request"),
        **_tokens(),
        "consumer": CONSUMER,
        "route": ROUTE,
        "model": MODEL_ASKED,
        "stream": STREAM,
        "attempts": ATTEMPTS,
        "details": "%RESPONSE_CODE_DETAILS%",
    }


def attempt_line(region: str) -> Json:
    """Fields of the line that ends one attempt.

    A router's upstream log sees the chosen host and the route, but neither dynamic metadata nor the count of attempts
    (seen on 1.40: null and 0). So consumer, model asked and tokens stand in the request's line, which has the same
    `request_id`; attempts of one request are written in their order.
    """
    return {
        **_answer(region, "attempt"),
        "target": ATTEMPTED,
        "model_sent": of_host(names.WIRE_KEY),
        "route": ROUTE,
        "bytes_in": "%BYTES_SENT%",  # seen from the provider's side of the gateway
        "bytes_out": "%BYTES_RECEIVED%",
        "details": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
    }


def shadow_line(region: str) -> Json:
    """Fields of the line that ends a shadow, which no client waits for."""
    return {
        **_answer(region, "shadow"),
        **_tokens(),
        "consumer": CONSUMER,
        "route": SHADOW_ROUTE,
        "model": MODEL_ASKED,
        "stream": STREAM,
        "details": "%RESPONSE_CODE_DETAILS%",
    }


def _answer(region: str, kind: str) -> Json:
    return {
        "ts": "%START_TIME%",
        "kind": kind,
        "request_id": "%REQ(x-request-id)%",
        "gateway_region": region,
        "target": TARGET,
        "provider": PROVIDER,
        "region": REGION,
        "model_sent": MODEL_SENT,
        "status": STATUS,
        "flags": "%RESPONSE_FLAGS%",
        "latency_ms": LATENCY_MS,
        "first_byte_ms": FIRST_BYTE_MS,
        "bytes_in": "%BYTES_RECEIVED%",
        "bytes_out": "%BYTES_SENT%",
    }


def _tokens() -> Json:
    return {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": COMPLETION_TOKENS,
        "cached_tokens": CACHED_TOKENS,
        "model_served": MODEL_SERVED,
        "usage_status": USAGE_STATUS,
    }
