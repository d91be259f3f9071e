"""Desired objects against those in the cluster: which to apply, which to delete. Pure.

An object is applied when it was rendered differently than when it was last applied (an annotation remembers that, so
that fields which are no longer wanted go too), or when somebody changed what it states. What others add is theirs.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fairlead.manifests import quantity

Object = Mapping[str, Any]

RENDERED_ANNOTATION = "fairlead.dev/rendered"
"""On every object of a gateway: a digest of what was applied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What has to be written so that the cluster is as it should be."""

    apply: tuple[Object, ...]
    """In the order of the desired objects."""
    delete: tuple[Object, ...]
    """Objects of ours that nobody wants any more."""


def plan(desired: Iterable[Object], live: Collection[Object], *, owner_uid: str, keep: Collection[str] = ()) -> Plan:
    """Compare. `keep` are names of Deployments whose region could not be rendered: theirs stay as they are."""
    stamped = [stamp(manifest) for manifest in desired]
    there = {_key(found): found for found in live}
    wanted = {_key(manifest) for manifest in stamped}
    return Plan(
        apply=tuple(manifest for manifest in stamped if not _holds(manifest, there.get(_key(manifest)))),
        delete=tuple(
            found
            for key, found in sorted(there.items())
            if key not in wanted and _is_owned(found, owner_uid) and not _is_kept(found, keep)
        ),
    )


def stamp(manifest: Object) -> Object:
    """Note in an object what it was rendered as."""
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:16]
    metadata = manifest["metadata"]
    return {
        **manifest,
        "metadata": {**metadata, "annotations": {**metadata.get("annotations", {}), RENDERED_ANNOTATION: digest}},
    }


def _key(found: Object) -> tuple[str, str]:
    return found["kind"], found["metadata"]["name"]


def _is_owned(found: Object, owner_uid: str) -> bool:
    references = found["metadata"].get("ownerReferences", [])
    return any(reference["uid"] == owner_uid for reference in references)


def _is_kept(found: Object, keep: Collection[str]) -> bool:
    name = found["metadata"]["name"]
    return any(name == kept or name.startswith(f"{kept}-") for kept in keep)


def _holds(manifest: Object, found: Object | None) -> bool:
    return found is not None and states(manifest, found)


def states(wanted: Any, found: Any) -> bool:
    """Tell whether everything that is wanted is there; what is there beside it is somebody else's."""
    match wanted:
        case Mapping():
            if not isinstance(found, Mapping):
                return not wanted and found is None
            return all(states(value, found.get(field)) for field, value in wanted.items())
        case list() | tuple():
            if not isinstance(found, list | tuple):
                return not wanted and found is None
            return len(wanted) == len(found) and all(map(states, wanted, found))
        case str():
            return wanted == found or (isinstance(found, str) and _is_same_quantity(wanted, found))
        case _:
            return bool(wanted == found)


def _is_same_quantity(one: str, other: str) -> bool:
    """`1024Mi` comes back as `1Gi`."""
    first = quantity.number(one)
    return first is not None and first == quantity.number(other)
