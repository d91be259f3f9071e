"""How the operator scales: `make bench-operator`.

Without a cluster: 1,000 routes compiled, and how long rendering and planning take on top. With one (`--cluster`, needs
KUBECONFIG and an installed release): 500 routes applied, one changed among them, memory, a resync that writes nothing.
"""

import argparse
import asyncio
import resource
import statistics
import time
from collections.abc import Mapping
from typing import Any

import httpx

from fairlead.adapters.kube import LightKube, connect
from fairlead.api.installation import Installation, decode_installation
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
    parser.add_argument("--cluster", action="store_true", help="also on the cluster that KUBECONFIG names")
    parser.add_argument("--cluster-routes", type=int, default=500)
    arguments = parser.parse_args()
    _compile(arguments.routes)
    if arguments.cluster:
        asyncio.run(_cluster(arguments.cluster_routes))


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


def _route(number: int, provider: str = "p", model: str | None = None, **spec: Any) -> dict[str, Any]:
    primary = {"provider": provider, "model": model or f"m-{number % 20}"}
    metadata = {"name": f"route-{number:04}", "namespace": TEAM}
    return {"apiVersion": API, "kind": "ModelRoute", "metadata": metadata, "spec": {"primary": primary, **spec}}


def _consumer(number: int) -> dict[str, Any]:
    metadata = {"name": f"consumer-{number:04}", "namespace": TEAM}
    spec = {"keys": [{"secretName": f"consumer-{number:04}"}]}
    return {"apiVersion": API, "kind": "ModelConsumer", "metadata": metadata, "spec": spec}


def _context() -> Context:
    decoded = decode_installation({"namespace": NAMESPACE, "regions": [{"name": name, "geo": "g"} for name in REGIONS]})
    if not isinstance(decoded, Installation):
        raise TypeError(decoded)
    region = {
        "replicas": 2,
        "autoscaling": {"enabled": False, "minReplicas": 1, "maxReplicas": 1, "targetCPUUtilizationPercentage": 70},
        "maxUnavailable": 1,
        "concurrency": 0,
        "gracePeriodSeconds": 300,
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
            "budgetServer": {},
            "regions": dict.fromkeys(REGIONS, region),
        }
    )
    return Context(
        installation=decoded, settings=settings, watch_namespaces=(), lease="l", identity="i", owner_uid="uid"
    )


