"""gRPC's unary call in HTTP/2: one message there, one back, a status behind it (gRPC over HTTP2, in grpc's docs)."""

from collections.abc import Collection
from enum import IntEnum
from typing import Final
from urllib.parse import quote

from fairlead.errors import FairleadError
from fairlead.http2.connection import LARGEST_BODY, Request
from fairlead.http2.headers import block

_PREFIX_BYTES = 5
_CONTENT_TYPE = "application/grpc"
_LONGEST_MESSAGE = 1_000
"""Bytes of what an error says, before it is encoded."""


class Status(IntEnum):
    """How a call ended, as gRPC numbers it."""

    OK = 0
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    UNIMPLEMENTED = 12
    INTERNAL = 13


class CallError(FairleadError):
    """A call without an answer: what the caller is told instead."""

    def __init__(self, status: Status, what: str) -> None:
        super().__init__(what)
        self.status = status


OK_HEAD: Final = block(200, {"content-type": _CONTENT_TYPE})
OK_TRAILERS: Final = block(None, {"grpc-status": "0"})


def message(request: Request, paths: Collection[str]) -> bytes:
    """Return what the caller says to one of `paths`. Raises `CallError` for what is no such call."""
    head, body = request.head, request.body
    if head.method != "POST" or not head.content_type.startswith(_CONTENT_TYPE):
        what = f"got {head.method[:20]} with `{head.content_type[:100]}`, want POST with {_CONTENT_TYPE}"
        raise CallError(Status.INTERNAL, what)
    if head.path not in paths:
        raise CallError(Status.UNIMPLEMENTED, f"got {head.path[:100]}, want {' or '.join(paths)}")
    if body is None:
        raise CallError(Status.RESOURCE_EXHAUSTED, f"got a message of more than {LARGEST_BODY} bytes")
    if len(body) < _PREFIX_BYTES or int.from_bytes(body[1:_PREFIX_BYTES]) != len(body) - _PREFIX_BYTES:
        raise CallError(Status.INTERNAL, f"got {len(body)} bytes, want one message with its length before it")
    if body[0]:
        raise CallError(Status.UNIMPLEMENTED, "got a message that is compressed, want it plain")
    return body[_PREFIX_BYTES:]


def framed(answer: bytes) -> bytes:
    """Write a message with what stands before it: that it is not compressed, and its length."""
    return b"\0" + len(answer).to_bytes(4) + answer


def failure(error: CallError) -> bytes:
    """Write the trailers of a call without an answer."""
    said = quote(str(error).encode()[:_LONGEST_MESSAGE], safe=" !#$&'()*+,-./:;<=>?@[]^_`{|}~\"")
    return block(None, {"grpc-status": str(error.status.value), "grpc-message": said})
