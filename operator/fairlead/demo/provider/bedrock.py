"""What Amazon Bedrock's runtime does otherwise than other providers: its paths, signatures, and errors.

The model stands in the path, percent-encoded as AWS's own clients do it. Errors are exceptions with a name, which a
header says, and a message.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from fairlead.demo.provider import aws_signature, event_stream
from fairlead.demo.provider.refusal import Code, Refusal

SERVICE = "bedrock"
ERROR_HEADER = "x-amzn-ErrorType"
_PATH = re.compile(r"/model/(?P<model>[A-Za-z0-9._~%-]+)/(?P<operation>converse|converse-stream)")
_EXCEPTIONS = {
    400: "ValidationException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}
_BY_CODE = {
    Code.NO_SIGNATURE: "MissingAuthenticationTokenException",
    Code.UNKNOWN_CLIENT: "UnrecognizedClientException",
    Code.EXPIRED: "ExpiredTokenException",
    Code.BAD_SIGNATURE: "InvalidSignatureException",
    Code.UNKNOWN_OPERATION: "UnknownOperationException",
}
UNKNOWN_OPERATION = Refusal(status=404, code=Code.UNKNOWN_OPERATION, message="")
NO_MODEL = Refusal(status=400, code=Code.MODEL_NOT_FOUND, message="The provided model identifier is invalid.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a URL asks for."""

    model: str
    stream: bool


def asked(method: str, target: str) -> Asked | Refusal:
    """Read a request line; an id whose `:` or `/` is not encoded names something else."""
    found = _PATH.fullmatch(target)
    if method != "POST" or found is None:
        return UNKNOWN_OPERATION
    return Asked(model=unquote(found["model"]), stream=found["operation"] == "converse-stream")


def check_signature(request: aws_signature.Signed, *, region: str, keys: tuple[str, ...]) -> Refusal | None:
    """Refuse what none of the keys has signed for the region, just now."""
    now = datetime.now(UTC)  # noqa: TID251 - a simulated provider is outside of all that is tested with a clock
    return aws_signature.check(request, region=region, service=SERVICE, keys=keys, now=now)


def exception_of(refusal: Refusal) -> str:
    """Name an error as AWS does."""
    other = "InternalServerException" if refusal.status >= 500 else "ValidationException"  # noqa: PLR2004 - HTTP
    return _BY_CODE.get(refusal.code) or _EXCEPTIONS.get(refusal.status, other)


def error_headers(refusal: Refusal) -> dict[str, str]:
    """Make the header that names an error; what is behind the colon nobody reads."""
    return {ERROR_HEADER: f"{exception_of(refusal)}:http://internal.amazon.com/coral/com.amazon.bedrock/"}


def error_body(refusal: Refusal) -> Mapping[str, Any]:
    """Shape an error."""
    return {"message": refusal.message}


def stream_error(text: str) -> bytes:
    """Write an error that comes in the middle of a stream."""
    return event_stream.exception("modelStreamErrorException", text)
