"""What pods use, as metrics-server tells autoscalers."""

import json
import subprocess

from harness.cluster import SCRIPTS, Cluster
from harness.kubectl import documents
from harness.waiting import eventually

_API = "/apis/metrics.k8s.io/v1beta1"


def serve_pod_metrics(cluster: Cluster) -> None:
    """Run metrics-server in a cluster of our own, until it has told of pods; a given one has it."""
    if cluster.name is not None:
        built = subprocess.run([str(SCRIPTS / "build.sh"), "metrics"], capture_output=True, text=True, check=True)
        subprocess.run([str(SCRIPTS / "load.sh"), cluster.name, built.stdout.strip()], check=True)
        cluster.kubectl.apply(*documents(SCRIPTS / "metrics" / "server.yaml"))
    eventually("what pods use", lambda: used(cluster, "kube-system"))


def used(cluster: Cluster, namespace: str, labels: str = "") -> dict[str, float]:
    """Return the CPU that each pod used lately, in thousandths of a core; a pod that is new may be missing."""
    query = f"?labelSelector={labels}" if labels else ""
    told = json.loads(cluster.kubectl("get", "--raw", f"{_API}/namespaces/{namespace}/pods{query}"))
    return {
        pod["metadata"]["name"]: sum(_thousandths(one["usage"]["cpu"]) for one in pod["containers"])
        for pod in told["items"]
    }


def _thousandths(quantity: str) -> float:
    units = {"n": 1e-6, "u": 1e-3, "m": 1.0}
    unit = quantity[-1]
    return float(quantity[:-1]) * units[unit] if unit in units else float(quantity) * 1000
