"""What a pass starts from: the view of what users wrote, and consumers' keys. Kept by watches, lists and polls."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import Any

from structlog.typing import FilteringBoundLogger

from fairlead.adapters.clock import Clock
from fairlead.adapters.kube import USER_KINDS, Kube
from fairlead.api.meta import ObjectKey
from fairlead.compiler import Manifest, Snapshot
from fairlead.controller import handlers
from fairlead.controller.context import Context
from fairlead.controller.keys import KeyRing, wanted_refs
from fairlead.controller.metrics import Metrics
from fairlead.controller.view import View, key_of
from fairlead.runtime.snapshot import SecretName, snapshot

Object = Mapping[str, Any]


class Inputs:
    """The view and the keys. `changed` is called whenever a pass would start from something else than before."""

    def __init__(
        self,
        *,
        kube: Kube,
        clock: Clock,
        context: Context,
        metrics: Metrics,
        log: FilteringBoundLogger,
        changed: Callable[[], None],
    ) -> None:
        self._kube, self._clock, self._context = kube, clock, context
        self._metrics, self._log, self._changed = metrics, log, changed
        self.view = View()
        self.keys = KeyRing(kube)
        self._listed = False
        self._due: set[SecretName] = set()

    async def watch(self) -> None:
        """Let kopf watch, in a thread with a loop of its own; when it ends, once more. Ends when it is cancelled."""
        loop, stop = asyncio.get_running_loop(), threading.Event()

        def told(found: Object, deleted: bool) -> None:
            loop.call_soon_threadsafe(self._take, found, deleted)

        try:
            while True:
                try:
                    await asyncio.to_thread(
                        handlers.watch,
                        told,
                        namespaces=self._context.watched_namespaces,
                        identity=self._context.identity,
                        stop=stop,
                    )
                except Exception as error:  # noqa: BLE001  kopf's errors have no common base; all mean: watch again
                    self._metrics.errors.labels("watch").inc()
                    self._log.warning("try again", what=f"watch: {error}")
                await self._clock.sleep(1.0)
        finally:
            stop.set()

    def _take(self, found: Object, deleted: bool) -> None:
        key = key_of(found)
        differs = self.view.remove(key) if deleted else self.view.put(found)
        if not differs:
            return
        if key.kind == "ModelConsumer":
            self._due |= {(ref.namespace, ref.name) for ref in wanted_refs([found], home=self._context.namespace)}
        self._changed()

    async def list_all(self) -> None:
        """List everything: what a watch missed, deletions above all, is known then; raises `ClusterError`."""
        differs = [
            await self._list(kind, namespace)
            for kind in USER_KINDS
            for namespace in self._context.watched_namespaces or (None,)
        ]
        differs.append(await self._list_namespaces())
        first, self._listed = not self._listed, True
        if first or any(differs):
            self._changed()

    async def _list(self, kind: str, namespace: str | None) -> bool:
        asked_at = self.view.moment
        found = await self._kube.list(kind, namespace=namespace)
        return self.view.replace(kind, found, asked_at=asked_at, namespace=namespace)

    async def _list_namespaces(self) -> bool:
        """List Namespaces for their labels; where not all are watched, get the few by name."""
        asked_at = self.view.moment
        named = self._context.watched_namespaces
        if not named:
            return self.view.replace("Namespace", await self._kube.list("Namespace", namespace=None), asked_at=asked_at)
        found = [await self._kube.get("Namespace", namespace=None, name=name) for name in named]
        there = [namespace for namespace in found if namespace is not None]
        return self.view.replace("Namespace", there, asked_at=asked_at)

    async def read_keys(self) -> None:
        """Read every Secret of every consumer again; raises `ClusterError`."""
        wanted = self._wanted()
        self.keys.forget_all_but(wanted)
        if await self.keys.read(wanted):
            self._changed()

    async def are_whole(self) -> bool:
        """Tell whether the picture is whole, reading keys that are due: half a picture would take routes away."""
        if not self._listed:
            return False
        due = {*self.keys.missing(self._wanted()), *self._due.intersection(self._wanted())}
        self._due.clear()
        if due:
            await self.keys.read(due)
        return not self.keys.missing(due)

    def snapshot(self) -> Snapshot:
        """Return everything as it is now, keys as fingerprints."""
        refs = wanted_refs(self.view.of_kind("ModelConsumer"), home=self._context.namespace)
        manifests = [Manifest(content=written) for written in self.view.written()]
        return snapshot(manifests, self.keys.values, unreadable=self.keys.unreadable(refs))

    def born(self, consumer: str) -> str:
        """Return when a ModelConsumer (`namespace/name`) was made, as the API server writes it; it sorts by time."""
        namespace, _, name = consumer.partition("/")
        found = self.view.get(ObjectKey(kind="ModelConsumer", namespace=namespace, name=name))
        return str((found or {}).get("metadata", {}).get("creationTimestamp", ""))

    def _wanted(self) -> tuple[SecretName, ...]:
        refs = wanted_refs(self.view.of_kind("ModelConsumer"), home=self._context.namespace)
        return tuple(sorted({(ref.namespace, ref.name) for ref in refs}))
