"""The access log: one JSON line per request, per attempt and per shadow.

Never in it: prompts, keys, credentials, query strings, headers that a client chose freely.
"""

import json

from fairlead.envoy import names
from fairlead.envoy.protobuf import Json, extension

_NAMESPACE = names.METADATA_NAMESPACE


def _coalesce(*operators: tuple[str, str]) -> str:
    """Take the first of the operators that has a value."""
    listed = [{"command": command, "param": param} for command, param in operators]
    return f"%COALESCE({json.dumps({'operators': listed}, separators=(',', ':'))})%"


def of_host(key: str) -> str:
    """Read the metadata of the host that an attempt went to."""
    return f"%UPSTREAM_METADATA({_NAMESPACE}:{key})%"


def of_request(key: str) -> str:
    """Read what the request filter found out."""
    return f"%DYNAMIC_METADATA({_NAMESPACE}:{key})%"


TARGET = _coalesce(
    ("UPSTREAM_METADATA", f"{_NAMESPACE}:{names.TARGET_KEY}"), ("DYNAMIC_METADATA", f"{_NAMESPACE}:{names.TARGET_KEY}")
)
"""Who answered. A last resort's host does not know its model: there the upstream filter says it."""
REGION = of_host(names.REGION_KEY)

USAGE = 'metadata.typed_filter_metadata["envoy.ai.token_usage"]'
"""The record of ai_protocol_manager. It is typed metadata, so nothing but CEL reads it."""

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
        **_answer(region),
        "kind": "request",
        "consumer": of_request(names.CONSUMER_KEY),
        "route": "%ROUTE_NAME%",
        "model": of_request(names.MODEL_KEY),
        "stream": of_request(names.STREAM_KEY),
        "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
        **_tokens(),
    }


def attempt_line(region: str) -> Json:
    """Fields of the line that ends one attempt."""
    return {
        **_answer(region),
        "kind": "attempt",
        "route": "%ROUTE_NAME%",
        "attempt": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    }


def shadow_line(region: str) -> Json:
    """Fields of the line that ends a shadow, which no client waits for."""
    return {
        **_answer(region),
        "kind": "shadow",
        "consumer": of_request(names.CONSUMER_KEY),
        "route": of_request(names.ROUTE_KEY),
        "model": of_request(names.MODEL_KEY),
        "stream": of_request(names.STREAM_KEY),
        **_tokens(),
    }


def _answer(region: str) -> Json:
    return {
        "ts": "%START_TIME%",
        "request_id": "%REQ(x-request-id)%",
        "gateway_region": region,
        "target": TARGET,
        "provider": of_host(names.PROVIDER_KEY),
        "region": REGION,
        "model_sent": of_host(names.WIRE_KEY),
        "status": "%RESPONSE_CODE%",
        "flags": "%RESPONSE_FLAGS%",
        "details": "%RESPONSE_CODE_DETAILS%",
        "latency_ms": "%DURATION%",
        "first_byte_ms": "%RESPONSE_DURATION%",
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
