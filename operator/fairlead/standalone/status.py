"""What a running `fairlead up` serves, as plain data for `status.json` and `fairlead status`. No secrets."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fairlead import ir
from fairlead.adapters import disk
from fairlead.adapters.envoy_admin import ClusterHealth
from fairlead.envoy import names
from fairlead.runtime import saved
from fairlead.runtime.traffic import TrafficView
from fairlead.standalone import addresses
from fairlead.standalone.addresses import Addresses
from fairlead.standalone.diagnostics import Diagnostic
from fairlead.standalone.gateways import LocalGateway
from fairlead.standalone.release import Release
from fairlead.standalone.state import StateFolder
from fairlead.standalone.status_document import Document, Region, decode
from fairlead.status import EndpointStanding, Failing, ServedRoute, percent

Json = dict[str, Any]


def write(
    state: StateFolder,
    *,
    geos: Mapping[str, str],
    listening: Mapping[str, Addresses],
    regions: Mapping[str, LocalGateway],
    release: Release,
    diagnostics: tuple[Diagnostic, ...],
    traffic: TrafficView,
) -> None:
    """Write `status.json` anew. Regions come in the order of `listening`."""
    document = {
        "regions": [_region(regions[name], geos[name], listening[name]) for name in listening],
        "consumers": sorted(release.compiled.budgets),
        "objects": _objects(release),
        "diagnostics": [
            {"weight": one.weight.value, "subject": one.subject, "source": one.source, "message": one.message}
            for one in diagnostics
        ],
        "endpoints": [_endpoint(one) for one in traffic.endpoints],
        "failing": [_failing(one) for one in traffic.failing],
    }
    disk.write(state.status, json.dumps(document, indent=1, ensure_ascii=False).encode())


def read(state: StateFolder) -> Document | None:
    """Read `status.json`; None when there is none. Raises `StateError` where it cannot be read, or is not ours."""
    content = disk.read(state.status)
    return None if content is None else saved.decoded(content, decode, str(state.status))


def with_health(region: Region, clusters: tuple[ClusterHealth, ...]) -> Json:
    """Return a region of `status.json` with what its Envoy says of each target at this moment."""
    by_name = {cluster.name: cluster for cluster in clusters}
    targets = []
    for target in region["targets"]:
        health = by_name.get(target["cluster"])
        if health is None:
            state: Json = {"health": "Unknown"}
        else:
            state = {
                "health": "Ejected" if health.ejected else "Healthy",
                "requests": health.requests,
                "errors": health.errors,
                "active": health.active,
            }
        targets.append({**target, **state})
    return {**region, "targets": targets}


def _region(region: LocalGateway, geo: str, listening: Addresses) -> Json:
    serving = region.serving
    gateway = serving.gateway if serving else None
    return {
        "name": region.name,
        "geo": geo,
        "listen": addresses.shown(listening.listen),
        "metrics": addresses.shown(listening.metrics),
        "pid": region.pid,
        "admin": str(region.folder.admin),
        "digest": serving.digest if serving else None,
        "routes": [_route(route) for route in serving.routes] if serving else [],
        "targets": [_target(target) for target in gateway.targets] if gateway else [],
    }


def _route(route: ServedRoute) -> Json:
    return {
        "name": route.name,
        "maxAttempts": route.max_attempts,
        "shadow": route.shadow,
        "answers": [
            {
                "names": list(answer.names),
                "kind": answer.kind.value,
                "ladders": [
                    {"weight": percent(share.weight), "targets": list(share.targets)} for share in answer.ladders
                ],
                "lastResort": answer.last_resort,
            }
            for answer in route.answers
        ],
    }


def _target(target: ir.Target) -> Json:
    limited = target.max_in_flight is not None
    return {
        "name": target.name,
        "region": target.region or None,
        "cluster": names.limited_cluster(target.name) if limited else names.cluster(target.name),
    }


def _endpoint(one: EndpointStanding) -> Json:
    return {
        "provider": one.provider,
        "endpoint": one.endpoint,
        "region": one.region or None,
        "state": one.state.value,
        "share": percent(10_000),
        "since": None if one.failing is None else _time(one.failing.since_ms),
        "reason": None if one.failing is None else one.failing.failure.value,
        "message": "" if one.failing is None else one.failing.message,
    }


def _failing(one: Failing) -> Json:
    return {
        "subject": one.subject,
        "targets": list(one.targets),
        "since": _time(one.since_ms),
        "reason": one.failure.value,
        "message": one.message,
        "seenBy": list(one.regions),
    }


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _objects(release: Release) -> list[Json]:
    return [
        {
            "kind": report.key.kind,
            "namespace": report.key.namespace,
            "name": report.key.name,
            "source": release.inputs.sources.get(report.key, ""),
            "serves": report.served.value,
            "conditions": [
                {
                    "type": condition.type.value,
                    "status": condition.status.value,
                    "reason": condition.reason.value,
                    "message": condition.message,
                }
                for condition in report.conditions
            ],
        }
        for report in release.compiled.reports
    ]
