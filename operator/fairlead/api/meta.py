"""Names of objects: the part of Kubernetes' metadata that Fairlead reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True, order=True)
class ObjectKey:
    """What identifies an object. Sorts by kind, namespace, name; prints as `Kind namespace/name`."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectMeta:
    """An object's name and what Kubernetes, or a file, says about it."""

    name: str
    namespace: str
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    annotations: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    creation_timestamp: str | None = None
    """RFC 3339, as the API server wrote it; None for an object from a file. Older objects win ties."""
    generation: int | None = None
    """Counts changes of the spec; None for an object from a file."""
