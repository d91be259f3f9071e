"""What a cluster's gateways serve, for `fairlead status`: read from the objects' own status, and from nothing else."""

from collections.abc import Iterable, Mapping
from typing import Any

from fairlead.adapters.kube import USER_KINDS, ForbiddenError, Kube, NotFoundError
from fairlead.api.conditions import EndpointReason
from fairlead.budget import cached
from fairlead.controller import load
from fairlead.errors import ClusterError
from fairlead.status import counted, ill_lines, is_ill, rollout_state

_HOMES = 8
"""Namespaces of providers in which it is looked for what the operator wrote: there is one that counts."""
Json = dict[str, Any]
Object = Mapping[str, Any]


async def read(kube: Kube, *, namespace: str | None) -> Json:
    """Read and describe every object of a namespace, or of all; raises `ClusterError`, which says what to do."""
    found = await listed(kube, USER_KINDS, namespace=namespace)
    return describe(found, await load_beside(kube, found))


async def load_beside(kube: Kube, found: Iterable[Object]) -> load.Load:
    """Read what the operator wrote of its gateways, beside the providers; nothing where one may not."""
    for home in sorted({one["metadata"]["namespace"] for one in found if one["kind"] == "ModelProvider"})[:_HOMES]:
        try:
            return await load.read(kube, home)
        except ClusterError:
            continue
    return load.Load()


async def listed(kube: Kube, kinds: Iterable[str], *, namespace: str | None) -> list[Object]:
    """List objects of a namespace, or of all; raises `ClusterError`, which says what to do."""
    try:
        return [one for kind in kinds for one in await kube.list(kind, namespace=namespace)]
    except NotFoundError as error:
        raise ClusterError(f"{error}; this cluster has no CRDs of Fairlead: install the chart") from error
    except ForbiddenError as error:
        instead = "ask for that right" if namespace else "give -n with a namespace that you may list"
        raise ClusterError(f"{error}; {instead}") from error


def describe(found: Iterable[Object], written: load.Load | None = None) -> Json:
    """Describe objects: by region what routes are served by, and of each object what its conditions say.

    `written`: what the operator wrote of its gateways, where one may read that.
    """
    written = written or load.Load()
    objects = sorted(found, key=lambda one: (one["kind"], one["metadata"]["namespace"], one["metadata"]["name"]))
    regions: dict[str, list[Json]] = {}
    geos: dict[str, str] = {}
    for one in objects:
        for gateway in one.get("status", {}).get("gateways", ()):
            geos.setdefault(gateway["region"], gateway.get("geo", ""))
            if one["kind"] == "ModelRoute":
                regions.setdefault(gateway["region"], []).append(_route(_name(one), gateway))
    return {
        "regions": [
            {
                "name": region,
                "geo": geos[region],
                **_room(region, written),
                "routes": regions.get(region, []),
            }
            for region in sorted(geos)
        ],
        "endpoints": [
            _endpoint(one, found)
            for one in objects
            if one["kind"] == "ModelProvider"
            for found in one.get("status", {}).get("endpoints", ())
        ],
        "rollouts": [
            rollout_state.shown(_name(one), said)
            for one in objects
            if one["kind"] == "ModelRoute" and (said := one.get("status", {}).get("rollout"))
        ],
        "objects": [_object(one) for one in objects],
        "caches": list(written.caches),
        "classifiers": list(written.classifiers),
    }


def _room(region: str, written: load.Load) -> Json:
    """Say how full a region's gateways are; nothing where nobody wrote it."""
    if region not in written.percents:
        return {}
    return {"configurationPercent": written.percents[region], "overloaded": region in written.overloaded}


def _route(name: str, gateway: Object) -> Json:
    return {
        "name": name,
        "ladder": gateway.get("ladder", []),
        "digest": gateway.get("digest", ""),
        "answers": gateway.get("answers", []),
        "furtherLadders": gateway.get("furtherLadders", 0),
        "shadow": gateway.get("shadow"),
    }


def _endpoint(provider: Object, found: Object) -> Json:
    return {
        "provider": provider["metadata"]["name"],
        "endpoint": found["name"],
        "region": found.get("region"),
        "used": found["reason"] != EndpointReason.NOT_USED,
        "state": found["state"],
        "share": found["share"],
        "since": found.get("since"),
        "reason": found["reason"],
        "message": found.get("message", ""),
    }


def is_wrong(described: Json) -> bool:
    """Tell whether anything wants a look: an object not ready, an endpoint that is ill, a gateway without room."""
    return (
        any(not one["ready"] for one in described["objects"])
        or any(map(is_ill, described["endpoints"]))
        or any(one.get("overloaded") for one in described["regions"])
        or any(one["openSince"] for one in described["classifiers"])
    )


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
        if not region["routes"]:
            continue
        width = max(len(route["name"]) for route in region["routes"])
        percent = region.get("configurationPercent")
        written.append(region["name"] + ("" if percent is None else f"  configuration {percent} % of a ConfigMap"))
        if region.get("overloaded"):
            written.append("  refuses requests for lack of room: clients get 503 `overloaded`, or a closed connection")
        written += [f"  {route['name']:<{width}}  {' > '.join(route['ladder'])}" for route in region["routes"]]
        written.append("")
    rolling = [f"rollout {one['route']} {said}" for one in described["rollouts"] if (said := rollout_line(one))]
    used = [*cached.lines(described["caches"]), *counted.classifier_lines(described["classifiers"])]
    return written + rolling + [""] * bool(rolling) + used + [""] * bool(used) + unwell(described)


def rollout_line(one: Json) -> str:
    """Say in one line how a rollout stands; empty where nothing is under way and nothing was sent back."""
    if one["degraded"]:
        return f"{one['phase']} ({one['reason']}): {one['message']}"
    if one["candidate"] is None:
        return ""
    share = f"{one['traffic']} to" if one["shadow"] == "0%" else f"{one['shadow']} copied to"
    return f"{one['phase']} ({one['reason']}), step {one['step']} of {one['steps']}, {share} {one['candidate']}"


def unwell(described: Json) -> list[str]:
    """Write what wants a look: endpoints that are ill, and objects that are not ready, or that all are."""
    ill = [*counted.open_lines(described["classifiers"]), *ill_lines(described["endpoints"])]
    written = [*ill, ""] if ill else []
    objects = described["objects"]
    waiting = [one for one in objects if not one["ready"]]
    written.append(f"{len(objects) - len(waiting)} of {len(objects)} objects are ready" if objects else "no objects")
    written += [f"  {one['kind']} {one['namespace']}/{one['name']}: {why(one)}" for one in waiting]
    return written


def why(one: Json) -> str:
    """Say in one condition why an object is not ready: the first that does not hold, in the order of causes."""
    if not one["judged"]:
        return "no operator has judged its present generation yet"
    failing = [found for found in one["conditions"] if found["status"] != "True"]
    if not failing:
        return "its status has no condition Ready"
    cause = min(failing, key=lambda found: found["type"] == "Ready")
    return f"{cause['type']}={cause['status']} {cause['reason']}: {cause['message']}"
