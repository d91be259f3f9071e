"""The Kubernetes API, as far as Fairlead needs it: list, watch, get, server-side apply, status, merge, delete.

Objects are plain mappings here, as they are written in YAML. What speaks to a real cluster is `kube_client`.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from fairlead.errors import ClusterError

FIELD_MANAGER = "fairlead"
"""The one field manager of everything that Fairlead writes."""

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A kind of object and where the API server keeps it."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """As `apiVersion` says it."""
        return f"{self.group}/{self.version}" if self.group else self.version


RESOURCES: Mapping[str, Resource] = {
    resource.kind: resource
    for resource in (
        Resource(group="fairlead.dev", version="v1alpha1", kind="ModelProvider", plural="modelproviders"),
        Resource(group="fairlead.dev", version="v1alpha1", kind="ModelRoute", plural="modelroutes"),
        Resource(group="fairlead.dev", version="v1alpha1", kind="ModelConsumer", plural="modelconsumers"),
        Resource(group="fairlead.dev", version="v1alpha1", kind="BudgetPolicy", plural="budgetpolicies"),
        Resource(group="", version="v1", kind="Namespace", plural="namespaces", namespaced=False),
        Resource(group="", version="v1", kind="Secret", plural="secrets"),
        Resource(group="", version="v1", kind="ConfigMap", plural="configmaps"),
        Resource(group="", version="v1", kind="Service", plural="services"),
        Resource(group="", version="v1", kind="Pod", plural="pods"),
        Resource(group="", version="v1", kind="Event", plural="events"),
        Resource(group="apps", version="v1", kind="Deployment", plural="deployments"),
        Resource(group="policy", version="v1", kind="PodDisruptionBudget", plural="poddisruptionbudgets"),
        Resource(group="autoscaling", version="v2", kind="HorizontalPodAutoscaler", plural="horizontalpodautoscalers"),
        Resource(group="coordination.k8s.io", version="v1", kind="Lease", plural="leases"),
    )
}
"""Every kind that Fairlead reads or writes."""

USER_KINDS = tuple(kind for kind, resource in RESOURCES.items() if resource.group == "fairlead.dev")
"""What users write."""


def listed(kind: str, found: dict[str, Any]) -> dict[str, Any]:
    """Return what is kept of an item of a list; takes the rest from it.

    Who owns which field is half of an item. Of what users wrote, thousands of objects, nobody reads it.
    """
    if kind in USER_KINDS and isinstance(metadata := found.get("metadata"), dict):
        metadata.pop("managedFields", None)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What a watch says first, and again after it was lost: everything that is there."""

    objects: tuple[Object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What a watch says then: one object as it is now, or as it was when it went."""

    object: Object
    deleted: bool


class Kube(Protocol):
    """What the controller needs of a cluster. Errors: `ClusterError` and its kinds."""

    async def list(
        self, kind: str, *, namespace: str | None, labels: Mapping[str, str] | None = None
    ) -> tuple[Object, ...]:
        """List what is there now; `namespace` None = all of them."""

    def watch(
        self, kind: str, *, namespace: str | None, labels: Mapping[str, str] | None = None
    ) -> AsyncIterator[Listed | Changed]:
        """Tell what is there, then what changes, until an error."""

    async def get(self, kind: str, *, namespace: str | None, name: str) -> Object | None:
        """Read one object; None = it is not there."""

    async def apply(self, manifest: Object) -> Object:
        """Apply by server-side apply, with force: what Fairlead states is Fairlead's."""

    async def apply_status(self, manifest: Object) -> Object | None:
        """Apply the status of an object that exists; None = it is gone."""

    async def merge(self, kind: str, *, namespace: str, name: str, patch: Object) -> Object | None:
        """Apply a merge patch; None = the object is gone."""

    async def create(self, manifest: Object) -> Object:
        """Create an object; raises `ConflictError` if it exists."""

    async def replace(self, manifest: Object) -> Object:
        """Replace an object at the `resourceVersion` that it carries; raises `ConflictError` if another was faster."""

    async def delete(self, kind: str, *, namespace: str, name: str, seen: Object | None = None) -> None:
        """Delete an object; one that is gone is well.

        `seen`: the object as it was judged; raises `ConflictError` if it is another one by now, or changed since.
        """

    def log_lines(
        self, *, namespace: str, pod: str, container: str, tail_lines: int | None, follow: bool = False
    ) -> AsyncIterator[bytes]:
        """Tell what a container has written, line by line, without line ends; `tail_lines` None = all that is kept.

        With `follow` also what it writes from then on; it ends with the container, or when the connection does.
        """


class NotFoundError(ClusterError):
    """What is asked for is not there (404): an object, or a kind."""


class ForbiddenError(ClusterError):
    """The API server does not allow it (403)."""


class ConflictError(ClusterError):
    """Somebody else was faster (409)."""


class InvalidError(ClusterError):
    """The API server understands what is written, and refuses it (422): a schema or an admission rule."""


class UnreachableError(ClusterError):
    """No answer from the API server, or one that asks to try later: try later."""
