"""A Kubernetes API over HTTP on the memory that tests have: as much of it as the operator and kopf ask for.

Objects carry managed fields as a real API server adds them, since they are half of what is sent.
"""

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from fairlead.adapters.kube import FIELD_MANAGER, RESOURCES, Changed, ConflictError, Listed, Resource
from memory_cluster import MemoryCluster

Object = Mapping[str, Any]

_BY_PLURAL = {(one.group, one.version, one.plural): one for one in RESOURCES.values()}


def application(cluster: MemoryCluster) -> web.Application:
    """Serve a cluster."""
    server = _Server(cluster)
    made = web.Application(client_max_size=64 * 1024 * 1024)
    made.router.add_get("/api", server.core)
    made.router.add_get("/apis", server.groups)
    made.router.add_get("/api/v1", server.resources)
    made.router.add_get("/apis/{group}/{version}", server.resources)
    made.router.add_route("*", "/api/v1/{rest:.*}", server.objects)
    made.router.add_route("*", "/apis/{group}/{version}/{rest:.*}", server.objects)
    return made


class _Server:
    def __init__(self, cluster: MemoryCluster) -> None:
        self._cluster = cluster

    async def core(self, _: web.Request) -> web.Response:
        return web.json_response({"kind": "APIVersions", "versions": ["v1"]})

    async def groups(self, _: web.Request) -> web.Response:
        versions = {one.group: one.version for one in RESOURCES.values() if one.group}
        groups = [
            {
                "name": group,
                "versions": [{"groupVersion": f"{group}/{version}", "version": version}],
                "preferredVersion": {"groupVersion": f"{group}/{version}", "version": version},
            }
            for group, version in versions.items()
        ]
        return web.json_response({"kind": "APIGroupList", "groups": groups})

    async def resources(self, request: web.Request) -> web.Response:
        group, version = request.match_info.get("group", ""), request.match_info.get("version", "v1")
        found = [
            {
                "name": one.plural,
                "singularName": one.kind.lower(),
                "namespaced": one.namespaced,
                "kind": one.kind,
                "verbs": ["get", "list", "watch", "create", "update", "patch", "delete"],
            }
            for one in RESOURCES.values()
            if (one.group, one.version) == (group, version)
        ]
        return web.json_response({"kind": "APIResourceList", "resources": found})

    async def objects(self, request: web.Request) -> web.StreamResponse:
        parts = request.match_info["rest"].split("/")
        namespace = None
        if parts[0] == "namespaces" and len(parts) > 2:
            namespace, parts = parts[1], parts[2:]
        where = request.match_info.get("group", ""), request.match_info.get("version", "v1"), parts[0]
        resource = _BY_PLURAL.get(where)
        if resource is None:
            return _status(404, "no such resource")
        if len(parts) > 1:
            return await self._one(request, resource, namespace, parts[1], of_status=len(parts) > 2)
        if request.method == "POST":
            return await self._written(self._cluster.create(await request.json()))
        if request.query.get("watch") in ("true", "True", "1"):
            return await self._watch(request, resource, namespace)
        return await self._list(request, resource, namespace)

    async def _one(
        self, request: web.Request, resource: Resource, namespace: str | None, name: str, *, of_status: bool
    ) -> web.StreamResponse:
        cluster, kind = self._cluster, resource.kind
        if request.method == "GET":
            found = await cluster.get(kind, namespace=namespace, name=name)
            return _status(404, "not there") if found is None else web.json_response(_managed(found))
        body = await request.json() if request.can_read_body else {}
        if request.method == "DELETE":
            await cluster.delete(kind, namespace=namespace or "", name=name)
            return web.json_response({"kind": "Status", "status": "Success"})
        if request.method == "PUT":
            return await self._written(cluster.replace(body))
        if of_status:
            return await self._written(cluster.apply_status(body))
        if "merge" in request.content_type:
            return await self._written(cluster.merge(kind, namespace=namespace or "", name=name, patch=body))
        return await self._written(cluster.apply(body))

    async def _written(self, write: Any) -> web.Response:
        try:
            found = await write
        except ConflictError as error:
            return _status(409, str(error))
        return _status(404, "not there") if found is None else web.json_response(_managed(found))

    async def _list(self, request: web.Request, resource: Resource, namespace: str | None) -> web.Response:
        found = await self._cluster.list(resource.kind, namespace=namespace, labels=_labels(request))
        first, limit = int(request.query.get("continue", 0)), int(request.query.get("limit", 0)) or len(found)
        following = str(first + limit) if first + limit < len(found) else ""
        items = [_managed(one) for one in found[first : first + limit]]
        metadata = {"resourceVersion": str(self._cluster.version), "continue": following}
        head = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version}
        return web.json_response({**head, "metadata": metadata, "items": items})

    async def _watch(self, request: web.Request, resource: Resource, namespace: str | None) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_type = "application/json"
        await response.prepare(request)
        seen = int(request.query.get("resourceVersion", 0))
        async for told in self._cluster.watch(resource.kind, namespace=namespace, labels=_labels(request)):
            match told:
                case Listed(objects=objects):
                    newer = [one for one in objects if int(one["metadata"]["resourceVersion"]) > seen]
                    events = [("MODIFIED", one) for one in newer]
                case Changed(object=one, deleted=deleted):
                    events = [("DELETED" if deleted else "MODIFIED", one)]
            for event, one in events:
                line = json.dumps({"type": event, "object": _managed(one)}, separators=(",", ":"))
                await response.write(line.encode() + b"\n")
        return response


def _labels(request: web.Request) -> Mapping[str, str]:
    written = request.query.get("labelSelector", "")
    return dict(pair.split("=", 1) for pair in written.split(",") if pair)


def _status(code: int, message: str) -> web.Response:
    return web.json_response({"kind": "Status", "code": code, "message": message}, status=code)


def _managed(found: Object) -> Object:
    """Add what an API server notes of who owns which field."""
    metadata = {"creationTimestamp": "2026-01-01T00:00:00Z", **found["metadata"]}
    entries = [*metadata.get("managedFields", ()), {"manager": "kubectl", "operation": "Apply"}]
    owned = _owned({field: found[field] for field in found if field not in ("metadata", "status")})
    fields = [{**one, "fieldsType": "FieldsV1", "fieldsV1": owned} for one in entries]
    if "status" in found:
        stated = {"manager": FIELD_MANAGER, "operation": "Apply", "subresource": "status"}
        fields.append({**stated, "fieldsType": "FieldsV1", "fieldsV1": {"f:status": _owned(found["status"])}})
    return {**found, "metadata": {**metadata, "managedFields": fields}}


def _owned(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {f"f:{field}": _owned(one) for field, one in value.items()}
    if isinstance(value, list) and value and all(isinstance(one, Mapping) and "type" in one for one in value):
        return {f'k:{{"type":"{one["type"]}"}}': {".": {}, **_owned(one)} for one in value}
    return {}
