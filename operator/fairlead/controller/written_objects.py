"""Every object that the operator writes: wanted, compared with what is there, applied, repaired, forgotten.

A lane is a sequence of objects of which none may be written before the one in front of it, for example a region's. Each
lane has one writer, and there is one `bring` at a time. A lane that fails ends there; the others go on, and all have
ended when `bring` ends, so that a retry never meets a write of the attempt before. A ConfigMap is written at the
version that was compared: a write whose answer was lost, and that comes late, is refused, never put over a newer one.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from structlog.typing import FilteringBoundLogger

from fairlead.adapters.clock import Clock
from fairlead.adapters.kube import ConflictError, Kube
from fairlead.controller.live import Live
from fairlead.controller.metrics import Metrics
from fairlead.controller.plan import RENDERED_ANNOTATION, Plan, plan
from fairlead.errors import ClusterError
from fairlead.manifests import OWNED_KINDS

Object = Mapping[str, Any]
Key = tuple[str, str]
"""Kind and name."""

_AT_ONCE = 8
_TRIES = 4
"""How often an object is compared and written again because somebody else was faster."""
REPAIR_PAUSE_S = 1.0
"""Between two repairs of one object: somebody who writes it all the time costs no more than one write a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What came of bringing objects."""

    failed: Mapping[str, ClusterError]
    """Lanes that did not come to their end, with why."""
    later_s: float | None
    """When the repairs that had to wait may be done; None = none had to."""


class WrittenObjects:
    """What of the cluster is this operator's, and what it wrote last of each. Never more than is wanted."""

    def __init__(
        self,
        *,
        kube: Kube,
        clock: Clock,
        live: Live,
        metrics: Metrics,
        log: FilteringBoundLogger,
        namespace: str,
        owner_uid: str,
    ) -> None:
        self._kube, self._clock, self._live = kube, clock, live
        self._metrics, self._log = metrics, log
        self._namespace, self._owner_uid = namespace, owner_uid
        self._written: dict[Key, str] = {}
        self._repaired: dict[Key, float] = {}

    def compare(self, desired: Iterable[Object], *, keep: Collection[str] = ()) -> Plan:
        """Compare all that is wanted with all that is there, and forget what is not wanted any more.

        `keep` are names (and what begins with one and a dash) that stay as they are, because they could not be made.
        """
        wanted = tuple(desired)
        there = [found for kind in OWNED_KINDS for found in self._live.of_kind(kind)]
        names = {_key(manifest) for manifest in wanted}
        self._written = {key: digest for key, digest in self._written.items() if key in names}
        self._repaired = {key: moment for key, moment in self._repaired.items() if key in names}
        return plan(wanted, there, owner_uid=self._owner_uid, keep=keep)

    async def bring(self, objects: Sequence[Object], lane: Callable[[Object], str]) -> Brought:
        """Apply objects, those of one lane in their order; when it returns, no write is under way."""
        gate = asyncio.Semaphore(_AT_ONCE)
        failed: dict[str, ClusterError] = {}
        waits: list[float] = []

        async def write(name: str, group: Sequence[Object]) -> None:
            async with gate:
                try:
                    waits.extend([await self._bring(manifest) for manifest in group])
                except ClusterError as error:
                    failed[name] = error

        async with asyncio.TaskGroup() as lanes:
            for name, group in groupby(sorted(objects, key=lane), key=lane):
                lanes.create_task(write(name, tuple(group)))
        return Brought(failed=failed, later_s=min((seconds for seconds in waits if seconds > 0), default=None))

    async def delete(self, objects: Iterable[Object]) -> None:
        """Delete objects, one after the other; raises `ClusterError`."""
        for found in objects:
            kind, name = _key(found)
            await self._kube.delete(kind, namespace=self._namespace, name=name)
            self._live.remove(kind, name)
            self._wrote("delete", kind, name)

    async def _bring(self, manifest: Object) -> float:
        """Apply an object; return the seconds that it has to wait instead, because it was repaired just now."""
        key, digest = _key(manifest), manifest["metadata"]["annotations"][RENDERED_ANNOTATION]
        is_repair = self._written.get(key) == digest
        now = self._clock.monotonic()
        if is_repair:
            due = self._repaired.get(key, now - REPAIR_PAUSE_S) + REPAIR_PAUSE_S
            if due > now:
                return due - now
            self._repaired[key] = now
        await self._apply(manifest)
        self._written[key] = digest
        if is_repair:
            kind, name = key
            self._metrics.repairs.labels(kind).inc()
            self._log.warning("repaired", what=f"{kind} {name} was deleted or edited by somebody else")
        return 0.0

    async def _apply(self, manifest: Object) -> None:
        kind, name = _key(manifest)
        for attempt in range(1, _TRIES + 1):
            try:
                applied = await self._kube.apply(self._at_its_version(manifest))
            except ConflictError:
                if attempt == _TRIES:
                    raise
                await self._look(kind, name)
            else:
                self._live.put({**applied, "kind": kind})
                self._wrote("apply", kind, name)
                return

    def _at_its_version(self, manifest: Object) -> Object:
        """Name the version that was compared. Others change all the time by their status, which is not ours."""
        kind, name = _key(manifest)
        found = self._live.get(kind, name) if kind == "ConfigMap" else None
        if found is None:
            return manifest
        return {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": _version(found)}}

    async def _look(self, kind: str, name: str) -> None:
        found = await self._kube.get(kind, namespace=self._namespace, name=name)
        if found is None:
            self._live.remove(kind, name)
        else:
            self._live.put({**found, "kind": kind})

    def _wrote(self, verb: str, kind: str, name: str) -> None:
        self._metrics.writes.labels(verb, kind).inc()
        self._log.info(verb, what=f"{kind} {name}")


def _key(found: Object) -> Key:
    return found["kind"], found["metadata"]["name"]


def _version(found: Object) -> str:
    return str(found["metadata"]["resourceVersion"])
