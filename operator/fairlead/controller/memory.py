"""What must survive the operator: of each object the version that serves. One ConfigMap, compressed.

So a bad edit that was made while the operator was away takes no route down when it comes back.
"""

import base64
import binascii
import gzip
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from fairlead.adapters.kube import Kube
from fairlead.errors import StateError
from fairlead.runtime import memory, saved
from fairlead.runtime.memory import LastGood

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

    async def load(self, warn: Callable[[str], None]) -> LastGood:
        """Read what the operator before this one remembered; nothing, told by `warn`, where it is damaged.

        Raises:
            ClusterError: the API server does not answer, or refuses.

        """
        found = await self._kube.get("ConfigMap", namespace=self._namespace, name=self._name)
        encoded = ((found or {}).get("binaryData") or {}).get(_FILE)
        if not encoded:
            return {}
        try:
            content = base64.b64decode(encoded)
            last_good = _decoded(content)
        except (StateError, TypeError, binascii.Error) as error:
            warn(f"{self._name}: {error}; it counts as absent until it is written anew")
            return {}
        self._stored = content
        return last_good

    async def store(self, last_good: LastGood) -> bool:
        """Remember, if anything differs and it fits; tell whether it is stored now; raises `ClusterError`."""
        content = gzip.compress(memory.encode(last_good), mtime=0)
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


def _decoded(content: bytes) -> LastGood:
    try:
        document = gzip.decompress(content)
    except (OSError, EOFError, zlib.error):
        raise StateError(f"ConfigMap key {_FILE}: got no gzip, want what Fairlead wrote") from None
    return saved.decoded(document, memory.decode, f"ConfigMap key {_FILE}")
