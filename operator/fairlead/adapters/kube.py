"""The Kubernetes API, as far as Fairlead needs it: list, watch, get, server-side apply, status, merge, delete.

Objects are plain mappings here, as they are written in YAML. lightkube brings credentials (also those that rotate), TLS
and the paths of resources; a generic resource of it is a dict, so no model stands between this and the API server.
"""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import httpx2
from lightkube import ApiError, AsyncClient
from lightkube.config.kubeconfig import KubeConfig
from lightkube.core.exceptions import ConfigError
from lightkube.generic_resource import create_global_resource, create_namespaced_resource
from lightkube.types import PatchType

from fairlead.errors import ClusterError

FIELD_MANAGER = "fairlead"
"""The one field manager of everything that Fairlead writes."""

Object = Mapping[str, Any]

_FORBIDDEN, _NOT_FOUND, _CONFLICT, _GONE, _INVALID = 403, 404, 409, 410, 422
_WATCH_SECONDS = 290
"""How long one watch request lasts; the API server closes it then, and the next one goes on."""


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

    async def delete(self, kind: str, *, namespace: str, name: str) -> None:
        """Delete an object; one that is gone is well."""


class NotFoundError(ClusterError):
    """What is asked for is not there (404): an object, or a kind."""


class ForbiddenError(ClusterError):
    """The API server does not allow it (403)."""


class ConflictError(ClusterError):
    """Somebody else was faster (409)."""


class InvalidError(ClusterError):
    """The API server finds a field wrong (422)."""


class UnreachableError(ClusterError):
    """No answer from the API server, or one that asks to try later: try later."""


_LIGHTKUBE: Mapping[str, Any] = {
    kind: (create_namespaced_resource if resource.namespaced else create_global_resource)(
        resource.group, resource.version, resource.kind, resource.plural
    )
    for kind, resource in RESOURCES.items()
}


def _selection(kind: str, namespace: str | None, labels: Mapping[str, str] | None) -> Mapping[str, Any]:
    selection: dict[str, Any] = {"labels": dict(labels)} if labels else {}
    if RESOURCES[kind].namespaced:
        selection["namespace"] = namespace or "*"
    return selection


