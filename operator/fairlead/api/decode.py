"""The strict door: a manifest goes in, an object or all of its problems come out."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fairlead.api.budget import BudgetPolicy
from fairlead.api.consumer import ModelConsumer
from fairlead.api.core import Namespace, Secret, read_secret
from fairlead.api.meta import ObjectKey, ObjectMeta
from fairlead.api.metadata import read_metadata
from fairlead.api.problem import Problem
from fairlead.api.provider import ModelProvider
from fairlead.api.resource import API_VERSION, GROUP, Resource
from fairlead.api.route import ModelRoute
from fairlead.api.schema import of_spec
from fairlead.api.validation import got, homes, judge, listing, nearest, unknown_field, want

RESOURCES: tuple[type[Resource], ...] = (ModelProvider, ModelRoute, ModelConsumer, BudgetPolicy)
"""The four kinds that users write, in the order of the documentation."""

_BY_KIND = {resource.kind: resource for resource in RESOURCES}
_LIKE, _VERY_LIKE = 0.75, 0.85
"""How much of a group has to be Fairlead's, from 0 to 1, where the kind is like one of Fairlead's, and elsewhere."""
_FIELDS = ("apiVersion", "kind", "metadata", "spec", "status")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What became of one manifest: an object, or problems, or neither (it is of a kind that Fairlead does not read)."""

    key: ObjectKey | None
    """None where the manifest has no kind or no name to go by."""
    object: Resource | Secret | Namespace | None
    problems: tuple[Problem, ...] = ()
    """Everything that is wrong with it, in the order of the fields."""
    warnings: tuple[Problem, ...] = ()
    """What is not wrong, but goes without effect: the object was skipped."""


def unpack(document: object) -> tuple[object, ...]:
    """Return the manifests of one document: the items of a list, nothing of an empty document, else itself."""
    found: list[object] = []
    waiting = [document]
    while waiting:  # no recursion: lists may stand in lists, however deep
        one = waiting.pop()
        if isinstance(one, Mapping) and isinstance(one.get("items"), list):
            kind = one.get("kind")
            if isinstance(kind, str) and kind.endswith("List"):
                waiting.extend(reversed(one["items"]))
                continue
        if one is not None:
            found.append(one)
    return tuple(found)


def decode(manifest: object, *, default_namespace: str) -> Decoded:  # noqa: PLR0911  # one way out per kind of manifest
    """Judge one manifest. An object without a namespace belongs to `default_namespace`.

    Pure and total: whatever the manifest is, the answer is a value. Status is the operator's and is not read.
    """
    if not isinstance(manifest, Mapping):
        return _refused(Problem("", f"{got(manifest)}, want an object with `apiVersion` and `kind`, remove it"))
    version, kind = manifest.get("apiVersion"), manifest.get("kind")
    if version is None and kind is None:
        return _refused(Problem("", _NO_RESOURCE))
    if version is None and isinstance(kind, str) and kind in _BY_KIND:
        return _refused(Problem("apiVersion", f"got nothing, want `{API_VERSION}`, add it"))
    problems = tuple(
        Problem(field, f"{got(value)}, want a string, add it")
        for field, value in (("apiVersion", version), ("kind", kind))
        if not (isinstance(value, str) and value)
    )
    if problems or not isinstance(version, str) or not isinstance(kind, str):
        return _refused(*problems)
    if version == "v1" and kind in ("Secret", "Namespace"):
        return _decode_core(manifest, kind, default_namespace)
    group = version.rpartition("/")[0]
    if group != GROUP and _is_meant(group or version, kind):
        return _refused(Problem("apiVersion", f"{got(version)}, want `{API_VERSION}`, change it"))
    if group != GROUP:
        key = _key(kind, read_metadata(manifest, default_namespace=default_namespace, core=True)[0])
        skipped = Problem("kind", f"got `{version}` `{kind}`, want a kind that Fairlead reads, the object is skipped")
        return Decoded(key=key, object=None, warnings=(skipped,))
    if version != API_VERSION:
        return _refused(Problem("apiVersion", f"{got(version)}, want `{API_VERSION}`, change it"))
    resource = _BY_KIND.get(kind)
    if resource is None:
        near = nearest(kind, _BY_KIND)
        todo = f"write `{near}`" if near else "choose one"
        return _refused(Problem("kind", f"{got(kind)}, want one of {listing(_BY_KIND)}, {todo}"))
    return _decode_resource(manifest, resource, default_namespace)


_NO_RESOURCE = (
    "got a mapping with neither `apiVersion` nor `kind`, want a resource, leave the file out of `-f` if it is something"
    " else, such as a chart's values"
)


def _is_meant(group: str, kind: str) -> bool:
    """Tell whether the group of a manifest is Fairlead's with a slip in it. Others have a ModelRoute, too."""
    if re.fullmatch(r"v\d\w*", group):  # no group at all
        return kind in _BY_KIND
    likeness = difflib.SequenceMatcher(None, group.lower(), GROUP).ratio()
    return likeness >= (_LIKE if nearest(kind, _BY_KIND) else _VERY_LIKE)


def _decode_resource(manifest: Mapping[Any, Any], resource: type[Resource], default_namespace: str) -> Decoded:
    metadata, problems = read_metadata(manifest, default_namespace=default_namespace)
    spec: dict[str, Any] = {}
    if "spec" in manifest:
        spec, found = judge(of_spec(resource), manifest["spec"], "spec")
        problems += found
    else:
        problems += (Problem("spec", f"got nothing, want {want(of_spec(resource))}, add it"),)
    if unknown := [name for name in manifest if name not in _FIELDS]:
        places = homes(of_spec(resource), "spec")
        problems += tuple(unknown_field("", name, _FIELDS, places) for name in unknown)
    if not problems and metadata is not None:
        root = {"metadata": {"name": metadata.name}, "spec": spec}
        problems = tuple(Problem(at, rule.message) for rule in resource.constraints for at in rule.broken_at(root))
    key = _key(resource.kind, metadata)
    if problems:
        return Decoded(key=key, object=None, problems=problems)
    return Decoded(key=key, object=resource.model_validate({"metadata": metadata, "spec": manifest["spec"]}))


def _decode_core(manifest: Mapping[Any, Any], kind: str, default_namespace: str) -> Decoded:
    metadata, problems = read_metadata(manifest, default_namespace=default_namespace, core=True)
    decoded: Secret | Namespace | None
    if kind == "Secret":
        decoded, found = read_secret(manifest, metadata)
        problems += found
        key = _key(kind, metadata)
    else:
        decoded = Namespace(metadata=metadata) if metadata else None
        key = decoded.key if decoded else None
    return Decoded(key=key, object=None if problems else decoded, problems=problems)


def _key(kind: str, metadata: ObjectMeta | None) -> ObjectKey | None:
    return ObjectKey(kind, metadata.namespace, metadata.name) if metadata else None


def _refused(*problems: Problem) -> Decoded:
    return Decoded(key=None, object=None, problems=problems)
