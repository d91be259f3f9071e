"""A Kubernetes API in memory: enough of it for the controller, with refusals and outages on demand."""

import asyncio
import copy
import threading
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from fairlead.adapters.kube import FIELD_MANAGER, Changed, ConflictError, Listed, Object
from fairlead.errors import ClusterError

Key = tuple[str, str, str]
"""Kind, namespace, name."""


class MemoryCluster:
    """Objects with versions, watches, and a log of every write."""

    def __init__(self, *objects: Object) -> None:
        self._objects: dict[Key, dict[str, Any]] = {}
        self._applied: dict[Key, Object] = {}
        self._version = 0
        self._telling = threading.Lock()
        self._listeners: list[Callable[[Changed], None]] = []
        self._watches: list[tuple[Callable[[Object], bool], asyncio.Queue[Changed]]] = []
        self.writes: list[tuple[str, str, str]] = []
        """Verb, kind, name."""
        self.refusals: dict[tuple[str, str], ClusterError] = {}
        """What is raised for a verb and a kind; `*` = any kind."""
        for one in objects:
            self.put(one)

    @property
    def version(self) -> int:
        """The version of what was written last."""
        return self._version

    def version_of(self, kind: str, name: str, namespace: str = "fairlead") -> str:
        """Return an object's version; empty = it is not there."""
        found = self._objects.get((kind, namespace, name))
        return "" if found is None else str(found["metadata"]["resourceVersion"])

    def statuses(self, kind: str) -> list[dict[str, Any]]:
        """Return the statuses of a kind, not to be changed."""
        return [found.get("status", {}) for key, found in self._objects.items() if key[0] == kind]

    # As a user, or as another controller

    def put(self, found: Object) -> dict[str, Any]:
        """Make or change an object; a change of `spec` is a new generation."""
        key = _key(found)
        before = self._objects.get(key)
        stored: dict[str, Any] = copy.deepcopy(dict(found))
        metadata = stored["metadata"]
        if before is not None and _essence(before) == _essence(stored):
            return copy.deepcopy(before)
        self._version += 1
        metadata["resourceVersion"] = str(self._version)
        metadata["uid"] = before["metadata"]["uid"] if before else f"uid-{self._version}"
        generation = before["metadata"].get("generation", 1) if before else 1
        metadata["generation"] = generation + (before is not None and before.get("spec") != stored.get("spec"))
        if before is not None and "status" not in stored and "status" in before:
            stored["status"] = before["status"]
        self._objects[key] = stored
        self._tell(Changed(object=copy.deepcopy(stored), deleted=False), before)
        return copy.deepcopy(stored)

    def take(self, kind: str, name: str, namespace: str = "fairlead") -> None:
        """Delete an object."""
        gone = self._objects.pop((kind, namespace, name), None)
        self._applied.pop((kind, namespace, name), None)
        if gone is not None:
            self._tell(Changed(object=gone, deleted=True))

    def find(self, kind: str, name: str, namespace: str = "fairlead") -> dict[str, Any] | None:
        found = self._objects.get((kind, namespace, name))
        return copy.deepcopy(found)

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [copy.deepcopy(found) for key, found in sorted(self._objects.items()) if key[0] == kind]

    def _tell(self, changed: Changed, before: Object | None = None) -> None:
        with self._telling:
            for hear in self._listeners:
                hear(changed)
        for wants, queue in self._watches:
            if wants(changed.object):
                queue.put_nowait(changed)
            elif before is not None and wants(before):  # what leaves a selection is told as deleted
                queue.put_nowait(Changed(object=changed.object, deleted=True))

    @contextmanager
    def told(self, kinds: Collection[str], listener: Callable[[Object, bool], None]) -> Iterator[None]:
        """Tell somebody what there is of these kinds, and each change at once, with whether it was deleted.

        A kind whose watches are refused is not told.
        """
        heard = []
        for kind in kinds:
            with suppress(ClusterError):
                self._check("watch", kind)
                heard.append(kind)

        def hear(changed: Changed) -> None:
            if changed.object["kind"] in heard:
                listener(changed.object, changed.deleted)

        with self._telling:
            self._listeners.append(hear)
            for kind in heard:
                for found in self.all(kind):
                    listener(found, False)
        try:
            yield
        finally:
            self._listeners.remove(hear)

    # As `fairlead.adapters.kube.Kube`

    async def list(
        self, kind: str, *, namespace: str | None, labels: Mapping[str, str] | None = None
    ) -> tuple[Object, ...]:
        self._check("list", kind)
        wants = _wants(kind, namespace, labels)
        return tuple(copy.deepcopy(found) for _, found in sorted(self._objects.items()) if wants(found))

    async def watch(
        self, kind: str, *, namespace: str | None, labels: Mapping[str, str] | None = None
    ) -> AsyncIterator[Listed | Changed]:
        self._check("watch", kind)
        queue: asyncio.Queue[Changed] = asyncio.Queue()
        entry = _wants(kind, namespace, labels), queue
        self._watches.append(entry)
        try:
            yield Listed(objects=await self.list(kind, namespace=namespace, labels=labels))
            while True:
                yield await queue.get()
        finally:
            self._watches.remove(entry)

    async def get(self, kind: str, *, namespace: str | None, name: str) -> Object | None:
        self._check("get", kind)
        return self.find(kind, name, namespace or "")

    async def apply(self, manifest: Object) -> Object:
        self._wrote("apply", manifest["kind"], manifest["metadata"]["name"])
        key = _key(manifest)
        before = self._objects.get(key, {})
        self._check_version(before, manifest)
        kept = _without(before, self._applied.get(key), manifest)
        self._applied[key] = copy.deepcopy(dict(manifest))
        fields = [one for one in before.get("metadata", {}).get("managedFields", ()) if one != _APPLIED]
        return self.put(_merged(_merged(kept, manifest), {"metadata": {"managedFields": [*fields, _APPLIED]}}))

    async def apply_status(self, manifest: Object) -> Object | None:
        self._wrote("status", manifest["kind"], manifest["metadata"]["name"])
        before = self._objects.get(_key(manifest))
        if before is not None:
            self._check_version(before, manifest)
        return None if before is None else self.put({**before, "status": dict(manifest["status"])})

    async def merge(self, kind: str, *, namespace: str, name: str, patch: Object) -> Object | None:
        self._wrote("merge", kind, name)
        key = kind, namespace, name
        before = self._objects.get(key)
        if before is None:
            return None
        self._check_version(before, patch)
        merged = _merged(before, patch)
        if key not in self._applied and _APPLIED in patch.get("metadata", {}).get("managedFields", ()):
            self._applied[key] = copy.deepcopy(before)
        return self.put(merged)

    async def create(self, manifest: Object) -> Object:
        metadata = manifest["metadata"]
        name = metadata.get("name") or f"{metadata['generateName']}{self._version}"
        self._wrote("create", manifest["kind"], name)
        if (manifest["kind"], metadata.get("namespace", ""), name) in self._objects:
            raise ConflictError(f"{name} exists")
        fields = {} if manifest["kind"] == "Event" else {"managedFields": [_CREATED]}
        return self.put({**manifest, "metadata": {**metadata, "name": name, **fields}})

    async def replace(self, manifest: Object) -> Object:
        self._wrote("replace", manifest["kind"], manifest["metadata"]["name"])
        before = self._objects[_key(manifest)]
        if before["metadata"]["resourceVersion"] != manifest["metadata"]["resourceVersion"]:
            raise ConflictError("another was faster")
        return self.put(manifest)

    async def delete(self, kind: str, *, namespace: str, name: str, seen: Object | None = None) -> None:
        self._wrote("delete", kind, name)
        before = self._objects.get((kind, namespace, name))
        if before is not None and seen is not None:
            self._check_version(before, seen)
            if before["metadata"]["uid"] != seen["metadata"]["uid"]:
                raise ConflictError("it is another object")
        self.take(kind, name, namespace)

    def _check_version(self, before: Object, given: Object) -> None:
        """As a real API server does: a version refuses nothing where no object is, the object is made."""
        expected = given.get("metadata", {}).get("resourceVersion")
        if before and expected is not None and expected != before["metadata"]["resourceVersion"]:
            raise ConflictError("another was faster")

    def _check(self, verb: str, kind: str) -> None:
        for refused in ((verb, kind), (verb, "*"), ("*", kind), ("*", "*")):
            if refused in self.refusals:
                raise self.refusals[refused]

    def _wrote(self, verb: str, kind: str, name: str) -> None:
        self._check(verb, kind)
        self.writes.append((verb, kind, name))


