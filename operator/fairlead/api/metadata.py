"""Reading an object's metadata: Kubernetes' own fields are known, Fairlead's few are judged."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import Field

from fairlead.api.form import INT64_MAX, AnnotationValue, Entries, LabelKey, LabelValue, Name, Number, SecretName, Time
from fairlead.api.meta import ObjectMeta
from fairlead.api.problem import Problem
from fairlead.api.resource import Part
from fairlead.api.schema import of_part
from fairlead.api.validation import below, judge, unknown_field

_IGNORED = (
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
)


class _Metadata(Part):
    """What Fairlead reads of its own objects' metadata."""

    name: Name
    """The object's name: a DNS label, so that other objects can refer to it."""
    namespace: Name | None = None
    """Where the object lives."""
    labels: Annotated[dict[LabelKey, LabelValue], Entries(max_properties=256)] = Field(default_factory=dict)
    """What selectors match."""
    annotations: Annotated[dict[LabelKey, AnnotationValue], Entries(max_properties=256)] = Field(default_factory=dict)
    """Notes for people and tools."""
    creation_timestamp: Time | None = None
    """Written by the API server."""
    generation: Annotated[int, Number(minimum=0, maximum=INT64_MAX)] | None = None
    """Written by the API server."""


class _CoreMetadata(_Metadata):
    """The same for objects of the core API, whose names may have dots."""

    name: SecretName
    """The object's name."""


def read_metadata(
    manifest: Mapping[Any, Any], *, default_namespace: str, core: bool = False
) -> tuple[ObjectMeta | None, tuple[Problem, ...]]:
    """Return an object's metadata, or None where it does not even have a name, and its problems.

    An object without a namespace belongs to `default_namespace`. Null is absence here, since tools write
    `creationTimestamp: null`.
    """
    raw = manifest.get("metadata", {})
    if not isinstance(raw, Mapping):
        return None, judge(of_part(_Metadata), raw, "metadata")[1]
    node = of_part(_CoreMetadata if core else _Metadata)
    read = {field.name for field in node.properties}
    judged, problems = judge(
        node, {name: value for name, value in raw.items() if name in read and value is not None}, "metadata"
    )
    known = [*read, *_IGNORED]
    problems += tuple(unknown_field("metadata", name, known) for name in raw if name not in known)
    if any(problem.path in (below("metadata", "name"), below("metadata", "namespace")) for problem in problems):
        return None, problems
    return (
        ObjectMeta(
            name=judged["name"],
            namespace=judged.get("namespace", default_namespace),
            labels=_strings(judged.get("labels")),
            annotations=_strings(judged.get("annotations")),
            creation_timestamp=judged.get("creationTimestamp"),
            generation=judged.get("generation"),
        ),
        problems,
    )


def _strings(value: Mapping[str, Any] | None) -> Mapping[str, str]:
    return MappingProxyType({key: text for key, text in (value or {}).items() if isinstance(text, str)})
