"""`application/vnd.amazon.eventstream`: messages in binary, each with its headers and two checksums."""

import struct
import zlib
from collections.abc import Mapping
from typing import Any

from fairlead.demo.provider.sse import dumps

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_STRING = 7
"""The type of a header's value; Bedrock has no other."""
_CHECKSUM = 4


def message(headers: Mapping[str, str], payload: bytes) -> bytes:
    """Write a message."""
    written = b"".join(_header(name.encode(), value.encode()) for name, value in headers.items())
    prelude = struct.pack("!II", 12 + len(written) + len(payload) + _CHECKSUM, len(written))
    body = prelude + struct.pack("!I", zlib.crc32(prelude)) + written + payload
    return body + struct.pack("!I", zlib.crc32(body))


def _header(name: bytes, value: bytes) -> bytes:
    return struct.pack("!B", len(name)) + name + struct.pack("!BH", _STRING, len(value)) + value


def event(kind: str, value: Mapping[str, Any]) -> bytes:
    """Write an event."""
    headers = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    return message(headers, dumps(value))


def exception(kind: str, text: str) -> bytes:
    """Write an error that ends a stream."""
    headers = {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}
    return message(headers, dumps({"message": text}))
