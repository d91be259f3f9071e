"""How long the compiler takes for many routes, and what rendering and planning cost on top: `make bench-operator`."""

import argparse
import resource
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from fairlead.api.installation import Installation, decode_installation
from fairlead.cli.operator import collect_seldom
from fairlead.compiler import Compiled, Manifest, Observed, SecretRef, Snapshot, compile  # noqa: A004  its name
from fairlead.controller.context import Context
from fairlead.controller.plan import plan
from fairlead.manifests import decode_settings, render

REGIONS = ("us-east-1", "eu-west-1", "ap-south-1")
NAMESPACE, TEAM = "fairlead", "bench"
API = "fairlead.dev/v1alpha1"


def main() -> None:
    """Print every figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--routes", type=int, default=1000)
    parser.add_argument("--gzip", action="store_true", help="as with `gateway.configMaps: Gzip`")
    collect_seldom()
    arguments = parser.parse_args()
    _compile(arguments.routes, "Gzip" if arguments.gzip else "Plain")


def _provider() -> dict[str, Any]:
    endpoints = [
        {
            "name": region,
            "region": region,
            "baseURL": f"https://{region}.example.com/v1",
            "credential": {"secretName": "p"},
        }
        for region in REGIONS
    ]
    models = [{"name": f"m-{n}", "usdPerMillionTokens": {"input": "1", "output": "2"}} for n in range(20)]
    spec = {"allowedRoutes": {"namespaces": {"from": "All"}}, "endpoints": endpoints, "models": models}
    return {"apiVersion": API, "kind": "ModelProvider", "metadata": {"name": "p", "namespace": NAMESPACE}, "spec": spec}


def _route(number: int, **spec: Any) -> dict[str, Any]:
    primary = {"provider": "p", "model": f"m-{number % 20}"}
    metadata = {"name": f"route-{number:04}", "namespace": TEAM}
    return {"apiVersion": API, "kind": "ModelRoute", "metadata": metadata, "spec": {"primary": primary, **spec}}


def catalogue(routes: int) -> list[dict[str, Any]]:
    """Make a provider of 20 models at three endpoints, and routes to it, all but a twentieth with a fallback."""
    fallback = [{"provider": "p", "model": "m-19"}]
    many = (_route(number, fallbacks=fallback if number % 20 != 19 else []) for number in range(routes))
    return [_provider(), *many]


def _consumer(number: int) -> dict[str, Any]:
    metadata = {"name": f"consumer-{number:04}", "namespace": TEAM}
    spec = {"keys": [{"secretName": f"consumer-{number:04}"}]}
    return {"apiVersion": API, "kind": "ModelConsumer", "metadata": metadata, "spec": spec}


def _context(config_maps: str) -> Context:
    decoded = decode_installation({"namespace": NAMESPACE, "regions": [{"name": name, "geo": "g"} for name in REGIONS]})
    if not isinstance(decoded, Installation):
        raise TypeError(decoded)
    region = {
        "replicas": 2,
        "autoscaling": {
            "enabled": False,
            "minReplicas": 1,
            "maxReplicas": 1,
            "targetCPUUtilizationPercentage": 70,
            "targetRequestsPerSecond": 0,
            "metrics": [],
            "behavior": {},
        },
        "maxUnavailable": 1,
        "concurrency": 0,
        "gracePeriodSeconds": 300,
        "configMaps": config_maps,
        "service": {"type": "ClusterIP", "port": 80, "annotations": {}},
        "resources": {},
        "nodeSelector": {},
        "tolerations": [],
        "affinity": {},
        "topologyKeys": [],
        "priorityClassName": "",
        "podAnnotations": {},
        "podLabels": {},
    }
    settings = decode_settings(
        {
            "namePrefix": "fairlead",
            "owner": "o",
            "keysSecret": "k",
            "serviceAccount": "s",
            "labels": {},
            "selector": {},
            "image": "i",
            "pullPolicy": "Never",
            "pullSecrets": [],
            "operatorImage": "operator:1",
            "operatorPullPolicy": "IfNotPresent",
            "budgetServer": {},
            "recorder": "",
            "whenAllDrained": "Serve",
            "regions": dict.fromkeys(REGIONS, region),
        }
    )
    return Context(
        installation=decoded, settings=settings, watch_namespaces=(), lease="l", identity="i", owner_uid="uid"
    )


def _compile(routes: int, config_maps: str) -> None:
    context = _context(config_maps)
    manifests = [
        *catalogue(routes),
        *(_consumer(number) for number in range(200)),
    ]
    snapshot = Snapshot(
        manifests=tuple(Manifest(content=one) for one in manifests),
        secrets={SecretRef(TEAM, f"consumer-{n:04}", "apiKey"): f"f{n}" for n in range(200)},
    )
    observed = Observed(layouts=context.layouts, home_secrets_readable=False)
    took, compiled = _timed(lambda: compile(snapshot, context.installation, observed), times=5)
    print(f"compile {routes} routes, 200 consumers, {len(REGIONS)} regions, rendered: {took}, median of 5")
    again = Observed(last_good=compiled.last_good, layouts=context.layouts, home_secrets_readable=False)
    took, _ = _timed(lambda: compile(snapshot, context.installation, again), times=3)
    print(f"  the same with every last good version remembered: {took}")
    edits = iter([_edited(snapshot, number) for number in range(3)])
    after = replace(again, memo=compile(snapshot, context.installation, again).memo)
    took, _ = _timed(lambda: compile(next(edits), context.installation, after), times=3)
    print(f"  the same after one route was edited, with the compilation before at hand: {took}")
    took, objects = _timed(lambda: _render(compiled, context), times=3)
    planned = plan(objects, [], owner_uid="uid").apply
    took_plan, same = _timed(lambda: plan(objects, planned, owner_uid="uid"), times=3)
    if same.apply:
        raise ValueError(same.apply)
    written = sum(not gateway.too_large for gateway in compiled.gateways.values())
    print(f"  manifests of {written} regions {took}, plan of an unchanged cluster {took_plan}: 0 writes")
    for region, gateway in compiled.gateways.items():
        if gateway.too_large:
            print(f"  {region}: {gateway.too_large}")
    sizes = [len(content) for gateway in compiled.gateways.values() for content in gateway.files.values()]
    largest = max(sizes, default=0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  largest file {largest / 1024:.0f} KiB; peak memory of this process {peak:.0f} MB")


def _edited(snapshot: Snapshot, turn: int) -> Snapshot:
    """Give the first route another model; every other manifest stays the same object, as the operator keeps it."""
    written = _route(0, primary={"provider": "p", "model": f"m-{turn + 1}"})
    provider, _, *others = snapshot.manifests
    return replace(snapshot, manifests=(provider, Manifest(content=written), *others))


def _render(compiled: Compiled, context: Context) -> list[Mapping[str, Any]]:
    return [
        one
        for gateway in compiled.gateways.values()
        for one in render(
            gateway.ir, gateway.files, settings=context.settings, namespace=NAMESPACE, owner_uid=context.owner_uid
        )
    ]


@dataclass(frozen=True, slots=True)
class Took:
    """The median of several runs, on the clock and in CPU: a busy machine changes the second little. Seconds."""

    wall_s: float
    cpu_s: float

    def __str__(self) -> str:
        return f"{self.wall_s * 1000:.0f} ms ({self.cpu_s * 1000:.0f} ms of CPU)"


def _timed(work: Any, *, times: int) -> tuple[Took, Any]:
    walls, cpus = [], []
    for _ in range(times):
        began, cpu_began = time.perf_counter(), time.process_time()
        result = work()
        walls.append(time.perf_counter() - began)
        cpus.append(time.process_time() - cpu_began)
    return Took(statistics.median(walls), statistics.median(cpus)), result


if __name__ == "__main__":
    main()
