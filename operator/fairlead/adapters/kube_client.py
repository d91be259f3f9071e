"""A real cluster, through the dynamic client of `kubernetes.aio`: objects stay mappings, no model stands between.

Each call is bounded, and none is repeated here but one that was refused while credentials changed (401): who calls is
level-based and knows when to try again. Answers are decoded once, into mappings or errors of `kube`.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import quote

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.dynamic import DynamicClient
from kubernetes.aio.dynamic.resource import Resource as DynamicResource

from fairlead import __version__
from fairlead.adapters.answer import decoded
from fairlead.adapters.kube import (
    FIELD_MANAGER,
    RESOURCES,
    Changed,
    ConflictError,
    ForbiddenError,
    InvalidError,
    Listed,
    NotFoundError,
    Object,
    Resource,
    UnreachableError,
    listed,
)
from fairlead.adapters.kube_login import Access, Login
from fairlead.errors import AnswerError, ClusterError

_CALL = aiohttp.ClientTimeout(total=30.0, sock_connect=5.0)
_WATCH_SECONDS = 290
"""How long one watch request lasts; the API server closes it then, and the next one goes on."""
_WATCH = aiohttp.ClientTimeout(total=_WATCH_SECONDS + 30.0, sock_connect=5.0, sock_read=130.0)
"""An API server sends a bookmark each minute: after two without one the connection is dead."""
_LOG = aiohttp.ClientTimeout(total=120.0, sock_connect=5.0, sock_read=30.0)
_FOLLOW = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=3600.0)
"""A container may have nothing to say for long."""
_LONGEST_LINE = 1 << 20
"""Bytes of a line that are kept."""
_BETWEEN_WATCHES_S = 0.1
_PAGE = 500

_UNAUTHORIZED = 401
_BY_STATUS: Mapping[int, type[ClusterError]] = {
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    410: UnreachableError,
    422: InvalidError,
    429: UnreachableError,
    500: UnreachableError,
    502: UnreachableError,
    503: UnreachableError,
    504: UnreachableError,
}


class KubeClient:
    """`fairlead.adapters.kube.Kube` of a real cluster."""

    def __init__(self, login: Login, access: Access) -> None:
        self._login, self._access = login, access
        self._api = ApiClient(configuration(access))
        self._api.user_agent = f"fairlead/{__version__}"
        # Not awaited, so that it discovers nothing: our kinds are known.
        self._client = client = DynamicClient(self._api)
        self._resources = {kind: _dynamic(client, resource) for kind, resource in RESOURCES.items()}

    async def close(self) -> None:
        """End all connections."""
        await self._api.close()

    async def list(
        self, kind: str, *, namespace: str | None, labels: Mapping[str, str] | None = None
    ) -> tuple[Object, ...]:
        """List what is there now; `namespace` None = all of them."""
        objects, _ = await self._list(kind, _selection(namespace, labels))
        return objects

    async def _list(self, kind: str, selection: Mapping[str, Any]) -> tuple[tuple[Object, ...], str]:
        # A list leaves kind and apiVersion out of its items.
        head = {"apiVersion": RESOURCES[kind].api_version, "kind": kind}
        objects: list[Object] = []
        following: str | None = None
        while True:
            page = await self._call(
                f"list {kind}", self._resources[kind].get, limit=_PAGE, _continue=following, **selection
            )
            items, metadata = _items(f"list {kind}", page)
            objects += [head | listed(kind, one) for one in items]
            following = metadata.get("continue")
            if not following:
                return tuple(objects), str(metadata.get("resourceVersion", ""))

    async def watch(
        self, kind: str, *, namespace: str | None, labels: Mapping[str, str] | None = None
    ) -> AsyncIterator[Listed | Changed]:
        """Tell what is there, then what changes, until an error."""
        what, selection = f"watch {kind}", _selection(namespace, labels)
        objects, version = await self._list(kind, selection)
        yield Listed(objects=objects)
        while True:
            response = await self._request(
                what,
                self._resources[kind].get,
                watch=True,
                resource_version=version,
                timeout_seconds=_WATCH_SECONDS,
                query_params=[("allowWatchBookmarks", "true")],
                _request_timeout=_WATCH,
                **selection,
            )
            try:
                with _errors(what):
                    async for line in response.content:
                        event, found = _event(what, line)
                        version = found["metadata"]["resourceVersion"]
                        if event in ("ADDED", "MODIFIED", "DELETED"):
                            yield Changed(object=found, deleted=event == "DELETED")
            finally:
                response.close()
            await asyncio.sleep(_BETWEEN_WATCHES_S)

    async def get(self, kind: str, *, namespace: str | None, name: str) -> Object | None:
        """Read one object; None = it is not there."""
        try:
            return await self._call(
                f"get {kind} {namespace}/{name}", self._resources[kind].get, **_place(name, namespace)
            )
        except NotFoundError:
            return None

    async def apply(self, manifest: Object) -> Object:
        """Apply by server-side apply, with force: what Fairlead states is Fairlead's."""
        return await self._apply(manifest, self._resources[manifest["kind"]])

    async def apply_status(self, manifest: Object) -> Object | None:
        """Apply the status of an object that exists; None = it is gone."""
        try:
            return await self._apply(manifest, self._resources[manifest["kind"]].status)
        except NotFoundError:
            return None

    async def _apply(self, manifest: Object, resource: Any) -> Object:
        return await self._call(
            f"apply {_called(manifest)}",
            resource.server_side_apply,
            body=manifest,
            field_manager=FIELD_MANAGER,
            force_conflicts=True,
            **_place(manifest["metadata"]["name"], manifest["metadata"]["namespace"]),
        )

    async def merge(self, kind: str, *, namespace: str, name: str, patch: Object) -> Object | None:
        """Apply a merge patch; None = the object is gone."""
        try:
            return await self._call(
                f"patch {kind} {namespace}/{name}",
                self._resources[kind].patch,
                body=patch,
                content_type="application/merge-patch+json",
                field_manager=FIELD_MANAGER,
                **_place(name, namespace),
            )
        except NotFoundError:
            return None

    async def create(self, manifest: Object) -> Object:
        """Create an object; raises `ConflictError` if it exists."""
        return await self._call(
            f"create {_called(manifest)}",
            self._resources[manifest["kind"]].create,
            body=manifest,
            namespace=quote(manifest["metadata"]["namespace"], safe=""),
            field_manager=FIELD_MANAGER,
        )

    async def replace(self, manifest: Object) -> Object:
        """Replace an object at the `resourceVersion` that it carries; raises `ConflictError` if another was faster."""
        return await self._call(
            f"replace {_called(manifest)}",
            self._resources[manifest["kind"]].replace,
            body=manifest,
            field_manager=FIELD_MANAGER,
            **_place(manifest["metadata"]["name"], manifest["metadata"]["namespace"]),
        )

    async def delete(self, kind: str, *, namespace: str, name: str, seen: Object | None = None) -> None:
        """Delete an object; one that is gone is well."""
        try:
            await self._call(
                f"delete {kind} {namespace}/{name}",
                self._resources[kind].delete,
                **_place(name, namespace),
                **({} if seen is None else {"body": _only(seen["metadata"])}),
            )
        except NotFoundError:
            return

    async def log_lines(
        self, *, namespace: str, pod: str, container: str, tail_lines: int | None, follow: bool = False
    ) -> AsyncIterator[bytes]:
        """Tell what a container has written, line by line; with `follow` also what it writes from then on."""
        what = f"read the log of pod {namespace}/{pod}"
        asked = {"container": container, "tailLines": tail_lines, "follow": "true" if follow else None}
        response = await self._request(
            what,
            self._client.request,
            method="get",
            path=f"{self._resources['Pod'].path(**_place(pod, namespace))}/log",
            query_params=[(name, value) for name, value in asked.items() if value is not None],
            header_params={"Accept": "*/*"},
            _request_timeout=_FOLLOW if follow else _LOG,
        )
        try:
            rest = b""
            with _errors(what):
                async for block in response.content.iter_any():
                    *whole, rest = (rest + block).split(b"\n")
                    for line in whole:
                        yield line
                    rest = rest[:_LONGEST_LINE]
            if rest:
                yield rest
        finally:
            response.close()

    async def _call(self, what: str, verb: Callable[..., Awaitable[Any]], **options: Any) -> dict[str, Any]:
        response = await self._request(what, verb, _request_timeout=_CALL, **options)
        with _errors(what):
            return _mapping(what, await response.read())

    async def _request(self, what: str, verb: Callable[..., Awaitable[Any]], **options: Any) -> aiohttp.ClientResponse:
        """Ask; credentials that are refused are read again, and those that changed are tried once."""
        access = await self._renewed()
        with _errors(what):
            try:
                response: aiohttp.ClientResponse = await verb(serialize=False, **options)
            except ApiException as error:
                if error.status != _UNAUTHORIZED or await self._renewed(refused=access) == access:
                    raise
                response = await verb(serialize=False, **options)
        return response

    async def _renewed(self, *, refused: Access | None = None) -> Access:
        access = await self._login.access(refused=refused)
        if access is not self._access:
            show(self._api.configuration, access)
            if access.certificate_file is not None:
                try:
                    self._api.rest_client.ssl_context.load_cert_chain(access.certificate_file, access.key_file)
                except (OSError, ssl.SSLError) as error:
                    raise UnreachableError(f"{access.certificate_file}: {error}") from error
            self._access = access
        return access


