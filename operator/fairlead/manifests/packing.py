"""Files in gzip, as a ConfigMap carries them: base64 in `binaryData`. The same bytes always become the same text."""

import base64
import gzip
import io
import zlib

_LEVEL = 3
"""A tenth more than by 6, in two fifths of the time: routes of 2.6 MB take 70 kB in 8 ms, where it was 64 kB in 20."""


def pack(content: bytes) -> str:
    """Return the content in gzip, in base64. 2,000 routes take 8 ms."""
    return base64.b64encode(gzip.compress(content, _LEVEL, mtime=0)).decode()


def size(packed: str) -> int:
    """Return how many bytes a ConfigMap counts for it: those of the gzip, before base64."""
    return len(packed) // 4 * 3 - packed[-2:].count("=")


def unpack(packed: str, *, limit: int) -> bytes:
    """Return the content of what `pack` made.

    Raises:
        ValueError: it is none, or more than `limit` bytes long.

    """
    return inflate(base64.b64decode(packed, validate=True), limit=limit)


def inflate(compressed: bytes, *, limit: int) -> bytes:
    """Return the content of gzip, of which no more than `limit` bytes are ever held.

    Raises:
        ValueError: it is no whole gzip, or its content is longer.

    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(compressed)) as file:
            content = file.read(limit + 1)
    except (OSError, EOFError, zlib.error):
        raise ValueError("got no gzip") from None
    if not compressed:  # which Python reads as nothing, whole
        raise ValueError("got an empty file, want gzip")
    if len(content) > limit:
        raise ValueError(f"got more than {limit} bytes unpacked")
    return content
