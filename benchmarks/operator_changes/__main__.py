"""What a change of one among many routes costs the operator: `PYTHONPATH=tests python -m benchmarks.operator_changes`.

The operator is a process of its own, with kopf and the client that it has in a cluster, so its memory is that of the
pod. The cluster is this process: an API in memory, over HTTP on loopback, and gateway pods that serve at once what
their ConfigMaps hold. No container, no kubelet, no Envoy; needs the ports 8080 and 9090 of two addresses of loopback.
"""

import argparse
import asyncio
import base64
import json
import os
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from benchmarks.operator_changes.api_server import application
from benchmarks.operator_changes.gateway_pods import GatewayPods
from benchmarks.operator_changes.process import figures
from builders import EU_WEST, US
from fairlead.manifests import REGION_LABEL, decode_settings
from gateway_values import LABELS, document
from memory_cluster import MemoryCluster

REGIONS = {US: "127.86.0.1", EU_WEST: "127.86.0.2"}
"""By region, the address of its pod."""
TEAM, API = "bench", "fairlead.dev/v1alpha1"
_QUIET_S = 4.0
"""Without a write: a change has come to its end."""
_WITHIN_S = 600.0


def main() -> None:
    """Print every figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--routes", type=int, default=2000)
    parser.add_argument("--consumers", type=int, default=1)
    parser.add_argument("--changes", type=int, default=40)
    parser.add_argument(
        "--unchanged", type=float, default=0, help="then so many seconds in which nobody changes a thing"
    )
    parser.add_argument("--log", type=Path, default=Path(os.devnull), help="where the operator's log goes")
    arguments = parser.parse_args()
    asyncio.run(_measure(arguments))


async def _measure(arguments: argparse.Namespace) -> None:
    cluster = MemoryCluster(*_objects(arguments.routes, arguments.consumers))
    settings = document(*REGIONS, configMaps="Gzip")
    pods = GatewayPods(cluster, decode_settings(settings), REGIONS)
    async with _serving(application(cluster)) as port, _pods(pods), _operator(port, settings, arguments.log) as pid:
        await _until(lambda: _are_ready(cluster, arguments.routes))
        await _quiet(cluster)
        begin = figures(pid)
        print(f"{arguments.routes} routes Ready: {begin.memory_mb:.0f} MB, {begin.cpu_s:.1f} s of CPU", flush=True)
        costs = [await _change(cluster, pid, turn, arguments.routes) for turn in range(arguments.changes)]
        if costs:
            _tell(costs)
        print(
            f"memory after {len(costs)} changes: {figures(pid).memory_mb:.0f} MB, at most {figures(pid).peak_mb:.0f} MB"
        )
        if arguments.unchanged:
            first, before = len(cluster.writes), figures(pid)
            await asyncio.sleep(arguments.unchanged)
            wrote = [write for write in cluster.writes[first:] if write[1] != "Lease"]
            cpu_s = figures(pid).cpu_s - before.cpu_s
            print(f"{arguments.unchanged:.0f} s unchanged: {cpu_s:.2f} s of CPU, writes: {wrote}")


async def _change(cluster: MemoryCluster, pid: int, turn: int, routes: int) -> tuple[float, float, float]:
    """Change one route; return CPU seconds until all routes are written, and until all is quiet, and MB then."""
    before, first = figures(pid), len(cluster.writes)
    cluster.put(_route(routes // 2, f"model-{'ba'[turn % 2]}"))
    await _until(lambda: _routes_written(cluster, first))
    written = figures(pid)
    await _quiet(cluster)
    after = figures(pid)
    return written.cpu_s - before.cpu_s, after.cpu_s - before.cpu_s, after.memory_mb


def _tell(costs: list[tuple[float, float, float]]) -> None:
    written, whole, memory = zip(*costs, strict=True)
    print(f"CPU from a change to both ConfigMaps of routes: {_spread(written)}")
    print(f"CPU of a change, status and rest included: {_spread(whole)}")
    print("MB after each: " + " ".join(f"{one:.0f}" for one in memory))


def _spread(seconds: tuple[float, ...]) -> str:
    return f"median {statistics.median(seconds):.3f} s, {min(seconds):.3f} to {max(seconds):.3f} s"


def _routes_written(cluster: MemoryCluster, first: int) -> bool:
    names = {name for verb, kind, name in cluster.writes[first:] if (verb, kind) == ("apply", "ConfigMap")}
    return names.issuperset(f"fairlead-gateway-{region}-packed-routes" for region in REGIONS)


def _are_ready(cluster: MemoryCluster, routes: int) -> bool:
    found = cluster.statuses("ModelRoute")
    return len(found) == routes and all(
        any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions", ()))
        for status in found
    )


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(_WITHIN_S):
        while not condition():  # noqa: ASYNC110  the memory tells nobody
            await asyncio.sleep(0.02)


async def _quiet(cluster: MemoryCluster) -> None:
    known, since = -1, 0.0
    loop = asyncio.get_running_loop()
    while known != len(cluster.writes) or loop.time() - since < _QUIET_S:
        wrote = [write for write in cluster.writes if write[1] != "Lease"]
        if known != len(wrote):
            known, since = len(wrote), loop.time()
        if loop.time() - since >= _QUIET_S:
            return
        await asyncio.sleep(0.1)


# What is there


def _objects(routes: int, consumers: int) -> list[Mapping[str, Any]]:
    models = [{"name": f"model-{name}", "usdPerMillionTokens": {"input": "1", "output": "2"}} for name in "ab"]
    endpoint = {"name": "sim", "baseURL": "http://provider.bench.svc/v1", "credential": {"secretName": "sim"}}
    spec = {
        "allowedRoutes": {"namespaces": {"from": "All"}},
        "endpoints": [endpoint],
        "models": models,
        "healthCheck": {"type": "None"},
    }
    return [
        {
            "kind": "ConfigMap",
            "apiVersion": "v1",
            "metadata": {"name": "fairlead-installation", "namespace": "fairlead"},
        },
        {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "fairlead-keys", "namespace": "fairlead"}},
        *({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": one}} for one in ("fairlead", TEAM)),
        _object("ModelProvider", "sim", spec, namespace="fairlead"),
        *(_route(number, "model-a") for number in range(routes)),
        *(one for number in range(consumers) for one in _consumer(number)),
        *(_pod(region, address) for region, address in REGIONS.items()),
    ]


def _object(kind: str, name: str, spec: Mapping[str, Any], *, namespace: str = TEAM) -> dict[str, Any]:
    return {"apiVersion": API, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def _route(number: int, model: str) -> dict[str, Any]:
    return _object("ModelRoute", f"route-{number:04}", {"primary": {"provider": "sim", "model": model}})


def _consumer(number: int) -> list[dict[str, Any]]:
    name = f"consumer-{number:04}"
    metadata = {"name": name, "namespace": TEAM}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "data": {"apiKey": base64.b64encode(name.encode()).decode()},
    }
    return [secret, _object("ModelConsumer", name, {"keys": [{"secretName": name}]})]


def _pod(region: str, address: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"gateway-{region}", "namespace": "fairlead", "labels": {**LABELS, REGION_LABEL: region}},
        "spec": {"volumes": [{"name": "sim", "secret": {"secretName": "sim"}}]},
        "status": {"podIP": address, "conditions": [{"type": "Ready", "status": "True"}]},
    }


# Who is there


@asynccontextmanager
async def _serving(served: web.Application, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[int]:
    runner = web.AppRunner(served, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _pods(pods: GatewayPods) -> AsyncIterator[None]:
    runners = []
    try:
        for address in REGIONS.values():
            runner = web.AppRunner(pods.application(address), access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            runners.append(runner)
            for port in (8080, 9090):
                await web.TCPSite(runner, address, port).start()
        yield
    finally:
        for runner in runners:
            await runner.cleanup()


@asynccontextmanager
async def _operator(port: int, settings: Mapping[str, Any], log: Path) -> AsyncIterator[int]:
    """Run the operator as its pod does; yield its process' id."""
    with tempfile.TemporaryDirectory() as folder, log.open("wb") as written:
        installation = {"namespace": "fairlead", "regions": [{"name": US, "geo": "us"}, {"name": EU_WEST, "geo": "eu"}]}
        user = {"name": "bench", "user": {"token": "none"}}
        kubeconfig = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "bench", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
            "users": [user],
            "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
            "current-context": "bench",
        }
        paths = {}
        for name, content in (("installation", installation), ("gateways", settings), ("kubeconfig", kubeconfig)):
            paths[name] = Path(folder) / f"{name}.yaml"
            paths[name].write_text(json.dumps(content))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "import fairlead.cli; fairlead.cli.main()"),
            *("operator", "--address", "127.0.0.1", "--port", "0"),
            *("--installation", str(paths["installation"]), "--gateways", str(paths["gateways"])),
            env={**os.environ, "KUBECONFIG": str(paths["kubeconfig"])},
            stdout=written,
            stderr=written,
        )
        try:
            yield process.pid
        finally:
            process.terminate()
            await process.wait()


if __name__ == "__main__":
    main()
