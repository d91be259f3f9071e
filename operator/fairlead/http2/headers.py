"""Blocks of headers: what clients send is decoded by `hpack`, what goes out is written plainly (RFC 7541).

This server asks for no dynamic table, so as soon as a client has agreed, what a block means depends on nothing before
it: the few that a gateway sends again and again are decoded once.
"""

from typing import Final, NamedTuple

import hpack
from hpack.exceptions import HPACKError

from fairlead.http2.errors import Code, ConnectionBrokenError

LARGEST: Final = 16_384
"""Bytes of a block, and of what it decodes to."""
_REMEMBERED = 64
_LONGEST_REMEMBERED = 1_024
_TABLE_SIZE = 0x20
"""A block that begins so changes the size of the table (section 6.3)."""
_TABLE_SIZE_MASK = 0xE0
_ALLOWED_PSEUDO = frozenset({":method", ":scheme", ":authority", ":path"})
_NEEDED_PSEUDO = _ALLOWED_PSEUDO - {":authority"}
_OF_ONE_CONNECTION = frozenset({"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"})


class Head(NamedTuple):
    """What a request says before its body, as far as anybody looks at it."""

    method: str
    path: str
    content_type: str


class HeaderReader:
    """Decodes the blocks of one connection, in their order."""

    def __init__(self) -> None:
        self._decoder = hpack.Decoder(max_header_list_size=LARGEST)
        self._known: dict[bytes, Head] = {}

    def agreed(self) -> None:
        """Take note that the client knows by now that there is no dynamic table."""
        self._decoder.max_allowed_table_size = 0

    def head(self, block: bytes) -> Head:
        """Read the headers of a request. Raises `ConnectionBrokenError` for what is none."""
        known = self._known.get(block)
        if known is not None:
            return known
        stateless = self._decoder.header_table.maxsize == 0
        head = _head(self._fields(block))
        if stateless and len(block) <= _LONGEST_REMEMBERED and block[0] & _TABLE_SIZE_MASK != _TABLE_SIZE:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[block] = head
        return head

    def trailers(self, block: bytes) -> None:
        """Read what stands behind a body, and means nothing here. Raises `ConnectionBrokenError` for what is none."""
        for name, _ in self._fields(block):
            if name.startswith(":"):
                raise ConnectionBrokenError(Code.PROTOCOL_ERROR, f"got `{name}` behind a body")

    def _fields(self, block: bytes) -> list[tuple[str, str]]:
        try:
            return [(_text(name), _text(value)) for name, value in self._decoder.decode(block, raw=True)]
        except (HPACKError, IndexError, ValueError) as error:
            what = f"got headers that cannot be decoded: {error!r}"
            raise ConnectionBrokenError(Code.COMPRESSION_ERROR, what) from error


def _text(encoded: bytes) -> str:
    return encoded.decode("latin-1")


def _head(fields: list[tuple[str, str]]) -> Head:
    """Check what section 8 of RFC 9113 asks of a request's headers."""
    pseudo: dict[str, str] = {}
    content_type, regular = "", False
    for name, value in fields:
        if name.startswith(":"):
            if regular or name in pseudo or name not in _ALLOWED_PSEUDO:
                raise ConnectionBrokenError(Code.PROTOCOL_ERROR, f"got `{name}` out of place")
            pseudo[name] = value
            continue
        regular = True
        if not name or name != name.lower() or name in _OF_ONE_CONNECTION:
            raise ConnectionBrokenError(Code.PROTOCOL_ERROR, f"got the header `{name}`, which HTTP/2 does not have")
        if name == "content-type":
            content_type = value
    if not pseudo.keys() >= _NEEDED_PSEUDO:
        raise ConnectionBrokenError(Code.PROTOCOL_ERROR, f"got {sorted(pseudo)}, want a method, a scheme and a path")
    return Head(method=pseudo[":method"], path=pseudo[":path"], content_type=content_type)


def block(status: int | None, fields: dict[str, str]) -> bytes:
    """Write headers, or trailers (no status), each as a literal that nobody indexes (section 6.2.2)."""
    written = b"" if status is None else _literal(b":status", b"%d" % status)
    return written + b"".join(_literal(name.encode(), value.encode()) for name, value in fields.items())


_NOT_INDEXED = b"\x00"
_PREFIX = 0x7F


def _literal(name: bytes, value: bytes) -> bytes:
    return b"".join((_NOT_INDEXED, _length(len(name)), name, _length(len(value)), value))


def _length(length: int) -> bytes:
    """Write the length of a string that is not Huffman-coded: an integer with a prefix of 7 bits (section 5.1)."""
    if length < _PREFIX:
        return bytes((length,))
    written, rest = bytearray((_PREFIX,)), length - _PREFIX
    while rest >= 0x80:  # noqa: PLR2004 - seven bits a byte
        written.append(rest & 0x7F | 0x80)
        rest >>= 7
    written.append(rest)
    return bytes(written)
