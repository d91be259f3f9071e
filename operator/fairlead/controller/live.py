"""What the operator owns in the cluster, as the API server has it: the other half of every comparison."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fairlead.adapters.kube import Changed, Kube, Listed

Object = Mapping[str, Any]


class Live:
    """Objects of the gateways and their pods, by kind and name, in one namespace."""

    def __init__(self) -> None:
        self._objects: dict[tuple[str, str], Object] = {}
        self._listed: set[str] = set()

    def put(self, found: Object) -> bool:
        """Take an object, unless a newer version is known; tell whether it was news."""
        key = found["kind"], found["metadata"]["name"]
        known = self._objects.get(key)
        if known is not None and _version(known) >= _version(found):
            return False
        metadata = {field: value for field, value in found["metadata"].items() if field != "managedFields"}
        self._objects[key] = {**found, "metadata": metadata}
        return True

    def remove(self, kind: str, name: str) -> bool:
        """Forget an object that is gone; tell whether it was known."""
        return self._objects.pop((kind, name), None) is not None

    def replace(self, kind: str, found: Iterable[Object]) -> None:
        """Take a whole list of one kind."""
        listed = {one["metadata"]["name"]: one for one in found}
        for name in [name for known, name in self._objects if known == kind and name not in listed]:
            self.remove(kind, name)
        for one in listed.values():
            self.put(one)
        self._listed.add(kind)

    def has_listed(self, kinds: Iterable[str]) -> bool:
        """Tell whether each of these kinds was listed once, so that absence means absence."""
        return self._listed.issuperset(kinds)

    def get(self, kind: str, name: str) -> Object | None:
        """Return one object, or None."""
        return self._objects.get((kind, name))

    def of_kind(self, kind: str) -> tuple[Object, ...]:
        """Return all objects of a kind, sorted by name."""
        return tuple(self._objects[key] for key in sorted(self._objects) if key[0] == kind)


def _version(found: Object) -> int:
    """Order versions of one object: the API server promises that they are integers that grow."""
    return int(found["metadata"].get("resourceVersion") or 0)


async def follow(
    kube: Kube, live: Live, kind: str, *, namespace: str, labels: Mapping[str, str], changed: Callable[[], None]
) -> None:
    """Keep one kind up to date until the watch fails; raises `ClusterError`."""
    async for told in kube.watch(kind, namespace=namespace, labels=labels):
        match told:
            case Listed(objects=objects):
                live.replace(kind, objects)
                changed()
            case Changed(object=found, deleted=True):
                if live.remove(kind, found["metadata"]["name"]):
                    changed()
            case Changed(object=found):
                if live.put(found):
                    changed()
