"""Names and labels of a gateway's objects."""

import hashlib
from collections.abc import Mapping
from typing import Any

from fairlead.manifests.settings import REGION_LABEL, Settings

_LONGEST = 63 - len("-listeners")
"""A Service's name is a DNS label of at most 63 characters; the longest suffix must fit behind it."""


def gateway(settings: Settings, region: str) -> str:
    """Name the Deployment and the Service of a region; a long name keeps its beginning and ends in a digest."""
    name = f"{settings.name_prefix}-gateway-{region}"
    if len(name) <= _LONGEST:
        return name
    return f"{name[: _LONGEST - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def selector(settings: Settings, region: str) -> Mapping[str, str]:
    """Tell the pods of one region's gateway from all others; never changes while the release lives."""
    return {**settings.selector, REGION_LABEL: region}


def manifest(
    api_version: str,
    kind: str,
    name: str,
    *,
    settings: Settings,
    namespace: str,
    owner_uid: str,
    labels: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Begin an object of the release: it goes when the release's ConfigMap does. `labels` join the release's."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {**settings.labels, **(labels or {})},
            "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": settings.owner, "uid": owner_uid}],
        },
    }
