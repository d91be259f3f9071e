"""The access log: one JSON line per request, per attempt and per shadow, and the values that its fields have.

Never in it: prompts, keys, credentials, query strings, or anything else that a client writes freely, but for the model
name that it asks for, as a word (`ir.word`).

Most lines are texts, because Envoy takes four times as long for an object, and a text escapes nothing. So a text holds
only what needs no escapes: numbers, names out of the configuration (no grammar there has a quote or a backslash, and
names of models are words), the model asked for, Envoy's own request id and its own words. What a provider writes goes
through `_plain`.
"""

import json
from collections.abc import Mapping

from fairlead.envoy import errors, names
from fairlead.envoy.protobuf import Json, extension

_NAMESPACE = names.METADATA_NAMESPACE


def of_host(key: str) -> str:
    """Read the metadata of the host that an attempt went to."""
    return f"%UPSTREAM_METADATA({_NAMESPACE}:{key})%"


def of_request(key: str) -> str:
    """Read what the request filter found out."""
    return f"%DYNAMIC_METADATA({_NAMESPACE}:{key})%"


def literal(text: str) -> str:
    """Write a text that a format is to give as it is."""
    return text.replace("%", "%%")


def first_of(*operators: tuple[str, str]) -> str:
    """Take the first of these operators (command, parameter) that has a value."""
    listed = [{"command": command, "param": parameter} if parameter else command for command, parameter in operators]
    return f"%COALESCE({json.dumps({'operators': listed}, separators=(',', ':'))})%"


def _of_host_or_last_resort(key: str, last_key: str) -> str:
    """Read the host's metadata; a last resort's host knows no model, there the upstream filter has written it down."""
    return first_of(("UPSTREAM_METADATA", f"{_NAMESPACE}:{key}"), ("DYNAMIC_METADATA", f"{_NAMESPACE}:{last_key}"))


CONSUMER = of_request(names.CONSUMER_KEY)
MODEL_ASKED = of_request(names.MODEL_KEY)
STREAM = of_request(names.STREAM_KEY)
ROUTE = "%ROUTE_NAME%"
SHADOW_ROUTE = of_request(names.ROUTE_KEY)
TARGET = _of_host_or_last_resort(names.TARGET_KEY, names.LAST_TARGET_KEY)
TARGET_MODEL = _of_host_or_last_resort(names.MODEL_KEY, names.LAST_MODEL_KEY)
MODEL_SENT = _of_host_or_last_resort(names.WIRE_KEY, names.LAST_WIRE_KEY)
PROVIDER = _of_host_or_last_resort(names.PROVIDER_KEY, names.LAST_PROVIDER_KEY)
REGION = _of_host_or_last_resort(names.REGION_KEY, names.LAST_REGION_KEY)
MADE = first_of(("UPSTREAM_METADATA", f"{_NAMESPACE}:{names.MADE_KEY}"), ("RESP", names.MADE_HEADER))
"""What made an answer; a host that is a hop does not know, and what stands behind it has said so."""
ATTEMPTS = "%UPSTREAM_REQUEST_ATTEMPT_COUNT%"
ALL_ATTEMPTS = first_of(
    ("DYNAMIC_METADATA", f"{_NAMESPACE}:{names.ATTEMPTS_KEY}"), ("UPSTREAM_REQUEST_ATTEMPT_COUNT", "")
)
"""Of a request: on a cascade those of all models together."""
STATUS = "%RESPONSE_CODE%"
LATENCY_MS = "%DURATION%"
SENT_BY_ATTEMPTS = "%UPSTREAM_WIRE_BYTES_SENT%"
"""Bytes that went out to providers, over all attempts of a request so far: none for a connection that was refused."""
FIRST_BYTE_MS = "%RESPONSE_DURATION%"
_TOKENS = {"prompt_tokens": "input", "completion_tokens": "output", "cached_tokens": "cached"}
_USAGE_FIELDS = {**_TOKENS, "usage_status": "status", "model_served": "model"}
"""Fields of a line, and what they are in the token filter's metadata."""


