"""Whether an operator is ready: when the gateways are what it wants, so that `helm install` and `upgrade --wait` wait.

Once ready it stays so, whatever becomes of gateways: objects and alerts say that. One that stands by is ready while
another leads; but one that an upgrade brings leads before it is ready, by asking for the lease.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from fairlead.controller.live import Live

Object = Mapping[str, Any]
_STUCK = "ProgressDeadlineExceeded"


class Readiness:
    """What `/readyz` of an operator says."""

    def __init__(
        self,
        live: Live,
        deployments: Collection[str],
        *,
        leads: Callable[[], bool],
        follows: Callable[[], bool],
        asks: Callable[[], bool] = lambda: False,
        brought: Callable[[], bool] = lambda: True,
    ) -> None:
        """`deployments`: the names of the regions' gateways.

        `follows` tells whether another operator leads, `asks` whether it was asked for the lease, `brought` whether
        this one, since it leads, has written what it wants.
        """
        self._live, self._deployments, self._leads, self._follows = live, deployments, leads, follows
        self._asks, self._brought = asks, brought
        self._was_ready = False

    @property
    def waits_for(self) -> str:
        """What has to come before this operator is ready; empty = it is."""
        if self._asks() and not self._leads():
            self._was_ready = False  # an upgrade was taken back: what it wrote is not what this one wants
            return "the lease"
        if self._was_ready:
            return ""
        if not self._leads():
            return "" if self._follows() else "the lease"
        if not self._brought():
            return "its first pass"
        missing = [name for name in self._deployments if not _is_available(self._live.get("Deployment", name))]
        self._was_ready = not missing
        return ", ".join(f"Deployment {name}" for name in missing)


def _is_available(deployment: Object | None) -> bool:
    """Tell whether as many pods of a Deployment are ready as it needs, and all of them new, by what was last seen.

    One that has not got on for its progress deadline (ten minutes) keeps nobody: what is in the way is told elsewhere.
    """
    if deployment is None:
        return False
    status = deployment.get("status") or {}
    if status.get("observedGeneration", 0) < deployment["metadata"].get("generation", 0):
        return False
    conditions = {one.get("type"): one for one in status.get("conditions") or ()}
    is_stuck = (conditions.get("Progressing") or {}).get("reason") == _STUCK
    if not is_stuck and status.get("updatedReplicas", 0) < status.get("replicas", 0):
        return False
    return bool((conditions.get("Available") or {}).get("status") == "True")
