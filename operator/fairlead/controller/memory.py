"""What must survive the operator: of each object the version that serves. One ConfigMap, compressed.

So a bad edit that was made while the operator was away takes no route down when it comes back. Pure.
"""

import base64
import gzip
import io
import zlib
from collections.abc import Mapping
from typing import Any

from fairlead.errors import StateError, TooLargeError
from fairlead.runtime import memory, saved
from fairlead.runtime.memory import LastGood

FILE = "last-good.json.gz"
_LIMIT_BYTES = 900 * 1024
_UNPACKED_LIMIT_BYTES = 64 * 1024 * 1024


def config_map(head: Mapping[str, Any], last_good: LastGood) -> Mapping[str, Any]:
    """Make the ConfigMap; raises `TooLargeError` if it does not fit one."""
    content = gzip.compress(memory.encode(last_good), mtime=0)
    if len(content) > _LIMIT_BYTES:
        raise TooLargeError("the last good versions do not fit a ConfigMap and are not kept")
    return {**head, "binaryData": {FILE: base64.b64encode(content).decode()}}


def remembered(found: Mapping[str, Any] | None) -> LastGood:
    """Read what an operator remembered, {} when there is nothing; raises `StateError` when it is damaged."""
    if found is None:
        return {}
    encoded = (found.get("binaryData") or {}).get(FILE)
    if not isinstance(encoded, str):
        raise StateError(f"`binaryData[{FILE}]`: got none, want what Fairlead wrote")
    return saved.decoded(_unpacked(encoded), memory.decode, f"`binaryData[{FILE}]`")


def _unpacked(encoded: str) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(base64.b64decode(encoded, validate=True))) as packed:
            document = packed.read(_UNPACKED_LIMIT_BYTES + 1)
    except (ValueError, OSError, EOFError, zlib.error):
        raise StateError(f"`binaryData[{FILE}]`: got no gzip, want what Fairlead wrote") from None
    if len(document) > _UNPACKED_LIMIT_BYTES:
        raise StateError(f"`binaryData[{FILE}]`: got more than {_UNPACKED_LIMIT_BYTES} bytes unpacked, want fewer")
    return document
