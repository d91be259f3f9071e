"""What must survive the operator: of each object the version that serves. One ConfigMap, compressed.

So a bad edit that was made while the operator was away takes no route down when it comes back.
"""

import base64
import gzip
import json
from collections.abc import Mapping
from typing import Any

from fairlead.adapters.kube import Kube
from fairlead.api.meta import ObjectKey

LastGood = Mapping[ObjectKey, Mapping[str, Any]]

_FILE = "last-good.json.gz"
_LIMIT_BYTES = 900 * 1024


class Memory:
    """The ConfigMap and what is known to stand in it."""

    def __init__(
        self, kube: Kube, *, namespace: str, name: str, owner: Mapping[str, Any], labels: Mapping[str, str]
    ) -> None:
        self._kube = kube
        self._namespace, self._name = namespace, name
        self._owner, self._labels = owner, labels
        self._stored = b""

    async def load(self) -> LastGood:
        """Read what the operator before this one remembered; raises `ClusterError`."""
        found = await self._kube.get("ConfigMap", namespace=self._namespace, name=self._name)
        encoded = ((found or {}).get("binaryData") or {}).get(_FILE)
        if not encoded:
            return {}
        self._stored = base64.b64decode(encoded)
        return _decoded(self._stored)

    async def store(self, last_good: LastGood) -> bool:
        """Remember, if anything differs and it fits; tell whether it is stored now; raises `ClusterError`."""
        content = _encoded(last_good)
        if content == self._stored:
            return True
        if len(content) > _LIMIT_BYTES:
            return False
        await self._kube.apply(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    "name": self._name,
                    "namespace": self._namespace,
                    "labels": dict(self._labels),
                    "ownerReferences": [self._owner],
                },
                "binaryData": {_FILE: base64.b64encode(content).decode()},
            }
        )
        self._stored = content
        return True


def _encoded(last_good: LastGood) -> bytes:
    entries = [[key.kind, key.namespace, key.name, last_good[key]] for key in sorted(last_good)]
    return gzip.compress(json.dumps(entries, sort_keys=True, separators=(",", ":")).encode(), mtime=0)


def _decoded(content: bytes) -> LastGood:
    return {
        ObjectKey(kind=kind, namespace=namespace, name=name): version
        for kind, namespace, name, version in json.loads(gzip.decompress(content))
    }
