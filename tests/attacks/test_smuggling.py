"""One request is one request: bytes that two HTTP parsers could cut in two reach no provider as two."""

import socket

import pytest
from one_target import provider, running
from running import Gateway

from fairlead.demo.provider import SimulatedProvider

__all__ = ["provider", "running"]

pytestmark = pytest.mark.envoy

PATIENCE_S = 10
CHAT = b"/v1/chat/completions"
KEY = b"Authorization: Bearer sk-alice\r\n"
BODY = b'{"model":"chat","messages":[{"role":"user","content":"hi"}]}'
HIDDEN = b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: 17\r\n\r\n" + b'{"model":"other"}'
CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
LENGTH = b"Content-Length: %d\r\n" % len(BODY)


def exchange(gateway: Gateway, head: bytes, content: bytes) -> bytes:
    """Send these very bytes, as the last of the connection; return all that comes back."""
    start = b"POST " + CHAT + b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + KEY
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE_S) as connection:
        connection.sendall(start + head + b"\r\n" + content)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


LYING = {
    "length and chunks": (LENGTH + b"Transfer-Encoding: chunked\r\n", CHUNKED + HIDDEN),
    "chunks and length": (b"Transfer-Encoding: chunked\r\n" + LENGTH, CHUNKED + HIDDEN),
    "two lengths": (LENGTH + b"Content-Length: 5\r\n", BODY + HIDDEN),
    "two lengths in one": (b"Content-Length: %d, 5\r\n" % len(BODY), BODY + HIDDEN),
    "a signed length": (b"Content-Length: +%d\r\n" % len(BODY), BODY + HIDDEN),
    "a negative length": (b"Content-Length: -1\r\n", BODY + HIDDEN),
    "a length in hexadecimal": (b"Content-Length: 0x%x\r\n" % len(BODY), BODY + HIDDEN),
    "a length beyond 64 bits": (b"Content-Length: 18446744073709551677\r\n", BODY + HIDDEN),
    "another transfer encoding": (b"Transfer-Encoding: xchunked\r\n", CHUNKED + HIDDEN),
    "chunked, then identity": (b"Transfer-Encoding: chunked, identity\r\n", CHUNKED + HIDDEN),
    "a tab before chunked": (b"Transfer-Encoding:\x0bchunked\r\n", CHUNKED + HIDDEN),
    "a blank before the colon": (b"Transfer-Encoding : chunked\r\n", CHUNKED + HIDDEN),
    "a folded header": (b"Transfer-Encoding:\r\n chunked\r\n", CHUNKED + HIDDEN),
    "a chunk's size beyond 64 bits": (b"Transfer-Encoding: chunked\r\n", b"1" + b"0" * 17 + b"\r\n" + BODY + HIDDEN),
    "a chunk's size that is none": (b"Transfer-Encoding: chunked\r\n", b"0x10\r\n" + BODY + HIDDEN),
    "a chunk longer than it says": (b"Transfer-Encoding: chunked\r\n", b"5\r\n" + BODY + b"\r\n0\r\n\r\n" + HIDDEN),
    "a line's end in a header": (b"X-A: b\rTransfer-Encoding: chunked\r\n" + LENGTH, BODY),
    "a NUL in a header": (b"X-A: b\0\r\n" + LENGTH, BODY),
}


@pytest.mark.parametrize("name", LYING)
def test_lengths_that_two_parsers_may_read_differently_make_no_second_request(
    running: Gateway, provider: SimulatedProvider, name: str
) -> None:
    before = len(provider.control.requests())
    answer = exchange(running, *LYING[name])
    assert answer.count(b"HTTP/1.1 ") <= 1
    reached = provider.control.requests()[before:]
    assert len(reached) <= 1
    # Whatever does, has one length, the one that was judged, and nothing in chunks.
    for request in reached:
        stated = [value for header, value in request.headers if header.lower() == "content-length"]
        assert stated == [str(len(BODY))]
        assert not [header for header, _ in request.headers if header.lower() == "transfer-encoding"]


@pytest.mark.parametrize("name", [name for name in LYING if "length" in name and "chunk" not in name])
def test_a_length_that_lies_is_refused(running: Gateway, provider: SimulatedProvider, name: str) -> None:
    before = len(provider.control.requests())
    assert exchange(running, *LYING[name]).startswith(b"HTTP/1.1 400 ")
    assert len(provider.control.requests()) == before