def _of_usage(key: str) -> str:
    return f"{_NAMESPACE}:{names.USAGE_KEY}:{key}"


USAGE_WORDS = f"%DYNAMIC_METADATA({_of_usage('report')})%"
"""What a report says of usage; `-` without any."""
NO_USAGE = '"prompt_tokens":null,"completion_tokens":null,"cached_tokens":null,"usage_status":null,"model_served":""'

_CONSTANTS = {"none": "null", "no_attempt": '"attempt":null', "no_usage": NO_USAGE, "zero": 0, "bypass": "bypass"}
LISTENER_METADATA: Json = {"filter_metadata": {_NAMESPACE: _CONSTANTS}}
"""Of listeners that log: what stands for what there is not. A format knows no constants of its own."""
_NONE, _NO_ATTEMPT, _NO_USAGE, ZERO, _BYPASS = (("METADATA", f"LISTENER:{_NAMESPACE}:{key}") for key in _CONSTANTS)

CASCADE = first_of(("DYNAMIC_METADATA", f"{_NAMESPACE}:{names.CASCADE_KEY}"), _BYPASS)
"""What became of each model that a cascade asked; where none was asked, that no cascade applies."""
ATTEMPT_TARGET = first_of(("UPSTREAM_METADATA", f"{_NAMESPACE}:{names.TARGET_KEY}"), ("REQ", names.LAST_TARGET_HEADER))
"""An attempt's target, as its router's log knows it."""
ATTEMPT_MEMBERS = f'"attempt":{ATTEMPTS},"consumer":"{CONSUMER}","model":"{MODEL_ASKED}","stream":{STREAM}'
"""What only filters know: a router's upstream log sees neither dynamic metadata nor the count of attempts. The upstream
filter leaves these members of the line in a header that is not sent."""

USAGE_MEMBERS = first_of(("DYNAMIC_METADATA", _of_usage("log")), _NO_USAGE)
"""The token filter's members of a line."""

_ANSWERED: Json = {
    # The request filter lets only those go on that have a way; what the gateway answers by itself has none.
    "filter": _NAMESPACE,
    "path": [{"key": names.WAY_KEY}],
}


def _status(op: str, status: int) -> Json:
    value = {"default_value": status, "runtime_key": errors.NEVER}
    return {"status_code_filter": {"comparison": {"op": op, "value": value}}}


def _without(header: str) -> Json:
    return {"header_filter": {"header": {"name": header, "present_match": True, "invert_match": True}}}


WELL = (_status("GE", 200), _status("LE", 299))
_ILL: Json = {"or_filter": {"filters": [_status("LE", 199), _status("GE", 300)]}}
SERVED: Json = {
    "and_filter": {
        "filters": [
            *WELL,
            _without(names.PROBE_HEADER),
            {
                "metadata_filter": {
                    "matcher": {**_ANSWERED, "value": {"present_match": True}},
                    "match_if_key_not_found": False,
                }
            },
        ]
    }
}
"""A provider answered well: all fields have values, and none needs an escape."""
SERVED_STREAMS: Json = {
    "and_filter": {
        "filters": [
            SERVED,
            {
                "metadata_filter": {
                    "matcher": {
                        "filter": _NAMESPACE,
                        "path": [{"key": names.STREAM_KEY}],
                        "value": {"bool_match": True},
                    },
                    "match_if_key_not_found": False,
                }
            },
        ]
    }
}
"""Those of them that are streams."""
NOT_SERVED: Json = {
    "and_filter": {
        "filters": [
            {"not_health_check_filter": {}},
            {
                "or_filter": {
                    "filters": [
                        _ILL,
                        {
                            "metadata_filter": {
                                "matcher": {**_ANSWERED, "value": {"string_match": {"exact": ""}}},
                                "match_if_key_not_found": True,
                            }
                        },
                    ]
                }
            },
        ]
    }
}
"""The others, probes left out."""
_HIT: Json = {"filter": _NAMESPACE, "path": [{"key": names.HIT_KEY}]}
HIT: Json = {
    "metadata_filter": {"matcher": {**_HIT, "value": {"present_match": True}}, "match_if_key_not_found": False}
}
"""The answer had been kept: nobody was asked."""
NOT_HIT: Json = {"metadata_filter": {"matcher": {**_HIT, "value": {"null_match": {}}}, "match_if_key_not_found": True}}
NOT_PROBES: Json = {"not_health_check_filter": {}}
NOT_COPIES: Json = {
    "and_filter": {
        "filters": [
            _without(names.SHADOW_ROUTE_HEADER),
            _without(names.PROBE_HEADER),
            _without(names.RUNG_HEADER),
        ]
    }
}
"""The router that makes a copy for a shadow logs it too, without tokens; behind the hop it has a line of its own. So
have the attempts of a cascade's models. Probes with a credential have none."""
_STREAM_MEMBER = '"stream":true'
STREAMED: Json = {
    "or_filter": {
        "filters": [
            {"header_filter": {"header": {"name": name, "string_match": {"contains": _STREAM_MEMBER}}}}
            for name in (names.ATTEMPT_HEADER, names.HOP_ATTEMPT_HEADER)
        ]
    }
}
"""Attempts of requests for a stream, by `ATTEMPT_MEMBERS` that the upstream filter left; for an attempt's log."""


