"""HTTP/2 frame by frame, with the bytes that no library would send: RFC 9113 and 7541."""

import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

PATIENCE_S = 10
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED, ACK = 1, 4, 8, 1
STREAM = 1
MARK = b"sentinel"
"""What a last ping says: its answer tells that all before was read."""

Field = tuple[bytes, bytes]


def frame(kind: int, flags: int, payload: bytes = b"", stream: int = STREAM) -> bytes:
    return len(payload).to_bytes(3) + struct.pack(">BBI", kind, flags, stream) + payload


def block(fields: Iterable[Field]) -> bytes:
    """Spell a header list: literals that no table gets."""
    return b"".join(b"\0" + _string(name) + _string(value) for name, value in fields)


def _string(text: bytes) -> bytes:
    return _integer(len(text)) + text


def _integer(number: int) -> bytes:
    """Spell a length with a prefix of 7 bits: RFC 7541, 5.1."""
    if number < 127:
        return bytes([number])
    spelled, number = b"\x7f", number - 127
    while number >= 128:
        spelled += bytes([number % 128 + 128])
        number //= 128
    return spelled + bytes([number])


@dataclass(slots=True, kw_only=True)
class Got:
    """What came back."""

    frames: list[tuple[int, int, int, bytes]] = field(default_factory=list)
    """Kind, flags, stream, payload."""

    @property
    def body(self) -> bytes:
        return b"".join(payload for kind, _, _, payload in self.frames if kind == DATA)


def converse(port: int, frames: Iterable[bytes]) -> Got:
    """Send these frames after the preface; return what comes until the stream ends, or the connection does."""
    got = Got()
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
        connection.sendall(PREFACE + frame(SETTINGS, 0, stream=0))
        try:
            connection.sendall(b"".join(frames) + frame(PING, 0, MARK, stream=0))
            for kind, flags, stream, payload in _frames(connection):
                got.frames.append((kind, flags, stream, payload))
                if kind == SETTINGS and not flags & ACK:
                    connection.sendall(frame(SETTINGS, ACK, stream=0))
                if kind in {RST_STREAM, GOAWAY} or (kind in {DATA, HEADERS} and flags & END_STREAM):
                    break
        except (ConnectionError, BrokenPipeError):
            got.frames.append((GOAWAY, 0, 0, b"closed"))
    return got


def _frames(connection: socket.socket) -> Iterator[tuple[int, int, int, bytes]]:
    stream = connection.makefile("rb")
    while len(start := stream.read(9)) == 9:
        size, kind, flags = int.from_bytes(start[:3]), start[3], start[4]
        yield kind, flags, int.from_bytes(start[5:]), stream.read(size)
    yield GOAWAY, 0, 0, b"closed"