def _compile(routes: int) -> None:
    context = _context()
    manifests = [
        _provider(),
        *(
            _route(number, fallbacks=[{"provider": "p", "model": "m-19"}] if number % 20 != 19 else [])
            for number in range(routes)
        ),
        *(_consumer(number) for number in range(200)),
    ]
    snapshot = Snapshot(
        manifests=tuple(Manifest(content=one) for one in manifests),
        secrets={SecretRef(TEAM, f"consumer-{n:04}", "apiKey"): f"f{n}" for n in range(200)},
    )
    observed = Observed(layouts=context.layouts, home_secrets_readable=False)
    took, compiled = _timed(lambda: compile(snapshot, context.installation, observed), times=5)
    print(
        f"compile {routes} routes, 200 consumers, {len(REGIONS)} regions, rendered: {took * 1000:.0f} ms (median of 5)"
    )
    again = Observed(last_good=compiled.last_good, layouts=context.layouts, home_secrets_readable=False)
    took, _ = _timed(lambda: compile(snapshot, context.installation, again), times=3)
    print(f"  the same with every last good version remembered: {took * 1000:.0f} ms")
    took, objects = _timed(lambda: _render(compiled, context), times=3)
    planned = plan(objects, [], owner_uid="uid").apply
    took_plan, same = _timed(lambda: plan(objects, planned, owner_uid="uid"), times=3)
    if same.apply:
        raise ValueError(same.apply)
    print(f"  manifests {took * 1000:.0f} ms, plan of an unchanged cluster {took_plan * 1000:.0f} ms: 0 writes")
    for region, gateway in compiled.gateways.items():
        if gateway.too_large:
            print(f"  {region}: {gateway.too_large}")
    sizes = [len(content) for gateway in compiled.gateways.values() for content in gateway.files.values()]
    largest = max(sizes, default=0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  largest file {largest / 1024:.0f} KiB; peak memory of this process {peak:.0f} MB")


def _render(compiled: Compiled, context: Context) -> list[Mapping[str, Any]]:
    return [
        one
        for gateway in compiled.gateways.values()
        for one in render(
            gateway.ir, gateway.files, settings=context.settings, namespace=NAMESPACE, owner_uid=context.owner_uid
        )
    ]


def _timed(work: Any, *, times: int) -> tuple[float, Any]:
    took = []
    for _ in range(times):
        began = time.perf_counter()
        result = work()
        took.append(time.perf_counter() - began)
    return statistics.median(took), result


async def _cluster(routes: int) -> None:
    async with connect() as kube, httpx.AsyncClient(trust_env=False, timeout=5) as client:
        (provider, *_) = await kube.list("ModelProvider", namespace=NAMESPACE)
        name, models = provider["metadata"]["name"], [one["name"] for one in provider["spec"]["models"]]
        began = time.monotonic()
        gate = asyncio.Semaphore(16)

        async def apply(number: int) -> None:
            async with gate:
                await kube.apply(_route(number, name, models[0]))

        await asyncio.gather(*(apply(number) for number in range(routes)))
        applied = time.monotonic() - began
        await _all_ready(kube, routes)
        print(f"{routes} routes: applied in {applied:.1f} s, all Ready after {time.monotonic() - began:.1f} s")
        took = []
        for turn in range(5):
            await asyncio.sleep(2)
            took.append(await _change(kube, client, _route(routes // 2, name, models[(turn + 1) % 2])))
        seconds = ", ".join(f"{one:.2f}" for one in took)
        print(f"one change among them, until every gateway pod answers with it: {seconds} s")
        before = await _metrics(kube, client)
        await asyncio.sleep(65)  # a resync is once a minute
        after = await _metrics(kube, client)
        writes = _total(after, "fairlead_api_writes_total") - _total(before, "fairlead_api_writes_total")
        print(f"a minute with a resync: {writes:.0f} writes")
        print(f"the operator's memory: {after['process_resident_memory_bytes'] / 1e6:.0f} MB")
        for number in range(routes):
            await kube.delete("ModelRoute", namespace=TEAM, name=f"route-{number:04}")


async def _all_ready(kube: LightKube, routes: int) -> None:
    while True:
        found = await kube.list("ModelRoute", namespace=TEAM)
        ready = sum(_is_ready(one) for one in found)
        if ready == routes:
            return
        await asyncio.sleep(0.5)


def _is_ready(found: Mapping[str, Any]) -> bool:
    status = found.get("status", {})
    return status.get("observedGeneration") == found["metadata"]["generation"] and any(
        one["type"] == "Ready" and one["status"] == "True" for one in status["conditions"]
    )


async def _change(kube: LightKube, client: httpx.AsyncClient, route: Mapping[str, Any]) -> float:
    pods = await kube.list("Pod", namespace=NAMESPACE, labels={"app.kubernetes.io/component": "gateway"})
    addresses = [pod["status"]["podIP"] for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    before = {address: await _digest(client, address) for address in addresses}
    began = time.monotonic()
    await kube.apply(route)
    while any([await _digest(client, address) == digest for address, digest in before.items()]):  # noqa: ASYNC110  pods are asked
        await asyncio.sleep(0.01)
    return time.monotonic() - began


async def _digest(client: httpx.AsyncClient, address: str) -> str:
    return str((await client.get(f"http://{address}:8080/fairlead/ready")).json()["digest"])


async def _metrics(kube: LightKube, client: httpx.AsyncClient) -> dict[str, float]:
    (pod, *_) = await kube.list("Pod", namespace=NAMESPACE, labels={"app.kubernetes.io/component": "operator"})
    text = (await client.get(f"http://{pod['status']['podIP']}:8080/metrics")).text
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines}


def _total(found: Mapping[str, float], series: str) -> float:
    return sum(value for name, value in found.items() if name.partition("{")[0] == series)


if __name__ == "__main__":
    main()
