"""What a running `fairlead up` serves, as plain data for `status.json` and `fairlead status`. No secrets."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fairlead import envoy, ir
from fairlead.adapters import disk
from fairlead.adapters.envoy_admin import ClusterHealth
from fairlead.budget.price import FREE, Price
from fairlead.budget.price_document import price_document
from fairlead.compiler import CompiledGateway
from fairlead.envoy import names
from fairlead.ir import word
from fairlead.runtime import saved
from fairlead.runtime.rollouts import RolloutWatch
from fairlead.standalone import addresses
from fairlead.standalone.addresses import Addresses
from fairlead.standalone.diagnostics import Diagnostic
from fairlead.standalone.gateways import LocalGateway
from fairlead.standalone.health import SAY_S, LocalHealth
from fairlead.standalone.release import Release
from fairlead.standalone.state import StateFolder
from fairlead.standalone.status_document import Document, Region, decode
from fairlead.status import (
    EndpointStanding,
    Failing,
    ServedRoute,
    counted,
    endpoints,
    percent,
    rfc3339,
    rollout,
    rollout_state,
    standings,
)

Json = dict[str, Any]
STALE_S = 3 * SAY_S
"""Older than that, a document is of an `up` that hangs."""


def write(
    state: StateFolder,
    *,
    geos: Mapping[str, str],
    listening: Mapping[str, Addresses],
    regions: Mapping[str, LocalGateway],
    release: Release,
    diagnostics: tuple[Diagnostic, ...],
    health: LocalHealth,
    rollouts: RolloutWatch,
    now_ms: int,
) -> None:
    """Write `status.json` anew, at this moment. Regions come in the order of `listening`."""
    carried, prices = health.now.carried, counted.prices(release.compiled.configuration)
    gateways, shares = [one.ir for one in release.compiled.gateways.values()], rollouts.shares
    stand = standings(
        release.compiled.endpoints,
        health.now.fleet,
        health.view.failing,
        without_steps=[name for name, one in release.compiled.gateways.items() if one.without_steps],
    )
    document = {
        "written": rfc3339(now_ms),
        "regions": [
            {
                **_region(regions[name], geos[name], listening[name], prices),
                **_configuration(release.compiled.gateways.get(name)),
            }
            for name in listening
        ],
        "drainedRegions": sorted(health.now.drained),
        "consumers": sorted(release.compiled.budgets),
        "objects": _objects(release),
        "diagnostics": [
            {"weight": one.weight.value, "subject": one.subject, "source": one.source, "message": one.message}
            for one in diagnostics
        ],
        "endpoints": [
            {
                **_endpoint(standing),
                "probeUSD": "0" if endpoints.is_free(one) else None,
                "requestsPerMinute": carried.get(one.name, 0),
                "capacity": {"requestsPerMinute": one.capacity.requests, "tokensPerMinute": one.capacity.tokens},
            }
            for one, standing in zip(release.compiled.endpoints, stand, strict=True)
        ],
        "failing": [_failing(one) for one in health.view.failing],
        "overloaded": [
            {"region": region, "since": rfc3339(since)} for region, since in sorted(health.view.overloaded.items())
        ],
        "caches": counted.caches(health.view.counted, gateways, prices),
        "classifiers": counted.classifiers(health.view.counted, gateways),
        "budgetServer": release.budgeted,
        "rollouts": [
            rollout_state.document(
                route,
                plan,
                rollouts.states[route],
                cohort=rollout.small_cohort(gateways, route, shares[route]),
                order=rollouts.applied.get(route, ""),
            )
            for route, plan in sorted(rollouts.plans.items())
            if rollout.is_worth_saying(plan, rollouts.states[route])
        ],
    }
    # In one line: Python's encoder that indents takes ten times as long, and this is written every few seconds.
    disk.write(state.status, json.dumps(document, ensure_ascii=False).encode())


def read(state: StateFolder) -> Document | None:
    """Read `status.json`; None when there is none. Raises `StateError` where it cannot be read, or is not ours."""
    content = disk.read(state.status)
    return None if content is None else saved.decoded(content, decode, str(state.status))


def staleness(document: Document, now_ms: int, *, stopped: bool) -> str:
    """Say why a document of an `up` that runs speaks of the past; empty where it does not. `stopped`: by a signal."""
    if stopped:
        return "`fairlead up` is stopped (SIGSTOP, or a debugger): nobody judges or says anything; continue it"
    written = document.get("written", "")
    try:
        age_s = abs(now_ms / 1000 - datetime.fromisoformat(written).timestamp())
    except ValueError:
        return "`fairlead up` does not say when it wrote this: it is of another version; start it anew"
    if age_s <= STALE_S:
        return ""
    return f"`fairlead up` has said nothing since {written} (it does every {SAY_S:g} s): it hangs, or cannot write here"


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


def _region(region: LocalGateway, geo: str, listening: Addresses, prices: Mapping[str, Price]) -> Json:
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
        "targets": [_target(target, prices.get(target.name, FREE)) for target in gateway.targets] if gateway else [],
    }


def _configuration(gateway: CompiledGateway | None) -> Json:
    """Say how full it is; nothing where it is too large, which is a problem and told as such."""
    percent, path = (0, "") if gateway is None else gateway.fullness
    return {"configuration": {"percent": percent, "file": path, "limitBytes": envoy.LOCAL_LIMIT_BYTES}} if path else {}


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
                    {
                        "weight": percent(share.weight),
                        "targets": list(share.targets),
                        **({"judged": list(share.judged)} if share.judged else {}),
                    }
                    for share in answer.ladders
                ],
                "lastResort": answer.last_resort,
            }
            for answer in route.answers
        ],
    }


def _target(target: ir.Target, price: Price) -> Json:
    limited = target.max_in_flight is not None
    return {
        "name": word.decode(target.name),
        "region": target.region or None,
        "cluster": names.limited_cluster(target.name) if limited else names.cluster(target.name),
        "price": _price(price) if price.known else None,
    }


def _price(price: Price) -> Json:
    by_units = {"byUnits": True} if price.by_units else {}
    return {**price_document(price), **by_units}


def _endpoint(one: EndpointStanding) -> Json:
    return {
        "provider": one.provider,
        "endpoint": one.endpoint,
        "region": one.region or None,
        "used": one.used,
        "state": one.state.value,
        "share": percent(100 * one.share),
        "since": None if one.since_ms is None else rfc3339(one.since_ms),
        "reason": one.reason,
        "message": one.message,
    }


def _failing(one: Failing) -> Json:
    return {
        "subject": one.subject,
        "targets": list(one.targets),
        "since": rfc3339(one.since_ms),
        "reason": one.failure.value,
        "message": one.message,
        "seenBy": list(one.regions),
    }


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
