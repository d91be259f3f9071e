"""Requests and answers as bytes: a provider that keeps what it is sent, and clients that no library would let be."""

import socket
import socketserver
import struct
import threading
from collections.abc import Iterable, Mapping
from typing import Self

PATIENCE_S = 30
ANSWER = (
    b'{"id":"x","object":"chat.completion","choices":[],"model":"m","usage":{"prompt_tokens":1,"completion_tokens":2}}'
)


UNSENT = b"{}"
"""The body of an attempt that lacks its credential."""


class LoopbackServer(socketserver.ThreadingTCPServer):
    """A server on a free port of the loopback, with a thread for each connection, until its `with` ends."""

    daemon_threads = True

    def __init__(self, connection: type[socketserver.BaseRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), connection)
        self.port = int(self.server_address[1])
        self._serving = threading.Thread(target=self.serve_forever)

    def __enter__(self) -> Self:
        self._serving.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._serving.join()
        self.server_close()


class WireProvider(LoopbackServer):
    """An HTTP/1.1 provider on a free port of the loopback that keeps the bytes of every request's head and body.

    Answers with `statuses` in turn, the last of them from then on; or with the bytes of `raw`, and closes.
    """

    def __init__(self, *statuses: int, raw: bytes = b"") -> None:
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.raw = raw
        self._statuses = list(statuses or (200,))
        provider = self

        class Connection(socketserver.StreamRequestHandler):
            timeout = PATIENCE_S

            def handle(self) -> None:
                while (head := _head(self.rfile)) is not None:
                    body = self.rfile.read(_length(head))
                    assert body == UNSENT or body.startswith(b'{"model":"')
                    provider.bodies.append(body)
                    provider.heads.append(head)
                    if provider.raw:
                        self.wfile.write(provider.raw)
                        return
                    status = provider._statuses[0] if len(provider._statuses) == 1 else provider._statuses.pop(0)
                    self.wfile.write(
                        b"HTTP/1.1 %d S\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
                        % (status, len(ANSWER))
                        + ANSWER
                    )

        super().__init__(Connection)


def padded(size: int) -> bytes:
    """Make an answer with a body of so many bytes."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % size
    return head + b'{"choices":[' + b" " * (size - 14) + b"]}"


def _head(stream: Iterable[bytes]) -> bytes | None:
    head = b""
    for line in stream:
        head += line
        if line == b"\r\n":
            return head
    return None


def _length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"\r\ncontent-length: ")
    return int(rest.split(b"\r\n", 1)[0])


def header_names(head: bytes) -> list[str]:
    """Names of the headers as they stand on the wire; one that starts with a colon keeps it."""
    lines = head.decode("latin-1").split("\r\n")[1:-2]
    return [line[0] + line[1:].partition(":")[0] if line else line for line in lines]


def http1(port: int, path: bytes, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bytes:
    """POST over HTTP/1.1 with these very bytes, and return all that comes back."""
    lines = [b"POST " + path + b" HTTP/1.1", b"host: h", b"content-length: %d" % len(body), b"connection: close"]
    lines += [name + b": " + value for name, value in headers]
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
        connection.sendall(b"\r\n".join([*lines, b"", body]))
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY = 0, 1, 3, 4, 7
END_STREAM, END_HEADERS, ACK = 1, 4, 1
STREAM = 1


def http2(port: int, path: bytes, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> Mapping[int, bytes]:
    """POST over HTTP/2 with these very bytes, and return the payloads of all frames by type, until the stream ends.

    Names and values up to 126 bytes.
    """
    pseudo = [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"h"), (b":path", path)]
    block = b"".join(_literal(name) + _literal(value, b"") for name, value in (*pseudo, *headers))
    got: dict[int, bytes] = {}
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
        connection.sendall(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            + _frame(SETTINGS, 0, 0, b"")
            + _frame(HEADERS, END_HEADERS, STREAM, block)
            + _frame(DATA, END_STREAM, STREAM, body)
        )
        stream = connection.makefile("rb")
        while len(start := stream.read(9)) == 9:  # a frame's head: RFC 9113, 4.1
            size, kind, flags = int.from_bytes(start[:3]), start[3], start[4]
            got[kind] = got.get(kind, b"") + stream.read(size)
            if kind == SETTINGS and not flags & ACK:
                connection.sendall(_frame(SETTINGS, ACK, 0, b""))
            if kind in {RST_STREAM, GOAWAY} or (kind in {DATA, HEADERS} and flags & END_STREAM):
                break
    return got


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + struct.pack(">BBI", kind, flags, stream) + payload


def _literal(text: bytes, prefix: bytes = b"\0") -> bytes:
    """A string of HPACK; with the prefix the name of a header that no table gets."""
    assert len(text) < 127  # one byte of length: RFC 7541, 5.1
    return prefix + bytes([len(text)]) + text
