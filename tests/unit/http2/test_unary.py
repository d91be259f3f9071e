from dataclasses import dataclass

import hpack
import pytest

from fairlead.http2 import unary
from fairlead.http2.connection import Request
from fairlead.http2.headers import Head
from fairlead.http2.unary import CallError, Status

GRPC = Head("POST", "/s/M", "application/grpc+proto")


@dataclass(frozen=True)
class Case:
    head: Head
    body: bytes | None
    status: Status


@pytest.mark.parametrize(
    "case",
    [
        Case(GRPC._replace(method="GET"), unary.framed(b"m"), Status.INTERNAL),
        Case(GRPC._replace(content_type="application/json"), unary.framed(b"m"), Status.INTERNAL),
        Case(GRPC._replace(path="/s/Other"), unary.framed(b"m"), Status.UNIMPLEMENTED),
        Case(GRPC, None, Status.RESOURCE_EXHAUSTED),
        Case(GRPC, b"", Status.INTERNAL),
        Case(GRPC, unary.framed(b"m") * 2, Status.INTERNAL),
        Case(GRPC, unary.framed(b"m")[:-1], Status.INTERNAL),
        Case(GRPC, b"\1\0\0\0\1m", Status.UNIMPLEMENTED),
    ],
)
def test_what_is_no_call_of_this_method(case: Case) -> None:
    with pytest.raises(CallError) as raised:
        unary.message(Request(1, case.head, case.body), "/s/M")
    assert raised.value.status is case.status


def test_a_message_of_any_length() -> None:
    for message in (b"", b"m", b"m" * 70_000):
        assert unary.message(Request(1, GRPC, unary.framed(message)), "/s/M") == message


def test_an_error_is_said_as_grpc_encodes_it() -> None:
    written = hpack.Decoder().decode(unary.failure(CallError(Status.FAILED_PRECONDITION, "50 % of é\n")))
    assert written == [("grpc-status", "9"), ("grpc-message", "50 %25 of %C3%A9%0A")]
