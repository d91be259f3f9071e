"""Making kubelets refresh a pod's mounts at once: by an annotation, at most once a second for each pod.

A kubelet left alone takes a minute to notice that a ConfigMap changed; a changed annotation makes it look now. It syncs
a pod about once a second, so changes that come faster wait for each other. It learns of pods and of ConfigMaps by
different watches: a large ConfigMap may come after the annotation that points to it, and then one more nudge is due.
"""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from fairlead.adapters.clock import Clock
from fairlead.adapters.kube import Kube
from fairlead.controller.live import Live
from fairlead.controller.metrics import Metrics
from fairlead.runtime.parallel import each

Object = Mapping[str, Any]
Metadata = Mapping[str, Mapping[str, str]]
"""`annotations` and `labels` of a pod."""

AGAIN_ANNOTATION = "fairlead.dev/nudge"
"""On a gateway pod: how often it was nudged once more, because it had not followed."""
_COUNT = re.compile(r"[0-9]{1,18}")
_AT_ONCE = 8
_BETWEEN_S = 1.0
_AGAIN_AFTER_S = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""How long after the last nudge the next one for the same is due. Then a kubelet has looked by itself."""


class Nudges:
    """When each pod was last nudged."""

    def __init__(self, kube: Kube, clock: Clock, *, namespace: str, live: Live, metrics: Metrics) -> None:
        self._kube, self._clock, self._namespace = kube, clock, namespace
        self._live, self._metrics = live, metrics
        self._last: dict[str, float] = {}
        self._again: dict[str, int] = {}

    async def tell(self, wanted: Callable[[Object], Metadata]) -> tuple[int, float | None]:
        """Give each pod the annotations and labels that are wanted of it; raises `ClusterError`.

        Returns how many were nudged, and in how many seconds the next may be; None = all have theirs.
        """
        now = self._clock.monotonic()
        pods = {pod["metadata"]["name"]: pod for pod in self._live.of_kind("Pod")}
        self._last = {name: moment for name, moment in self._last.items() if name in pods}
        self._again = {name: count for name, count in self._again.items() if name in pods}
        lacking = {name: lacks for name, pod in pods.items() if (lacks := _lacking(pod, wanted(pod)))}
        due = {name: self._last.get(name, now - _BETWEEN_S) + _BETWEEN_S for name in lacking}
        ready = [name for name, moment in due.items() if moment <= now]
        await each(ready, lambda name: self._patch(name, lacking[name]), at_once=_AT_ONCE)
        self._again.update(dict.fromkeys(ready, 0))
        later = [moment - now for moment in due.values() if moment > now]
        return len(ready), min(later, default=None)

    async def again(self, behind: Collection[str]) -> None:
        """Nudge pods once more that do not serve what they were nudged for, ever more slowly; raises `ClusterError`."""
        now = self._clock.monotonic()
        for pod in self._live.of_kind("Pod"):
            name = pod["metadata"]["name"]
            if name not in behind:
                continue
            count = self._again.get(name, 0)
            if count < len(_AGAIN_AFTER_S) and now - self._last.setdefault(name, now) >= _AGAIN_AFTER_S[count]:
                self._again[name] = count + 1
                before = pod["metadata"].get("annotations", {}).get(AGAIN_ANNOTATION, "")
                told = int(before) if _COUNT.fullmatch(before) else 0  # anybody may have edited it
                await self._patch(name, {"annotations": {AGAIN_ANNOTATION: str(told + 1)}})

    async def _patch(self, name: str, metadata: Metadata) -> None:
        patch = {"metadata": {field: dict(values) for field, values in metadata.items()}}
        patched = await self._kube.merge("Pod", namespace=self._namespace, name=name, patch=patch)
        self._last[name] = self._clock.monotonic()
        if patched is not None:
            self._live.put({**patched, "kind": "Pod"})
            self._metrics.writes.labels("patch", "Pod").inc()


def _lacking(pod: Object, wanted: Metadata) -> Metadata:
    """Return what a pod has not of what is wanted; nothing for one that is about to end."""
    if "deletionTimestamp" in pod["metadata"]:
        return {}
    lacks = {}
    for field, values in wanted.items():
        there = pod["metadata"].get(field) or {}
        if missing := {name: value for name, value in values.items() if there.get(name) != value}:
            lacks[field] = missing
    return lacks
