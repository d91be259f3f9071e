"""The budget server's configuration: one ConfigMap, written when it differs from what stands in it."""

import hashlib
from collections.abc import Mapping
from typing import Any

from structlog.typing import FilteringBoundLogger

from fairlead.adapters.kube import Kube

_FILE = "book.json"
_LIMIT_BYTES = 900 * 1024


class BudgetConfigurationMap:
    """The ConfigMap and what is known to stand in it."""

    def __init__(
        self,
        kube: Kube,
        log: FilteringBoundLogger,
        *,
        namespace: str,
        name: str,
        owner: Mapping[str, Any],
        labels: Mapping[str, str],
    ) -> None:
        self._kube, self._log = kube, log
        self._namespace, self._name, self._owner, self._labels = namespace, name, owner, labels
        self._stored: str | None = None
        self._refused = ""

    @property
    def digest(self) -> str:
        """Return what tells the stored configuration from others; empty when there is none."""
        return "" if self._stored is None else hashlib.sha256(self._stored.encode()).hexdigest()[:16]

    async def write(self, configuration: bytes) -> int:
        """Write the configuration if it differs and fits; return the number of writes; raises `ClusterError`."""
        if self._stored is None:
            found = await self._kube.get("ConfigMap", namespace=self._namespace, name=self._name)
            self._stored = ((found or {}).get("data") or {}).get(_FILE)
        text = configuration.decode()
        if text == self._stored:
            return 0
        if len(configuration) > _LIMIT_BYTES:
            if text != self._refused:
                self._log.warning(
                    "too large",
                    what=f"the budgets take {len(configuration)} bytes, the configuration before stays in effect",
                )
            self._refused = text
            return 0
        await self._kube.apply(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    "name": self._name,
                    "namespace": self._namespace,
                    "labels": dict(self._labels),
                    "ownerReferences": [dict(self._owner)],
                },
                "data": {_FILE: text},
            }
        )
        self._stored = text
        self._log.info("apply", what=f"ConfigMap {self._name}")
        return 1
