"""Every object that the operator writes: wanted, compared with what is there, applied, repaired, forgotten.

A lane is a sequence of objects of which none may be written before the one in front of it, for example a region's. Each
lane has one writer, and there is one `bring` at a time. A lane that fails ends there; the others go on, and all have
ended when `bring` ends, so that a retry never meets a write of the attempt before.

A write whose answer was lost may still land, much later. So each one names the version that it was compared with, and
an API server refuses it when the object has another by then (409). What was not there is created, which is refused when
it is there by then. After a refusal the object is read: if its content is the one that was compared (only others'
fields changed, a status for example), it is written at the new version; if another operator's stands there, the pass
fails, and the next one compares anew, if this operator still leads. Deletions are alike. One case is left, since no API
server refuses it: a late write that lands after its object was deleted makes it once more; the watch shows it, and the
next pass mends it.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from structlog.typing import FilteringBoundLogger

from fairlead.adapters.clock import Clock
from fairlead.adapters.kube import FIELD_MANAGER, ConflictError, InvalidError, Kube
from fairlead.controller.live import Live
from fairlead.controller.metrics import Metrics
from fairlead.controller.plan import RENDERED_ANNOTATION, Plan, plan
from fairlead.errors import ClusterError
from fairlead.manifests import OWNED_KINDS
from fairlead.runtime.parallel import each

Object = Mapping[str, Any]
Key = tuple[str, str]
"""Kind and name."""
Content = tuple[str, str | None] | None
"""What tells what we wrote of an object from what we or another operator wrote later: its uid and its stamp."""

_AT_ONCE = 8
_TRIES = 6
"""How often an object is read and written again because others' fields of it changed meanwhile."""
REPAIR_PAUSE_S = 1.0
"""Between two repairs of one object: somebody who writes it all the time costs no more than one write a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Where a lane ended, and why."""

    manifest: Object
    error: ClusterError


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What came of bringing objects."""

    failed: Mapping[str, Failure]
    """Lanes that did not come to their end."""
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
        self._compared: dict[Key, Content] = {}
        self._addresses: dict[str, str] = {}

    def compare(self, desired: Iterable[Object], *, keep: Collection[str] = ()) -> Plan:
        """Compare all that is wanted with all that is there, and forget what is not wanted any more.

        `keep` are names (and what begins with one and a dash) that stay as they are, because they could not be made.
        """
        wanted = tuple(desired)
        there = [found for kind in OWNED_KINDS for found in self._live.of_kind(kind)]
        names = {_key(manifest) for manifest in wanted}
        self._written = {key: digest for key, digest in self._written.items() if key in names}
        self._repaired = {key: moment for key, moment in self._repaired.items() if key in names}
        self._compared = {key: _content(self._live.get(*key)) for key in names}
        self._note_addresses(names)
        self._metrics.objects.set(len(names))
        return plan(wanted, there, owner_uid=self._owner_uid, keep=keep)

    async def bring(self, objects: Sequence[Object], lane: Callable[[Object], str]) -> Brought:
        """Apply objects of the last comparison, those of one lane in their order; then no write is under way."""
        failed: dict[str, Failure] = {}
        waits: list[float] = []

        async def write(name: str, group: Sequence[Object]) -> None:
            for manifest in group:
                try:
                    waits.append(await self._bring(manifest))
                except ClusterError as error:
                    failed[name] = Failure(manifest=manifest, error=error)
                    return

        lanes = [(name, tuple(group)) for name, group in groupby(sorted(objects, key=lane), key=lane)]
        await each(lanes, lambda one: write(*one), at_once=_AT_ONCE)
        return Brought(failed=failed, later_s=min((seconds for seconds in waits if seconds > 0), default=None))

    async def delete(self, objects: Iterable[Object]) -> None:
        """Delete objects of the last comparison, one after the other; raises `ClusterError`."""
        for found in objects:
            kind, name = _key(found)
            await self._delete(found)
            self._live.remove(kind, name)
            self._wrote("delete", kind, name)

    async def _delete(self, compared: Object) -> None:
        """Delete just what was compared: what somebody made or wrote since is another thing. Who is faster is well."""
        kind, name = _key(compared)
        found: Object | None = compared
        for attempt in range(1, _TRIES + 1):
            if found is None:
                return
            if _content(found) != _content(compared):
                raise ConflictError(f"delete {kind} {name}: somebody else wrote it since it was compared")
            try:
                await self._kube.delete(kind, namespace=self._namespace, name=name, seen=found)
            except ConflictError:
                self._metrics.conflicts.labels(kind).inc()
                if attempt == _TRIES:
                    raise
                await self._look(kind, name)
                found = self._live.get(kind, name)
            else:
                return

    async def _bring(self, manifest: Object) -> float:
        """Apply an object; return the seconds that it has to wait instead, because it was repaired just now."""
        key, digest = _key(manifest), _stamp(manifest)
        is_repair = self._written.get(key) == digest
        now = self._clock.monotonic()
        if is_repair:
            due = self._repaired.get(key, now - REPAIR_PAUSE_S) + REPAIR_PAUSE_S
            if due > now:
                return due - now
            self._repaired[key] = now
        await self._write(manifest)
        self._written[key] = str(digest)
        if is_repair:
            kind, name = key
            self._metrics.repairs.labels(kind).inc()
            self._log.warning("repaired", what=f"{kind} {name} was deleted or edited by somebody else")
        return 0.0

    async def _write(self, manifest: Object) -> None:
        kind, name = _key(manifest)
        for attempt in range(1, _TRIES + 1):
            found = self._live.get(kind, name)
            if _content(found) != self._compared[kind, name]:
                raise ConflictError(f"apply {kind} {name}: somebody else wrote it since it was compared")
            try:
                written = await (self._create(manifest) if found is None else self._apply(manifest, found))
            except ConflictError:
                self._metrics.conflicts.labels(kind).inc()
                if attempt == _TRIES:
                    raise
                await self._look(kind, name)
            else:
                self._live.put({**written, "kind": kind})
                self._compared[kind, name] = _content(written)
                self._wrote("create" if found is None else "apply", kind, name)
                return

    async def _create(self, manifest: Object) -> Object:
        """Create an object, and stamp it when its fields are known to be ours: without a stamp it is not done."""
        metadata = manifest["metadata"]
        annotations = {name: word for name, word in metadata["annotations"].items() if name != RENDERED_ANNOTATION}
        whole = self._scaled(manifest, None)
        created = await self._create_at_its_address({**whole, "metadata": {**metadata, "annotations": annotations}})
        stamp = {RENDERED_ANNOTATION: metadata["annotations"][RENDERED_ANNOTATION]}
        return await self._adopt({**created, "kind": manifest["kind"]}, stamp)

    async def _create_at_its_address(self, manifest: Object) -> Object:
        """Create an object; a Service that somebody deleted keeps the address that clients may have, if it is free."""
        address = self._addresses.pop(manifest["metadata"]["name"], None) if manifest["kind"] == "Service" else None
        if address is None:
            return await self._kube.create(manifest)
        try:
            return await self._kube.create({**manifest, "spec": {**manifest["spec"], "clusterIP": address}})
        except InvalidError:
            return await self._kube.create(manifest)

    def _note_addresses(self, wanted: Collection[Key]) -> None:
        """Remember the address of each Service, in case that somebody deletes it."""
        there = {found["metadata"]["name"]: found for found in self._live.of_kind("Service")}
        seen = {name: found.get("spec", {}).get("clusterIP") for name, found in there.items()}
        known = self._addresses | {name: address for name, address in seen.items() if address not in (None, "None")}
        self._addresses = {name: address for name, address in known.items() if ("Service", name) in wanted}

    async def _apply(self, manifest: Object, found: Object) -> Object:
        """Apply at the version that was compared; what has no stamp may be a creation that was not finished."""
        if _stamp(found) is None:
            kind, name = _key(found)
            now = await self._read(kind, name) or found
            if _content(now) != _content(found):
                raise ConflictError(f"apply {kind} {name}: somebody else finished it since it was compared")
            found = await self._adopt({**now, "kind": kind}, {})
        metadata = {**manifest["metadata"], "resourceVersion": _version(found)}
        return await self._kube.apply({**self._scaled(manifest, found), "metadata": metadata})

    def _scaled(self, manifest: Object, found: Object | None) -> Object:
        """State how many pods an autoscaler has chosen: what was stated once and is not any more falls back to one.

        It is the number at the version that is written to, so never one that the autoscaler has changed since.
        """
        if manifest["kind"] != "Deployment" or "replicas" in manifest["spec"]:
            return manifest
        scaler = self._live.get("HorizontalPodAutoscaler", manifest["metadata"]["name"]) or {}
        least = scaler.get("spec", {}).get("minReplicas", 1)
        replicas = (found or {}).get("spec", {}).get("replicas", least)
        return {**manifest, "spec": {**manifest["spec"], "replicas": replicas}}

    async def _adopt(self, found: Object, annotations: Mapping[str, str]) -> Object:
        """Note that an object's fields were applied, as it were: a field that is created goes with no later apply."""
        fields = [
            {**entry, "operation": "Apply"} if _is_of_creation(entry) else entry
            for entry in found["metadata"].get("managedFields", ())
        ]
        metadata = {"resourceVersion": _version(found), "managedFields": fields, "annotations": dict(annotations)}
        name = found["metadata"]["name"]
        kind = str(found["kind"])
        adopted = await self._kube.merge(kind, namespace=self._namespace, name=name, patch={"metadata": metadata})
        if adopted is None:
            raise ConflictError(f"{kind} {name} was deleted while it was created")
        return adopted

    async def _look(self, kind: str, name: str) -> None:
        found = await self._read(kind, name)
        if found is None:
            self._live.remove(kind, name)
        else:
            self._live.put({**found, "kind": kind})

    async def _read(self, kind: str, name: str) -> Object | None:
        """Read one object by what the operator may do anyway; not by its labels, which somebody may have taken away."""
        found = await self._kube.list(kind, namespace=self._namespace)
        return next((one for one in found if one["metadata"]["name"] == name), None)

    def _wrote(self, verb: str, kind: str, name: str) -> None:
        self._metrics.writes.labels(verb, kind).inc()
        self._log.info(verb, what=f"{kind} {name}")


def _key(found: Object) -> Key:
    return found["kind"], found["metadata"]["name"]


def _stamp(found: Object | None) -> str | None:
    """Return what an object was rendered as when it was applied; None = it is not there, or nobody finished it."""
    stamp: str | None = ((found or {}).get("metadata", {}).get("annotations") or {}).get(RENDERED_ANNOTATION)
    return stamp


def _content(found: Object | None) -> Content:
    return None if found is None else (str(found["metadata"].get("uid", "")), _stamp(found))


def _version(found: Object) -> str:
    return str(found["metadata"]["resourceVersion"])


def _is_of_creation(entry: Object) -> bool:
    return entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Update" and not entry.get("subresource")
