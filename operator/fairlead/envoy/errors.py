"""What a client gets when no provider's answer reaches it: OpenAI's error body, one table for all of them."""

import json
from dataclasses import dataclass

from fairlead import statuses
from fairlead.envoy import names, request_filter
from fairlead.envoy.protobuf import Json, extension

OVERWRITE = "OVERWRITE_IF_EXISTS_OR_ADD"
NEVER = "fairlead.never"
"""A runtime key that nobody sets: Envoy demands one beside every status that a filter compares with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiError:
    """One error in OpenAI's words."""

    status: int
    type: str
    code: str
    message: str
    param: str | None = None

    def anthropic(self) -> str:
        """Return the JSON that clients of Anthropic's API read."""
        return _anthropic(self.status, self.message)

    def body(self) -> str:
        """Return the JSON that clients of OpenAI's API read."""
        return json.dumps(
            {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}},
            separators=(",", ":"),
        )


UNAUTHORIZED = ApiError(
    status=401,
    type="invalid_request_error",
    code="invalid_api_key",
    message="No valid API key was provided.",
)
UNKNOWN_URL = ApiError(
    status=404, type="invalid_request_error", code="unknown_url", message="There is nothing at this URL."
)
WRONG_ENDPOINT = ApiError(
    status=404,
    type="invalid_request_error",
    code="unsupported_endpoint",
    message="The model does not answer this endpoint.",
    param="model",
)
NO_ORIGIN = ApiError(
    status=403,
    type="invalid_request_error",
    code="origin_not_allowed",
    message="Pages of this origin may not call this gateway; the installation's `cors.allowOrigins` says whose may.",
)
NO_UPGRADE = ApiError(
    status=426,
    type="invalid_request_error",
    code="upgrade_not_supported",
    message="This gateway speaks HTTP and streams answers by server-sent events; there is no WebSocket here.",
)
REQUEST_TIMEOUT = ApiError(
    status=408, type="invalid_request_error", code="request_timeout", message="The request did not arrive in time."
)
TOO_LARGE = ApiError(
    status=413, type="invalid_request_error", code="request_too_large", message="The request body is too large."
)
HEADERS_TOO_LARGE = ApiError(
    status=431,
    type="invalid_request_error",
    code="headers_too_large",
    message="The headers of the request are too large together (60 KiB), or too many (100).",
)
PROVIDER_REFUSED = {
    status: ApiError(
        status=502,
        type="server_error",
        code="provider_refused",
        message=f"The model's provider {meaning.told.format(f'status {status}')}",
    )
    for status, meaning in statuses.MEANINGS.items()
    if meaning.told
}
"""By the status, or its class, that the provider gave."""
BAD_GATEWAY = ApiError(
    status=502,
    type="server_error",
    code="bad_gateway",
    message="The model's provider gave no answer that can be understood.",
)
OVERLOADED = ApiError(
    status=503,
    type="server_error",
    code="overloaded",
    message="The gateway has as much at hand as it can hold; try again in a moment.",
)
NO_BACKEND = ApiError(
    status=503,
    type="server_error",
    code="no_backend",
    message="No provider is reachable for this model right now.",
)
AWAY = ApiError(
    status=503,
    type="server_error",
    code="previous_response_unavailable",
    message="The endpoint that keeps the previous response does not answer, and no other has it. Try again later, or"
    " send the whole input without previous_response_id.",
    param="previous_response_id",
)
UNCHECKED = ApiError(
    status=503,
    type="server_error",
    code="budget_unavailable",
    message="The budget service does not answer, and requests are not let through unchecked.",
)
TIMEOUT = ApiError(
    status=504, type="server_error", code="backend_timeout", message="The model's provider did not answer in time."
)

LOCAL = (UNAUTHORIZED, REQUEST_TIMEOUT, TOO_LARGE, HEADERS_TOO_LARGE, NO_BACKEND, TIMEOUT)
"""Errors that Envoy itself makes up, told apart by status."""

NO_CLUSTER = "NC"
"""The response flag of a request for which no route was chosen."""

NO_HTTP = "UPE"
"""The response flag of a provider that speaks no HTTP."""

CUT = ("UC", "UR")
"""The response flags of a provider that ended the connection, or the stream, before its answer."""

OTHERS = ((500, "server_error", "internal_error"), (400, "invalid_request_error", "bad_request"))
"""Type and code of all that is left, by the least status: an upgrade, HTTP that is none."""
OTHER_MESSAGE = "The gateway cannot handle the request: %RESPONSE_CODE_DETAILS%"