class LightKube:
    """A real cluster, through lightkube."""

    def __init__(self, client: AsyncClient) -> None:
        # Its overloads know models of its own, not mappings.
        self._client: Any = client

    async def list(
        self, kind: str, *, namespace: str | None, labels: Mapping[str, str] | None = None
    ) -> tuple[Object, ...]:
        """List what is there now; `namespace` None = all of them."""
        objects, _ = await self._list(kind, _selection(kind, namespace, labels))
        return objects

    async def _list(self, kind: str, selection: Mapping[str, Any]) -> tuple[tuple[Object, ...], str]:
        async with _errors(f"list {kind}"):
            listed = self._client.list(_LIGHTKUBE[kind], chunk_size=500, **selection)
            # A list leaves kind and apiVersion out of its items.
            head = {"apiVersion": RESOURCES[kind].api_version, "kind": kind}
            objects = tuple([head | found async for found in listed])
            return objects, listed.resourceVersion

    async def watch(
        self, kind: str, *, namespace: str | None, labels: Mapping[str, str] | None = None
    ) -> AsyncIterator[Listed | Changed]:
        """Tell what is there, then what changes, until an error."""
        selection = _selection(kind, namespace, labels)
        objects, version = await self._list(kind, selection)
        yield Listed(objects=objects)
        async with _errors(f"watch {kind}"):
            events = self._client.watch(
                _LIGHTKUBE[kind], server_timeout=_WATCH_SECONDS, resource_version=version, **selection
            )
            async for event, found in events:
                if event in ("ADDED", "MODIFIED", "DELETED"):
                    yield Changed(object=found, deleted=event == "DELETED")

    async def get(self, kind: str, *, namespace: str | None, name: str) -> Object | None:
        """Read one object; None = it is not there."""
        selection = {"namespace": namespace} if RESOURCES[kind].namespaced else {}
        try:
            async with _errors(f"get {kind} {namespace}/{name}"):
                found: Object = await self._client.get(_LIGHTKUBE[kind], name, **selection)
        except NotFoundError:
            return None
        return found

    async def apply(self, manifest: Object) -> Object:
        """Apply by server-side apply, with force: what Fairlead states is Fairlead's."""
        return await self._patch(manifest, _LIGHTKUBE[manifest["kind"]])

    async def apply_status(self, manifest: Object) -> Object | None:
        """Apply the status of an object that exists; None = it is gone."""
        try:
            return await self._patch(manifest, _LIGHTKUBE[manifest["kind"]].Status)
        except NotFoundError:
            return None

    async def _patch(self, manifest: Object, resource: Any) -> Object:
        metadata = manifest["metadata"]
        async with _errors(f"apply {manifest['kind']} {metadata['namespace']}/{metadata['name']}"):
            applied: Object = await self._client.patch(
                resource,
                metadata["name"],
                manifest,
                namespace=metadata["namespace"],
                patch_type=PatchType.APPLY,
                field_manager=FIELD_MANAGER,
                force=True,
            )
        return applied

    async def merge(self, kind: str, *, namespace: str, name: str, patch: Object) -> Object | None:
        """Apply a merge patch; None = the object is gone."""
        try:
            async with _errors(f"patch {kind} {namespace}/{name}"):
                merged: Object = await self._client.patch(
                    _LIGHTKUBE[kind],
                    name,
                    patch,
                    namespace=namespace,
                    patch_type=PatchType.MERGE,
                    field_manager=FIELD_MANAGER,
                )
        except NotFoundError:
            return None
        return merged

    async def create(self, manifest: Object) -> Object:
        """Create an object; raises `ConflictError` if it exists."""
        metadata = manifest["metadata"]
        name = metadata.get("name") or metadata.get("generateName")
        async with _errors(f"create {manifest['kind']} {metadata['namespace']}/{name}"):
            resource = _LIGHTKUBE[manifest["kind"]]
            created: Object = await self._client.create(
                resource(manifest), namespace=metadata["namespace"], field_manager=FIELD_MANAGER
            )
        return created

    async def replace(self, manifest: Object) -> Object:
        """Replace an object at the `resourceVersion` that it carries; raises `ConflictError` if another was faster."""
        metadata = manifest["metadata"]
        async with _errors(f"replace {manifest['kind']} {metadata['namespace']}/{metadata['name']}"):
            resource = _LIGHTKUBE[manifest["kind"]]
            replaced: Object = await self._client.replace(
                resource(manifest), metadata["name"], namespace=metadata["namespace"], field_manager=FIELD_MANAGER
            )
        return replaced

    async def delete(self, kind: str, *, namespace: str, name: str) -> None:
        """Delete an object; one that is gone is well."""
        try:
            async with _errors(f"delete {kind} {namespace}/{name}"):
                await self._client.delete(_LIGHTKUBE[kind], name, namespace=namespace)
        except NotFoundError:
            return


_BY_STATUS: Mapping[int, type[ClusterError]] = {
    _FORBIDDEN: ForbiddenError,
    _NOT_FOUND: NotFoundError,
    _CONFLICT: ConflictError,
    _INVALID: InvalidError,
    _GONE: UnreachableError,
    429: UnreachableError,
    500: UnreachableError,
    503: UnreachableError,
    504: UnreachableError,
}


@asynccontextmanager
async def _errors(what: str) -> AsyncIterator[None]:
    try:
        yield
    except ApiError as error:
        raise _BY_STATUS.get(error.status.code or 0, ClusterError)(f"{what}: {error.status.message}") from error
    except httpx2.HTTPError as error:
        raise UnreachableError(f"{what}: {str(error) or type(error).__name__}") from error


def _told(error: Exception) -> str:
    if isinstance(error, ConfigError):
        return str(error)
    return f"{os.environ.get('KUBECONFIG', '~/.kube/config')}: no KUBECONFIG as kubectl writes it ({error!r})"


@asynccontextmanager
async def connect(context: str | None = None) -> AsyncIterator[LightKube]:
    """Connect as the pod's ServiceAccount, or as KUBECONFIG says; raises `ClusterError` if there is neither.

    `context`: which one of KUBECONFIG's; default: its current one.
    """
    try:
        config = KubeConfig.from_env().get(context)
        client = AsyncClient(config, timeout=httpx2.Timeout(30.0, connect=5.0))
    except Exception as error:  # lightkube does not check a KUBECONFIG: it stumbles over it in many ways
        raise ClusterError(f"no cluster to speak to: {_told(error)}") from error
    try:
        yield LightKube(client)
    finally:
        await client.close()
