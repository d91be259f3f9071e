"""Frames of HTTP/2: what a client sends, taken apart, and what a server sends, put together (RFC 9113, section 4)."""

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Final, NamedTuple

from fairlead.http2.errors import Code, ConnectionBrokenError

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
LARGEST: Final = 16_384
"""Bytes of a payload that are taken: the default, which nobody is told to exceed."""
LARGEST_WINDOW: Final = 2**31 - 1
DEFAULT_WINDOW: Final = 65_535

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
"""Types. A client may send others, which mean nothing here."""
ACK = END_STREAM = 0x1
END_HEADERS = 0x4
PADDED = 0x8
WITH_PRIORITY = 0x20


class Setting(IntEnum):
    """What each side tells the other of itself."""

    HEADER_TABLE_SIZE = 0x1
    ENABLE_PUSH = 0x2
    MAX_CONCURRENT_STREAMS = 0x3
    INITIAL_WINDOW_SIZE = 0x4
    MAX_FRAME_SIZE = 0x5
    MAX_HEADER_LIST_SIZE = 0x6


_HEAD = struct.Struct(">BHBBL")
_SETTING = struct.Struct(">HL")
_NUMBER = struct.Struct(">L")
_GOAWAY = struct.Struct(">LL")
_WITHOUT_RESERVED_BIT = 2**31 - 1


class Frame(NamedTuple):
    """One frame. A tuple, since each request brings two of them."""

    kind: int
    flags: int
    stream: int
    payload: bytes


class FrameReader:
    """Cuts what comes over a connection into frames; keeps less than one frame of it."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._wanted = _HEAD.size

    def read(self, data: bytes) -> Iterator[Frame]:
        """Return the frames that are whole with these bytes. Raises `ConnectionBrokenError` for one too long."""
        if self._rest:
            self._rest += data
            if len(self._rest) < self._wanted:
                return
            data = bytes(self._rest)
            self._rest.clear()
        at, end, head = 0, len(data), _HEAD.size
        while end - at >= head:
            high, low, kind, flags, stream = _HEAD.unpack_from(data, at)
            length = high << 16 | low
            if length > LARGEST:
                what = f"got a frame of {length} bytes, want {LARGEST} at most"
                raise ConnectionBrokenError(Code.FRAME_SIZE_ERROR, what)
            if end - at - head < length:
                self._wanted = head + length
                break
            at += head
            yield Frame(kind, flags, stream & _WITHOUT_RESERVED_BIT, data[at : at + length])
            at += length
        else:
            self._wanted = head
        self._rest += data[at:]


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Write a frame."""
    length = len(payload)
    return _HEAD.pack(length >> 16, length & 0xFFFF, kind, flags, stream) + payload


def settings(values: dict[Setting, int]) -> bytes:
    """Write what a server says of itself."""
    return frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(name, value) for name, value in values.items()))


def read_settings(payload: bytes) -> list[tuple[int, int]]:
    """Read names and values. Raises `ConnectionBrokenError` for a length that holds no whole number of them."""
    if len(payload) % _SETTING.size:
        what = f"got settings of {len(payload)} bytes, want a multiple of 6"
        raise ConnectionBrokenError(Code.FRAME_SIZE_ERROR, what)
    return list(_SETTING.iter_unpack(payload))


def window_update(stream: int, increment: int) -> bytes:
    """Let the client send so many bytes more: on a stream, or (0) altogether."""
    return frame(WINDOW_UPDATE, 0, stream, _NUMBER.pack(increment))


def rst_stream(stream: int, code: Code) -> bytes:
    """End one stream early."""
    return frame(RST_STREAM, 0, stream, _NUMBER.pack(code))


def goaway(last: int, code: Code, why: str = "") -> bytes:
    """Say that no stream behind `last` is or will be looked at."""
    return frame(GOAWAY, 0, 0, _GOAWAY.pack(last, code) + why.encode())


def number(payload: bytes) -> int:
    """Read the 31 bits of a WINDOW_UPDATE."""
    value: int = _NUMBER.unpack(payload)[0]
    return value & _WITHOUT_RESERVED_BIT


def unpadded(flags: int, payload: bytes, *, priority: bool = False) -> bytes:
    """Take off padding, and a priority, which nobody heeds. Raises `ConnectionBrokenError` where they do not fit."""
    before = (1 if flags & PADDED else 0) + (5 if priority and flags & WITH_PRIORITY else 0)
    if not before:
        return payload
    behind = payload[0] if flags & PADDED and payload else 0
    if before + behind > len(payload):
        raise ConnectionBrokenError(Code.PROTOCOL_ERROR, "got more padding than payload")
    return payload[before : len(payload) - behind]
