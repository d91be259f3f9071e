"""The budget server's configuration as the ConfigMap that its pods mount. Pure."""

import hashlib
from collections.abc import Mapping
from typing import Any

from fairlead.errors import TooLargeError

FILE = "book.json"
_LIMIT_BYTES = 900 * 1024


def config_map(configuration: bytes, metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Render the ConfigMap; raises `TooLargeError` if it does not fit one."""
    if len(configuration) > _LIMIT_BYTES:
        raise TooLargeError(
            f"the budgets take {len(configuration)} bytes, the configuration before stays in effect,"
            f" want {_LIMIT_BYTES} at most"
        )
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": {FILE: configuration.decode()},
    }


def stored_version(found: Mapping[str, Any] | None) -> str:
    """Return what tells one stored configuration from others, also one that was repaired; empty when there is none."""
    text = ((found or {}).get("data") or {}).get(FILE)
    if found is None or not isinstance(text, str):
        return ""
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{digest}-{found['metadata'].get('resourceVersion', '')}"