DIRECT = (200, 403, 404, 502)
"""Statuses of the routes that answer by themselves, and of `filters.refusals`: the body is right, but not always its
content type."""


ANTHROPIC_TYPES = {
    401: "authentication_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
}
"""Types of Anthropic's API by status; its SDK picks its exception by them. From 500 on it is `api_error`."""
ANTHROPIC_PATH = r"[^?]*/messages(/count_tokens)?(\?.*)?"
"""The path of Anthropic's API, also where an attempt has put a provider's base path before it."""
SHED = ["overload", "reached_concurrency_limit"]
"""Envoy's words for what `overload` refuses."""
RETRY_S = "2"
"""When those whom an overloaded gateway refuses are to come again: memory is free as soon as answers have gone out."""
NO_ROOM = "The budget of this key has no room for the request; `GET /v1/usage` says why."
TOO_MANY = "This key has as many requests in flight as it may have; send this one again when one of them has ended."


def _anthropic(status: int, message: str) -> str:
    kind = ANTHROPIC_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")  # noqa: PLR2004
    return json.dumps({"type": "error", "error": {"type": kind, "message": message}}, separators=(",", ":"))


def _upgrades() -> Json:
    """Map what Envoy says to an upgrade, which no route allows."""
    asked = {"header_filter": {"header": {"name": "upgrade", "present_match": True}}}
    mapper = _mapper(403, _text(NO_UPGRADE.body()), asked)
    return {**mapper, "status_code": NO_UPGRADE.status}


def _for_anthropic(*, limited: bool, worded: bool) -> list[Json]:
    """Map the same answers for clients of Anthropic's API.

    `worded`: attempts for clients of the other one may have its path.
    """
    path = {"header": {"name": ":path", "string_match": {"safe_regex": {"regex": ANTHROPIC_PATH}}}}
    version = {"header": {"name": "anthropic-version", "present_match": True}}
    there: Json = {"or_filter": {"filters": [{"header_filter": path}, {"header_filter": version}]}}
    if worded:
        there = {"and_filter": {"filters": [there, _not_of_chat()]}}
    no_http = {"response_flag_filter": {"flags": [NO_HTTP]}}
    no_room = {"response_flag_filter": {"flags": ["RL"]}}
    return [
        *([_mapper(429, _text(_anthropic(429, TOO_MANY)), there, no_room, _too_many())] if limited else []),
        _mapper(429, _text(_anthropic(429, NO_ROOM)), there, no_room),
        _mapper(BAD_GATEWAY.status, _text(BAD_GATEWAY.anthropic()), there, no_http),
        *(_mapper(error.status, _text(error.anthropic()), there) for error in (*LOCAL, WRONG_ENDPOINT)),
        *(
            _mapper(error.status, _text(error.anthropic()), there, _failed_with(status))
            for status, error in PROVIDER_REFUSED.items()
        ),
        _mapper(BAD_GATEWAY.status, _text(BAD_GATEWAY.anthropic()), there),
    ]


def _too_many() -> Json:
    """Match what the budget server says beside its refusal."""
    matcher = {
        "filter": names.RATE_LIMIT_FILTER,
        "path": [{"key": names.REFUSED_KEY}],
        "value": {"string_match": {"exact": names.TOO_MANY_IN_FLIGHT}},
    }
    return {"metadata_filter": {"matcher": matcher, "match_if_key_not_found": False}}


def _not_of_chat() -> Json:
    """Match all but attempts for clients of chat/completions in the words of messages."""
    matcher = {
        "filter": names.METADATA_NAMESPACE,
        "path": [{"key": names.TRANSLATED_KEY}],
        "value": {"string_match": {"safe_regex": {"regex": "|messages|converse"}}},
    }
    return {"metadata_filter": {"matcher": matcher, "match_if_key_not_found": True}}


def _pinned() -> Json:
    """Match requests that go on from an answer."""
    matcher = {
        "filter": names.METADATA_NAMESPACE,
        "path": [{"key": names.PINNED_KEY}],
        "value": {"bool_match": True},
    }
    return {"metadata_filter": {"matcher": matcher, "match_if_key_not_found": False}}


def _failed_with(status: str) -> Json:
    """Match what the upstream filter wrote down of the last attempt."""
    matcher = {
        "filter": names.METADATA_NAMESPACE,
        "path": [{"key": names.FAILED_KEY}],
        "value": {"string_match": {"safe_regex": {"regex": status.replace("x", ".")}}},
    }
    return {"metadata_filter": {"matcher": matcher, "match_if_key_not_found": False}}