_APPLIED = {"manager": FIELD_MANAGER, "operation": "Apply"}
_CREATED = {"manager": FIELD_MANAGER, "operation": "Update"}


def _without(found: Any, applied: Any, wanted: Any) -> Any:
    """Take away what was applied before and is not any more; what was only created stays."""
    if not (isinstance(found, Mapping) and isinstance(applied, Mapping) and isinstance(wanted, Mapping)):
        return found
    return {
        field: _without(value, applied.get(field), wanted.get(field))
        for field, value in found.items()
        if field not in applied or field in wanted or field in _GIVEN
    }


_GIVEN = ("resourceVersion", "uid", "generation", "managedFields")


def _essence(found: Object) -> Object:
    metadata = {name: value for name, value in found["metadata"].items() if name not in _GIVEN[:3]}
    return {**found, "metadata": metadata}


def _key(found: Object) -> Key:
    return found["kind"], found["metadata"].get("namespace", ""), found["metadata"]["name"]


def _wants(kind: str, namespace: str | None, labels: Mapping[str, str] | None) -> Callable[[Object], bool]:
    def wants(found: Object) -> bool:
        metadata = found["metadata"]
        return (
            found["kind"] == kind
            and namespace in (None, metadata.get("namespace", ""))
            and (labels or {}).items() <= metadata.get("labels", {}).items()
        )

    return wants


def _merged(before: Any, patch: Any) -> Any:
    """Merge by RFC 7386: a null takes a field away."""
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    merged = copy.deepcopy(dict(before)) if isinstance(before, Mapping) else {}
    for field, value in patch.items():
        if value is None:
            merged.pop(field, None)
        else:
            merged[field] = _merged(merged.get(field), value)
    return merged
