"""What a strict provider refuses before it reads the body: path, headers, credential."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fairlead.demo.provider.settings import Settings

CREDENTIAL_HEADERS = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "ocp-apim-subscription-key",
        "cookie",
    }
)
"""Headers that carry secrets at one provider or another: none but the expected one may arrive."""
INTERNAL_PREFIXES = ("x-fl-", "x-envoy-")
"""A gateway's own headers, which must never leave it."""
ERROR_TYPES = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error"}
ERROR_TYPES |= {404: "not_found_error", 405: "invalid_request_error", 429: "rate_limit_error", 503: "overloaded_error"}


class Code(StrEnum):
    """Why a request was refused; OpenAI's own codes where they exist."""

    INVALID_URL = "invalid_url"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    INTERNAL_HEADER = "internal_header"
    UNEXPECTED_CREDENTIAL = "unexpected_credential"
    TWO_CREDENTIALS = "two_credentials"
    MISSING_API_KEY = "missing_api_key"
    INVALID_API_KEY = "invalid_api_key"
    INVALID_CONTENT_TYPE = "invalid_content_type"
    MISSING_VERSION = "missing_anthropic_version"
    MALFORMED_BODY = "malformed_body"
    MODEL_NOT_FOUND = "model_not_found"
    FAULT = "simulated_fault"
    # Azure's
    RESOURCE_NOT_FOUND = "404"
    BAD_REQUEST = "BadRequest"
    ACCESS_DENIED = "401"
    DEPLOYMENT_NOT_FOUND = "DeploymentNotFound"
    NO_KEY = "API_KEY_INVALID"  # Gemini's
    # Bedrock's
    UNKNOWN_OPERATION = "unknown_operation"
    NO_SIGNATURE = "no_signature"
    UNKNOWN_CLIENT = "unknown_client"
    EXPIRED = "expired"
    BAD_SIGNATURE = "bad_signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An error answer."""

    status: int
    code: Code
    message: str
    param: str | None = None


def error_body(refusal: Refusal, path: str, *, anthropic: bool = False) -> Mapping[str, Any]:
    """Shape an error: Anthropic's on its path, or where nothing else is spoken; OpenAI's elsewhere."""
    kind = ERROR_TYPES.get(refusal.status, "api_error")
    if anthropic or path.endswith("/messages"):
        return {"type": "error", "error": {"type": kind, "message": refusal.message}, "request_id": None}
    kind = "invalid_request_error" if 400 <= refusal.status < 500 and refusal.status != 429 else kind  # noqa: PLR2004 - HTTP
    return {"error": {"message": refusal.message, "type": kind, "param": refusal.param, "code": refusal.code}}


def check_internal(headers: Iterable[tuple[str, str]]) -> Refusal | None:
    """Refuse a gateway's internal headers."""
    for name, _ in headers:
        if name.lower().startswith(INTERNAL_PREFIXES):
            return Refusal(status=400, code=Code.INTERNAL_HEADER, message=f"The header '{name}' is a gateway's own")
    return None


def check_headers(headers: Iterable[tuple[str, str]], settings: Settings) -> Refusal | None:
    """Refuse a gateway's internal headers, and any credential but exactly the expected one."""
    written = list(headers)
    refusal = check_internal(written)
    if refusal is not None:
        return refusal
    wanted = settings.header.lower() if settings.keys else None
    found: list[str] = []
    for raw, value in written:
        name = raw.lower()
        if name == wanted:
            found.append(value)
        elif name in CREDENTIAL_HEADERS:
            message = f"A credential in the header '{name}' is not expected here"
            return Refusal(status=400, code=Code.UNEXPECTED_CREDENTIAL, message=message)
    if wanted is None:
        return None
    return _check_credential(found, wanted, settings.keys)


def _check_credential(found: list[str], wanted: str, keys: tuple[str, ...]) -> Refusal | None:
    if not found:
        return Refusal(status=401, code=Code.MISSING_API_KEY, message=f"You didn't provide an API key in '{wanted}'")
    if len(found) > 1:
        return Refusal(status=400, code=Code.TWO_CREDENTIALS, message=f"{len(found)} values of the header '{wanted}'")
    prefix = "Bearer " if wanted == "authorization" else ""
    if found[0] not in {prefix + key for key in keys}:
        return Refusal(status=401, code=Code.INVALID_API_KEY, message="Incorrect API key provided")
    return None


def check_body_headers(headers: Mapping[str, str], path: str) -> Refusal | None:
    """Refuse a body that is not announced as JSON, and a Messages request without its API version."""
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        message = f"Invalid Content-Type: got '{kind}', want 'application/json'"
        return Refusal(status=400, code=Code.INVALID_CONTENT_TYPE, message=message)
    return check_version(headers) if path.endswith("/messages") else None


def check_version(headers: Mapping[str, str]) -> Refusal | None:
    """Refuse a request to Anthropic's API that does not say its version."""
    if "anthropic-version" not in headers:
        return Refusal(status=400, code=Code.MISSING_VERSION, message="anthropic-version: header is required")
    return None
