"""The budget server's configuration as the ConfigMap that its pods mount. Pure."""

import hashlib
from collections.abc import Mapping
from typing import Any

from fairlead.errors import TooLargeError
from fairlead.manifests import naming
from fairlead.manifests.settings import COMPONENT_LABEL, Settings

COMPONENT = "budget-server"
"""Which part of the release its pods are."""
FILE = "book.json"
_LIMIT_BYTES = 900 * 1024


def render(configuration: bytes, *, settings: Settings, namespace: str, owner_uid: str) -> tuple[dict[str, Any], ...]:
    """Render the ConfigMap, where there is a budget server to read it; raises `TooLargeError` if it does not fit."""
    server = settings.budget_server
    if server is None:
        return ()
    if len(configuration) > _LIMIT_BYTES:
        raise TooLargeError(
            f"the budgets take {len(configuration)} bytes, the configuration before stays in effect,"
            f" want {_LIMIT_BYTES} at most"
        )
    head = naming.manifest(
        "v1",
        "ConfigMap",
        server.configuration,
        settings=settings,
        namespace=namespace,
        owner_uid=owner_uid,
        labels={COMPONENT_LABEL: COMPONENT},
    )
    return ({**head, "data": {FILE: configuration.decode()}},)


def stored_version(found: Mapping[str, Any] | None) -> str:
    """Return what tells one stored configuration from others, also one that was repaired; empty when there is none."""
    text = ((found or {}).get("data") or {}).get(FILE)
    if found is None or not isinstance(text, str):
        return ""
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{digest}-{found['metadata'].get('resourceVersion', '')}"
