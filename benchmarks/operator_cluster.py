"""What a change costs on a real cluster, booted for this as for the end-to-end tests: `make bench-operator`.

One route, changed again and again under load: how long until every gateway pod answers with it. Then 500 routes, one
changed among them, a minute of the unchanged cluster in which everything is listed once, and the operator's memory with
twice as many, half in each region: a gateway's routes have to fit a ConfigMap.
"""

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import Iterable, Mapping
from typing import Any

import httpx
from harness import operator
from harness.cluster import Cluster, boot
from harness.gateway import reach
from harness.install import NAMESPACE, REGIONS, VALUES, gateways_ready, install
from harness.load import Load
from harness.provider import Provider
from harness.team import Team

from fairlead.adapters.kube import Kube
from fairlead.adapters.kube_client import connect

TEAM, KEY = "bench", "bench-key"
_APART_S = 1.5
"""Between two changes: an idle cluster. A kubelet syncs a pod once a second."""
_UNCHANGED_S = 65
"""The operator lists everything once a minute."""


def main() -> None:
    """Print every figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=100, help="how often the one route is changed")
    parser.add_argument("--routes", type=int, default=500, help="then among so many, and memory with twice as many")
    parser.add_argument("--gzip", action="store_true", help="with `gateway.configMaps: Gzip`: more than 600 routes")
    arguments = parser.parse_args()
    with boot("bench") as cluster:
        install(cluster, values=_values(gzip=arguments.gzip))
        gateways_ready(cluster)
        provider, team = Provider(cluster, "sim", "sk-bench", "model-a,model-b"), Team(cluster, TEAM)
        provider.start()
        cluster.kubectl.apply(provider.secret(), provider.resource())
        gateways_ready(cluster)
        team.join()
        chat = team.route("chat", provider.name, "model-a")
        cluster.kubectl.apply(team.key("alice", KEY), team.consumer("alice"), chat)
        team.is_ready("modelroute", "chat")
        team.is_ready("modelconsumer", "alice")
        os.environ["KUBECONFIG"] = str(cluster.kubectl.kubeconfig)
        with reach(cluster, "us-east-1") as url, Load(url=url, key=KEY, model="chat", rate=50) as load:
            took = asyncio.run(_changes(chat, arguments.changes))
        _tell_changes("one change, 1 route", took)
        print(f"  {len(load.answers)} requests meanwhile, {len(load.failed)} failed")
        asyncio.run(_scale(cluster, team, arguments.routes))


def _values(*, gzip: bool) -> Mapping[str, Any]:
    if not gzip:
        return VALUES
    operator_pod = {**VALUES["operator"], "resources": {"limits": {"memory": "768Mi"}}}
    return {**VALUES, "gateway": {**VALUES["gateway"], "configMaps": "Gzip"}, "operator": operator_pod}


def _tell_changes(what: str, took: Iterable[float]) -> None:
    ordered = sorted(took)
    p50, p99 = statistics.median(ordered), ordered[min(len(ordered) - 1, round(len(ordered) * 0.99))]
    print(
        f"{what}, from the patch until every gateway pod answers with it: p50 {p50:.2f} s, p99 {p99:.2f} s, "
        f"max {ordered[-1]:.2f} s ({len(ordered)} changes)",
        flush=True,
    )
    print("  " + " ".join(f"{one:.2f}" for one in ordered))


async def _changes(route: Mapping[str, Any], times: int) -> list[float]:
    """Change the model of a route, there and back."""
    async with connect() as kube, httpx.AsyncClient(trust_env=False, timeout=5) as client:
        took = []
        for turn in range(times):
            await asyncio.sleep(_APART_S)
            took.append(await _change(kube, client, _with_model(route, f"model-{'ba'[turn % 2]}")))
        return took


def _with_model(route: Mapping[str, Any], model: str) -> dict[str, Any]:
    primary = {**route["spec"]["primary"], "model": model}
    return {**route, "spec": {**route["spec"], "primary": primary}}


async def _scale(cluster: Cluster, team: Team, routes: int) -> None:
    many = [team.route(f"route-{number:04}", "sim", "model-a") for number in range(routes)]
    more = [team.route(f"route-{n:04}", "sim", "model-a", regions=[REGIONS[n % 2]]) for n in range(2 * routes)]
    async with connect() as kube:
        began = time.monotonic()
        await _apply(kube, many)
        applied = time.monotonic() - began
        await _all_ready(kube)
        print(f"{routes} routes: applied in {applied:.1f} s, all Ready after {time.monotonic() - began:.1f} s")
        _tell_changes(f"one change, {routes} routes", await _changes(many[routes // 2], 20))
        await _all_ready(kube)
        writes = _writes(cluster)
        await asyncio.sleep(_UNCHANGED_S)
        wrote = _writes(cluster) - writes
        print(f"{_UNCHANGED_S} s of an unchanged cluster, everything listed once meanwhile: {wrote:.0f} writes")
        await _apply(kube, more)
        await _all_ready(kube)
    memory = operator.metrics(cluster)["process_resident_memory_bytes"]
    print(f"{2 * routes} routes: the operator's memory is {memory / 1e6:.0f} MB")


async def _apply(kube: Kube, objects: Iterable[Mapping[str, Any]]) -> None:
    gate = asyncio.Semaphore(16)

    async def one(found: Mapping[str, Any]) -> None:
        async with gate:
            await kube.apply(found)

    await asyncio.gather(*(one(found) for found in objects))


async def _all_ready(kube: Kube) -> None:
    while not all(_is_ready(found) for found in await kube.list("ModelRoute", namespace=TEAM)):  # noqa: ASYNC110  asked
        await asyncio.sleep(0.5)


def _is_ready(found: Mapping[str, Any]) -> bool:
    status = found.get("status", {})
    return status.get("observedGeneration") == found["metadata"]["generation"] and any(
        one["type"] == "Ready" and one["status"] == "True" for one in status["conditions"]
    )


async def _change(kube: Kube, client: httpx.AsyncClient, route: Mapping[str, Any]) -> float:
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


def _writes(cluster: Cluster) -> float:
    return operator.total(operator.metrics(cluster), "fairlead_api_writes_total")


if __name__ == "__main__":
    main()
