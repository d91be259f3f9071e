"""A real Prometheus on this machine, which scrapes an installation's pods through the API server."""

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from harness.cluster import Cluster
from harness.install import NAMESPACE
from harness.waiting import eventually

_PODS = "app.kubernetes.io/part-of=fairlead"
_LABELS = ("app.kubernetes.io/component", "fairlead.dev/region")
_PROXY = f"/api/v1/namespaces/{NAMESPACE}/pods"
_ENDS_WITHIN_S = 10


class Prometheus:
    """Asks it."""

    def __init__(self, url: str) -> None:
        self._url = url

    def query(self, expression: str) -> list[Any]:
        """Return the samples of an instant query; what Prometheus refuses is an `AssertionError`."""
        asked = httpx.get(f"{self._url}/api/v1/query", params={"query": expression}, timeout=30, trust_env=False).json()
        assert asked["status"] == "success", f"{expression}: {asked}"
        found: list[Any] = asked["data"]["result"]
        return found


@contextmanager
def prometheus(cluster: Cluster, folder: Path, rules: list[Path]) -> Iterator[Prometheus]:
    """Scrape every pod that shows metrics now once a second, as the chart's PodMonitor labels it, and judge the alerts.

    Pods that come later are not seen, and pods that go count as down: what rolls the gateways comes before.
    """
    with cluster.kubectl.start("proxy", "--port=0") as proxy:
        try:
            assert proxy.stdout is not None
            port = re.search(r"127\.0\.0\.1:(\d+)", proxy.stdout.readline())
            assert port is not None
            (folder / "prometheus.yaml").write_text(yaml.safe_dump(_configuration(cluster, int(port[1]), rules)))
            with _running(folder) as found:
                eventually("a scrape of every pod", lambda: found.query("up") and not found.query("up == 0"))
                yield found
        finally:
            proxy.terminate()
            proxy.wait(_ENDS_WITHIN_S)


@contextmanager
def _running(folder: Path) -> Iterator[Prometheus]:
    words = ["prometheus", f"--config.file={folder / 'prometheus.yaml'}", f"--storage.tsdb.path={folder / 'tsdb'}"]
    log = folder / "prometheus.log"
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with log.open("wb") as written:
        process = subprocess.Popen([*words, f"--web.listen-address={address}"], stdout=written, stderr=written)
    try:
        found = Prometheus(f"http://{address}")
        eventually("Prometheus", lambda: found.query("vector(1)"), within_s=60)
        yield found
    finally:
        process.terminate()
        process.wait(60)


def _configuration(cluster: Cluster, port: int, rules: list[Path]) -> dict[str, Any]:
    pods = [
        pod
        for pod in cluster.kubectl.list("pods", NAMESPACE, _PODS)
        if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]
    ]
    targets = [
        {
            "targets": [f"127.0.0.1:{port}"],
            "labels": {
                "__metrics_path__": f"{_PROXY}/{pod['metadata']['name']}:{shown}/proxy/metrics",
                "namespace": NAMESPACE,
                "pod": pod["metadata"]["name"],
                "instance": pod["metadata"]["name"],
                **{re.sub(r"\W", "_", name): pod["metadata"]["labels"].get(name, "") for name in _LABELS},
            },
        }
        for pod in pods
        for shown in _metrics_ports(pod)
    ]
    return {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(path) for path in rules],
        "scrape_configs": [{"job_name": "fairlead/fairlead", "static_configs": targets}],
    }


def _metrics_ports(pod: dict[str, Any]) -> list[int]:
    containers = pod["spec"]["containers"]
    return [
        port["containerPort"] for one in containers for port in one.get("ports", ()) if port.get("name") == "metrics"
    ]