RULED = {"rule": of_request(names.RULE_KEY), "asked_route": of_request(names.RULED_KEY)}
"""Further fields of a request's line, where a gateway has rules: the rule that applied, and whose it is."""
CLASSIFIED = {"category": of_request(names.CATEGORY_KEY), "classified": of_request(names.CLASSIFIED_KEY)}
"""The same where it has a classifier: the category, and how it was found, or why there is none."""

REFUSED = {"refused": f"%DYNAMIC_METADATA({names.RATE_LIMIT_FILTER}:{names.REFUSED_KEY})%"}
"""The same where a consumer has a limit in flight: why the budget server refused a request, if not for dollars."""


def request_loggers(path: str, region: str, more: Mapping[str, str] | None = None, *, kept: bool = False) -> list[Json]:
    """Log the end of a client's request: a text when it went well, else an object with the same fields.

    `more` are further fields, whose values need no escapes. `kept`: some answers may have been kept, and nobody was
    asked for those.
    """
    fields = {
        **(more or {}),
        **_answer(region, "request"),
        "consumer": CONSUMER,
        "route": ROUTE,
        "model": MODEL_ASKED,
        "stream": STREAM,
        "attempts": ALL_ATTEMPTS,
        "details": "%RESPONSE_CODE_DETAILS%",
    }
    if not kept:
        return [
            _text_logger(path, fields, only=SERVED, members=USAGE_MEMBERS),
            _json_logger(path, {**fields, **_usage()}, only=NOT_SERVED),
        ]
    fields["cache"] = of_request(names.CACHE_KEY)
    return [
        _text_logger(path, fields, only=all_of(NOT_HIT, SERVED), members=USAGE_MEMBERS),
        *(_json_logger(path, {**fields, **_usage()}, only=only) for only in (NOT_SERVED, HIT)),
    ]


def attempt_loggers(path: str, region: str) -> list[Json]:
    """Log the end of an attempt; tokens are the request's, when it is the one that served.

    `first_byte_ms` and what the upstream filter has left are absent where an attempt did not get so far. `details` of a
    failure may hold what a provider wrote: the names in its certificate, when they are not the endpoint's.
    """
    fields = {
        **_answer(region, "attempt"),
        "target": ATTEMPT_TARGET,
        "model_sent": first_of(
            ("UPSTREAM_METADATA", f"{_NAMESPACE}:{names.WIRE_KEY}"), ("REQ", names.LAST_WIRE_HEADER)
        ),
        "route": ROUTE,
        "first_byte_ms": first_of(("RESPONSE_DURATION", ""), _NONE),
        "bytes_in": "%BYTES_SENT%",  # seen from the provider's side of the gateway
        "bytes_out": "%BYTES_RECEIVED%",
        "details": "",
    }
    made = first_of(("REQ", f"{names.ATTEMPT_HEADER}?{names.HOP_ATTEMPT_HEADER}"), _NO_ATTEMPT)
    failed = {**fields, "details": _plain("upstream.transport_failure_reason")}
    return [
        _text_logger(path, fields, only=all_of(NOT_COPIES, *WELL), members=made),
        _text_logger(path, failed, only=all_of(NOT_COPIES, _ILL), members=made),
    ]


