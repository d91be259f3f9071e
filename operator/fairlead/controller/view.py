"""Everything that users wrote, as watches and lists last told it: the operator's only picture of spec and status.

Two sources keep it: watches, which are fast but say nothing of what was deleted while they were away, and lists, which
say everything but a moment late. A list never undoes what a watch told while the list was on its way.
"""

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from fairlead.api.meta import ObjectKey

Object = Mapping[str, Any]

_KEPT = ("name", "namespace", "labels", "annotations", "creationTimestamp", "generation", "uid", "resourceVersion")


class View:
    """Objects by key. Kept small: no managed fields, and words that thousands of objects have are there once."""

    def __init__(self) -> None:
        self._objects: dict[ObjectKey, Object] = {}
        self._written: dict[ObjectKey, Object] = {}
        """Of each, what people wrote: the same object until it differs, so that who reads it need not read it again."""
        self._told: dict[ObjectKey, int] = {}
        self._moment = 0

    @property
    def moment(self) -> int:
        """Return a number that grows with everything that is told; note it before a list is asked for."""
        return self._moment

    def put(self, found: Object) -> bool:
        """Take an object, unless this version or a newer one is known; tell whether anything but its status differs."""
        key = key_of(found)
        before = self._objects.get(key)
        is_same = before is not None and before["metadata"].get("uid") == found["metadata"].get("uid")
        if before is not None and is_same and _version(found) < _version(before):
            return False
        self._tell(key)
        if before is not None and is_same and 0 < _version(found) == _version(before):
            return False
        trimmed = _trimmed(found)
        written = _essence(trimmed)
        differs = self._written.get(key) != written
        if differs:
            self._written[key] = written
        elif "spec" in trimmed:
            trimmed = {**trimmed, "spec": self._written[key]["spec"]}
        self._objects[key] = trimmed
        return differs

    def remove(self, key: ObjectKey) -> bool:
        """Forget an object that is gone; tell whether it was known."""
        self._tell(key)
        self._written.pop(key, None)
        return self._objects.pop(key, None) is not None

    def replace(self, kind: str, found: Iterable[Object], *, asked_at: int, namespace: str | None = None) -> bool:
        """Take a list of a whole kind, or of one namespace, asked for at moment `asked_at`; tell whether it differs."""
        listed = {key_of(one): one for one in found}
        unseen = [
            key
            for key in self._objects
            if key.kind == kind
            and key not in listed
            and namespace in (None, key.namespace)
            and not self._since(key, asked_at)
        ]
        differs = [self.remove(key) for key in unseen]
        differs += [
            self.put(one) for key, one in listed.items() if key in self._objects or not self._since(key, asked_at)
        ]
        # What was removed before any list that may still come needs no memory.
        self._told = {key: moment for key, moment in self._told.items() if key in self._objects or moment > asked_at}
        return any(differs)

    def get(self, key: ObjectKey) -> Object | None:
        """Return one object, or None."""
        return self._objects.get(key)

    def of_kind(self, kind: str) -> tuple[Object, ...]:
        """Return all objects of a kind, sorted by key."""
        return tuple(self._objects[key] for key in sorted(self._objects) if key.kind == kind)

    def written(self) -> tuple[Object, ...]:
        """Return what people wrote of all objects, sorted by key: without status and version."""
        return tuple(self._written[key] for key in sorted(self._written))

    def _tell(self, key: ObjectKey) -> None:
        self._moment += 1
        self._told[key] = self._moment

    def _since(self, key: ObjectKey, asked_at: int) -> bool:
        return self._told.get(key, 0) > asked_at


def key_of(found: Object) -> ObjectKey:
    """Identify an object; a Namespace has no namespace."""
    metadata = found["metadata"]
    return ObjectKey(kind=found["kind"], namespace=metadata.get("namespace", ""), name=metadata["name"])


def _version(found: Object) -> int:
    """Order versions of one object: the API server promises that they are integers that grow."""
    return int(found["metadata"].get("resourceVersion") or 0)


def _trimmed(found: Object) -> Object:
    metadata = {field: value for field, value in found["metadata"].items() if field in _KEPT}
    trimmed: Object = _with_shared_words({**found, "metadata": metadata})
    return trimmed


def _with_shared_words(value: Any) -> Any:
    """Return an equal value: each object comes with words of its own, which take most of what it takes."""
    match value:
        case str():
            return sys.intern(value) if type(value) is str else value
        case dict():
            return {sys.intern(field): _with_shared_words(one) for field, one in value.items()}
        case list():
            return [_with_shared_words(one) for one in value]
        case _:
            return value


def _essence(found: Object) -> Object:
    metadata = {field: value for field, value in found["metadata"].items() if field != "resourceVersion"}
    return {**{field: value for field, value in found.items() if field != "status"}, "metadata": metadata}
