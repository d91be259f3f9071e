"""A gateway as clients reach it: through its Service."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from harness.cluster import Cluster
from harness.install import NAMESPACE
from harness.waiting import eventually


def gateway_log(cluster: Cluster, *, since: float) -> list[str]:
    """Return what the gateways' Envoys said since a moment, in monotonic seconds."""
    seconds = max(1, int(time.monotonic() - since))
    labels = "app.kubernetes.io/part-of=fairlead,app.kubernetes.io/component=gateway"
    words = ("logs", "-n", NAMESPACE, "-l", labels, "--prefix", f"--since={seconds}s", "--tail=-1")
    return cluster.kubectl(*words).splitlines()


def counted(cluster: Cluster, series: str, label: str, *, route: str) -> dict[str, float]:
    """Sum up what all gateways of the installation count of a route, by the values of a label."""
    found: dict[str, float] = {}
    for pod in cluster.kubectl.list("pods", NAMESPACE, "app.kubernetes.io/component=gateway"):
        ports = [port for one in pod["spec"]["containers"] for port in one.get("ports", ())]
        (shown,) = (port["containerPort"] for port in ports if port.get("name") == "metrics")
        where = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod['metadata']['name']}:{shown}/proxy/metrics"
        for line in cluster.kubectl("get", "--raw", where).splitlines():
            name, _, value = line.rpartition(" ")
            if name.startswith(f"{series}{{") and f'route="{route}"' in name:
                said = name.partition(f'{label}="')[2].partition('"')[0]
                found[said] = found.get(said, 0.0) + float(value)
    return found


@contextmanager
def reach(cluster: Cluster, region: str) -> Iterator[str]:
    """Yield the URL of a region's Service.

    A cluster of our own: its ClusterIP, by the host's route, so that kube-proxy is in the way as for every client. A
    given one: a port-forward, which leads to one pod only.
    """
    service = f"fairlead-gateway-{region}"
    if cluster.name is not None:
        spec = cluster.kubectl.get("service", service, NAMESPACE)["spec"]
        port = next(port["port"] for port in spec["ports"] if port["name"] == "http")
        yield f"http://{spec['clusterIP']}:{port}"
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    forward = cluster.kubectl.start("-n", NAMESPACE, "port-forward", f"service/{service}", f"{port}:http")
    try:
        eventually("the port-forward", lambda: socket.create_connection(("127.0.0.1", port), 1).close() is None)
        yield f"http://127.0.0.1:{port}"
    finally:
        forward.terminate()
        forward.wait(10)