def shadow_loggers(path: str, region: str) -> list[Json]:
    """Log the end of a shadow, which no client waits for."""
    fields = {
        **_answer(region, "shadow"),
        "consumer": CONSUMER,
        "route": SHADOW_ROUTE,
        "model": MODEL_ASKED,
        "stream": STREAM,
        "details": "%RESPONSE_CODE_DETAILS%",
    }
    return [
        _text_logger(path, fields, only=SERVED, members=USAGE_MEMBERS),
        _json_logger(path, {**fields, **_usage()}, only=NOT_SERVED),
    ]


def metadata_filter(*path: str, value: Json) -> Json:
    """Make an access log's filter on what the filters of a request found out."""
    matcher = {"filter": _NAMESPACE, "path": [{"key": key} for key in path], "value": value}
    return {"metadata_filter": {"matcher": matcher, "match_if_key_not_found": False}}


COMPLETE = metadata_filter(names.USAGE_KEY, "status", value={"double_match": {"exact": 1}})
"""The provider counted both sides."""
METERED: Mapping[str, Json] = {
    "requests": {"value_fixed": 1},
    **{f"{key}_tokens": {"value_format": f"%DYNAMIC_METADATA({_of_usage(key)})%"} for key in _TOKENS.values()},
}
"""Counters of what was counted completely, by name."""


UNITS = f"%DYNAMIC_METADATA({_of_usage('units')})%"
UNIT = f"%DYNAMIC_METADATA({_of_usage('unit')})%"
"""What was counted of an answer by another unit than tokens, where `COUNTED_APART`."""
COUNTED_APART = metadata_filter(names.USAGE_KEY, "unit", value={"present_match": True})


def token_counts(place: str = f"{_NAMESPACE}:{names.USAGE_KEY}") -> dict[str, str]:
    """Read the tokens by name; 0 where there is no usage. `place`: of the dynamic metadata that has them."""
    return {name: first_of(("DYNAMIC_METADATA", f"{place}:{key}"), ZERO) for name, key in _TOKENS.items()}


def _json_logger(path: str, fields: Json, *, only: Json) -> Json:
    return _logger(path, {"json_format": fields}, only=only)


def _text_logger(path: str, fields: Json, *, only: Json, members: str = "") -> Json:
    """Make a logger whose text is a JSON object: strings in quotes, numbers as they are."""
    quoted = {name: value if name in _BARE else f'"{value}"' for name, value in fields.items()}
    written = [f'"{name}":{value}' for name, value in quoted.items()]
    text = "{" + ",".join([*written, *([members] if members else [])]) + "}\n"
    return _logger(path, {"text_format_source": {"inline_string": text}}, only=only)


def _logger(path: str, log_format: Json, *, only: Json) -> Json:
    logger = extension(
        "file", "envoy.extensions.access_loggers.file.v3.FileAccessLog", {"path": path, "log_format": log_format}
    )
    return {**logger, "filter": only} if only else logger


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


_BARE = frozenset(
    (
        "attempts",
        "bytes_in",
        "bytes_out",
        "first_byte_ms",
        "latency_ms",
        "status",
        "stream",
    )
)
"""Fields that are no strings."""


def all_of(*conditions: Json) -> Json:
    """Join an access log's filters."""
    return {"and_filter": {"filters": list(conditions)}}


def _plain(expression: str) -> str:
    """Take the string when it is of ASCII letters, digits and signs, but for quote and backslash; else nothing."""
    return f"%CEL({expression}.matches('^[ !#-Z^-~\\\\]]*$') ? {expression} : '')%"


def _usage() -> Json:
    return {name: f"%DYNAMIC_METADATA({_of_usage(key)})%" for name, key in _USAGE_FIELDS.items()}