def local_reply_config(*, limited: bool = False, worded: bool = False, pinned: bool = False) -> Json:
    """Map a connection manager's own answers; providers' bodies pass untouched. The first match wins.

    `limited`: some consumer may have so many requests in flight, and no more. `worded`: some host wants
    chat/completions in the words of messages. `pinned`: some answers can be gone on from, at one endpoint alone.
    """
    no_http = {"response_flag_filter": {"flags": [NO_HTTP]}}
    mappers = [
        _upgrades(),
        *_overload(),
        *_for_anthropic(limited=limited, worded=worded),
        *_budgets(),
        _mapper(BAD_GATEWAY.status, _text(BAD_GATEWAY.body()), no_http),
        *([_mapper(AWAY.status, _text(AWAY.body()), _pinned())] if pinned else []),
    ]
    mappers += [_mapper(error.status, _text(error.body())) for error in LOCAL]
    nowhere = {"response_flag_filter": {"flags": [NO_CLUSTER]}}
    mappers.append(_mapper(UNKNOWN_URL.status, _text(UNKNOWN_URL.body()), nowhere))
    mappers += [_mapper(status, _text("%LOCAL_REPLY_BODY%")) for status in DIRECT]
    for least, kind, code in OTHERS:
        error = {"message": OTHER_MESSAGE, "type": kind, "param": None, "code": code}
        mappers.append(_mapper(least, {"json_format": {"error": error}}, op="GE"))
    return {"mappers": mappers}


def hop_reply_config() -> Json:
    """Map what a bulkhead's hop answers by itself: 503 stays only where nothing was sent to the provider."""
    broken = _text(BAD_GATEWAY.body())
    sent = {
        "filter": {"response_flag_filter": {"flags": list(CUT)}},
        "status_code": BAD_GATEWAY.status,
        "body_format_override": broken,
    }
    return {"mappers": [sent, *local_reply_config()["mappers"]]}


def _overload() -> list[Json]:
    """Map what is refused for lack of room; no response flag tells it from other answers."""
    shed = {
        "extension_filter": extension(
            "envoy.access_loggers.extension_filters.cel",
            "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
            {"expression": f"response.code_details in {SHED}"},
        )
    }
    path = {"header": {"name": ":path", "string_match": {"safe_regex": {"regex": ANTHROPIC_PATH}}}}
    later = {"headers_to_add": [{"header": {"key": "retry-after", "value": RETRY_S}, "append_action": OVERWRITE}]}
    anthropic = _anthropic(OVERLOADED.status, OVERLOADED.message).replace("api_error", "overloaded_error")
    told = {"status_code": OVERLOADED.status, **later}  # of a body that is given up on its way Envoy says 500
    any_path = {"header": {"name": ":path", "present_match": True}}
    return [
        {**_mapper(500, _text(anthropic), shed, {"header_filter": path}, op="GE"), **told},
        {**_mapper(500, _text(OVERLOADED.body()), shed, {"header_filter": any_path}, op="GE"), **told},
        {**_mapper(500, _text(_for_anybody()), shed, op="GE"), **told},
    ]


def _for_anybody() -> str:
    """Write what clients of both APIs read, for a request of which nothing was read: the members of both."""
    error = {"message": OVERLOADED.message, "type": "overloaded_error", "param": None, "code": OVERLOADED.code}
    return json.dumps({"type": "error", "error": error}, separators=(",", ":"))


def _budgets() -> list[Json]:
    """Map what the budget check answers: its own 429, and, where such requests are refused, that nobody answered it."""
    retry = {"header": {"key": "retry-after", "value": "5"}, "append_action": OVERWRITE}
    return [
        {
            "filter": {"response_flag_filter": {"flags": ["RL"]}},
            "body_format_override": _text("%LOCAL_REPLY_BODY%"),
        },
        {
            "filter": {"response_flag_filter": {"flags": ["RLSE"]}},
            "headers_to_add": [retry],
            "body_format_override": _text(UNCHECKED.body()),
        },
    ]


def _text(body: str) -> Json:
    return {"content_type": "application/json", "text_format_source": {"inline_string": body}}


def _mapper(status: int, body: Json, *conditions: Json, op: str = "EQ") -> Json:
    comparison = {"op": op, "value": {"default_value": status, "runtime_key": NEVER}}
    filters = [{"status_code_filter": {"comparison": comparison}}, request_filter.not_answered(), *conditions]
    return {"filter": {"and_filter": {"filters": filters}}, "body_format_override": body}


def direct_response(error: ApiError) -> Json:
    """Make a route action that answers with this error."""
    return {"status": error.status, "body": {"inline_string": error.body()}}
