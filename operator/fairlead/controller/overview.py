"""What a cluster's gateways serve, for `fairlead status`: read from the objects' own status, and from nothing else."""

from collections.abc import Iterable, Mapping
from typing import Any

from fairlead.adapters.kube import USER_KINDS, ForbiddenError, Kube, NotFoundError
from fairlead.errors import ClusterError

Json = dict[str, Any]
Object = Mapping[str, Any]


async def read(kube: Kube, *, namespace: str | None) -> Json:
    """Read and describe every object of a namespace, or of all; raises `ClusterError`, which says what to do."""
    return describe(await listed(kube, USER_KINDS, namespace=namespace))


async def listed(kube: Kube, kinds: Iterable[str], *, namespace: str | None) -> list[Object]:
    """List objects of a namespace, or of all; raises `ClusterError`, which says what to do."""
    try:
        return [one for kind in kinds for one in await kube.list(kind, namespace=namespace)]
    except NotFoundError as error:
        raise ClusterError(f"{error}; this cluster has no CRDs of Fairlead: install the chart") from error
    except ForbiddenError as error:
        instead = "ask for that right" if namespace else "give -n with a namespace that you may list"
        raise ClusterError(f"{error}; {instead}") from error


def describe(found: Iterable[Object]) -> Json:
    """Describe objects: by region what routes are served by, and of each object what its conditions say."""
    objects = sorted(found, key=lambda one: (one["kind"], one["metadata"]["namespace"], one["metadata"]["name"]))
    regions: dict[str, list[Json]] = {}
    for one in objects:
        for gateway in one.get("status", {}).get("gateways", ()) if one["kind"] == "ModelRoute" else ():
            route = {"name": _name(one), "ladder": gateway.get("ladder", []), "digest": gateway.get("digest", "")}
            regions.setdefault(gateway["region"], []).append(route)
    return {
        "regions": [{"name": region, "routes": regions[region]} for region in sorted(regions)],
        "objects": [_object(one) for one in objects],
    }


def _object(one: Object) -> Json:
    status = one.get("status", {})
    judged = status.get("observedGeneration") == one["metadata"].get("generation")
    conditions = [
        {field: condition.get(field, "") for field in ("type", "status", "reason", "message")}
        for condition in status.get("conditions", ())
    ]
    ready = judged and any(found["type"] == "Ready" and found["status"] == "True" for found in conditions)
    return {
        "kind": one["kind"],
        "namespace": one["metadata"]["namespace"],
        "name": one["metadata"]["name"],
        "judged": judged,
        "ready": ready,
        "conditions": conditions,
    }


def _name(one: Object) -> str:
    return f"{one['metadata']['namespace']}/{one['metadata']['name']}"


def lines(described: Json) -> list[str]:
    """Write a description for a person."""
    written = []
    for region in described["regions"]:
        width = max(len(route["name"]) for route in region["routes"])
        written.append(region["name"])
        written += [f"  {route['name']:<{width}}  {' > '.join(route['ladder'])}" for route in region["routes"]]
        written.append("")
    objects = described["objects"]
    unwell = [one for one in objects if not one["ready"]]
    written.append(f"{len(objects) - len(unwell)} of {len(objects)} objects are ready" if objects else "no objects")
    written += [f"  {one['kind']} {one['namespace']}/{one['name']}: {_why(one)}" for one in unwell]
    return written


def _why(one: Json) -> str:
    """Say in one condition why an object is not ready: the first that does not hold, in the order of causes."""
    if not one["judged"]:
        return "no operator has judged its present generation yet"
    failing = [found for found in one["conditions"] if found["status"] != "True"]
    if not failing:
        return "its status has no condition Ready"
    cause = min(failing, key=lambda found: found["type"] == "Ready")
    return f"{cause['type']}={cause['status']} {cause['reason']}: {cause['message']}"