def _only(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Write the options of a deletion of just this version of just this object."""
    preconditions = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
    return {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}


def _dynamic(client: Any, resource: Resource) -> Any:
    status = {"kind": resource.kind, "name": f"{resource.plural}/status", "namespaced": resource.namespaced}
    return DynamicResource(
        prefix="apis" if resource.group else "api",
        group=resource.group,
        api_version=resource.version,
        kind=resource.kind,
        namespaced=resource.namespaced,
        name=resource.plural,
        client=client,
        subresources={"status": status},
    )


def configuration(access: Access) -> Any:
    """Return what a client of the official library is to know of a cluster."""
    made = Configuration(
        host=access.server,
        ssl_ca_cert=access.ca_file,
        cert_file=access.certificate_file,
        key_file=access.key_file,
        verify_ssl=access.verify,
        tls_server_name=access.server_name,
        proxy=access.proxy,
    )
    # Of a cluster's own CA, Python 3.13 wants more than kubectl does.
    made.disable_strict_ssl_verification = True
    show(made, access)
    return made


def show(configuration: Any, access: Access) -> None:
    """Let a client send the credentials of now."""
    if access.authorization is None:
        configuration.api_key.pop("BearerToken", None)
    else:
        configuration.api_key["BearerToken"] = access.authorization


def _selection(namespace: str | None, labels: Mapping[str, str] | None) -> Mapping[str, Any]:
    selection: dict[str, Any] = {"label_selector": ",".join(f"{k}={v}" for k, v in labels.items())} if labels else {}
    if namespace is not None:
        selection["namespace"] = quote(namespace, safe="")
    return selection


def _place(name: str, namespace: str | None) -> Mapping[str, Any]:
    return {"name": quote(name, safe=""), "namespace": namespace and quote(namespace, safe="")}


def _called(manifest: Object) -> str:
    metadata = manifest["metadata"]
    return f"{manifest['kind']} {metadata['namespace']}/{metadata.get('name') or metadata.get('generateName')}"


def _items(what: str, page: Mapping[str, Any]) -> tuple[list[dict[str, Any]], Mapping[str, Any]]:
    items, metadata = page.get("items"), page.get("metadata")
    items = [] if items is None else items  # as Go writes an empty list
    if not isinstance(metadata, dict) or not isinstance(items, list) or not all(isinstance(one, dict) for one in items):
        raise UnreachableError(f"{what}: got no list of an API server")
    return items, metadata


def _event(what: str, line: bytes) -> tuple[str, Object]:
    event = _mapping(what, line)
    found = event.get("object")
    if event.get("type") == "ERROR" and isinstance(found, dict):
        raise _refused(what, found.get("code"), found.get("message"))
    metadata = found.get("metadata") if isinstance(found, dict) else None
    if not isinstance(found, dict) or not isinstance(metadata, dict) or "resourceVersion" not in metadata:
        raise UnreachableError(f"{what}: got no event of an API server")
    return str(event.get("type")), found


def _mapping(what: str, text: bytes) -> dict[str, Any]:
    try:
        found = decoded(text)
    except AnswerError:
        found = None
    if not isinstance(found, dict):
        raise UnreachableError(f"{what}: got no JSON of an API server: {text[:80]!r}")
    return found


def _refused(what: str, status: Any, message: Any) -> ClusterError:
    return _BY_STATUS.get(status, ClusterError)(f"{what}: {message or f'status {status}'}")


def _message(error: Any) -> str:
    """Return the API server's own words; what stands before it may answer with a page."""
    try:
        body = error.body.encode() if isinstance(error.body, str) else error.body or b""
        return str(decoded(body)["message"])
    except (TypeError, ValueError, KeyError, AnswerError):
        return f"{error.status} {error.reason}"


@contextmanager
def _errors(what: str) -> Iterator[None]:
    try:
        yield
    except ApiException as error:
        raise _refused(what, error.status, _message(error)) from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise UnreachableError(f"{what}: {str(error) or type(error).__name__}") from error


@asynccontextmanager
async def connect(context: str | None = None) -> AsyncIterator[KubeClient]:
    """Connect as `Login` says; raises `ClusterError` if there is no cluster to speak to.

    `context`: which one of KUBECONFIG's; default: its current one.
    """
    login = Login(context)
    access = await login.access()
    try:
        client = KubeClient(login, access)
    except (OSError, ssl.SSLError) as error:  # certificates that are not there, or are none
        raise ClusterError(f"no cluster to speak to: certificates of {access.server}: {error}") from error
    try:
        yield client
    finally:
        await client.close()
