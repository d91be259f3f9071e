"""Making kubelets refresh a pod's mounts at once: by an annotation, at most once a second for each pod.

A kubelet left alone takes a minute to notice that a ConfigMap changed; a changed annotation makes it look now. It syncs
a pod about once a second, so changes that come faster wait for each other.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from fairlead.adapters.clock import Clock
from fairlead.adapters.kube import Kube
from fairlead.controller.live import Live
from fairlead.controller.metrics import Metrics

Object = Mapping[str, Any]

_BETWEEN_S = 1.0


class Nudges:
    """When each pod was last nudged."""

    def __init__(self, kube: Kube, clock: Clock, *, namespace: str, live: Live, metrics: Metrics) -> None:
        self._kube, self._clock, self._namespace = kube, clock, namespace
        self._live, self._metrics = live, metrics
        self._last: dict[str, float] = {}

    async def tell(self, wanted: Callable[[Object], Mapping[str, str]]) -> tuple[int, float | None]:
        """Give each pod the annotations that are wanted of it; raises `ClusterError`.

        Returns how many were nudged, and in how many seconds the next may be; None = all have theirs.
        """
        now = self._clock.monotonic()
        pods = {pod["metadata"]["name"]: pod for pod in self._live.of_kind("Pod")}
        self._last = {name: moment for name, moment in self._last.items() if name in pods}
        lacking = {name: lacks for name, pod in pods.items() if (lacks := _lacking(pod, wanted(pod)))}
        due = {name: self._last.get(name, now - _BETWEEN_S) + _BETWEEN_S for name in lacking}
        ready = [name for name, moment in due.items() if moment <= now]
        await asyncio.gather(*(self._annotate(name, lacking[name]) for name in ready))
        later = [moment - now for moment in due.values() if moment > now]
        return len(ready), min(later, default=None)

    async def _annotate(self, name: str, annotations: Mapping[str, str]) -> None:
        patch = {"metadata": {"annotations": dict(annotations)}}
        patched = await self._kube.merge("Pod", namespace=self._namespace, name=name, patch=patch)
        self._last[name] = self._clock.monotonic()
        if patched is not None:
            self._live.put({**patched, "kind": "Pod"})
            self._metrics.writes.labels("patch", "Pod").inc()


def _lacking(pod: Object, wanted: Mapping[str, str]) -> Mapping[str, str]:
    """Return the annotations that a pod has not; none for one that is about to end."""
    if "deletionTimestamp" in pod["metadata"]:
        return {}
    there = pod["metadata"].get("annotations", {})
    return {name: value for name, value in wanted.items() if there.get(name) != value}
