"""The operator as tests see it: its metrics, its log, its end."""

import json
import re
from typing import Any

from harness.cluster import Cluster
from harness.install import NAMESPACE, operator_pods
from harness.waiting import eventually

DEPLOYMENT = "deployment/fairlead-operator"


def metrics(cluster: Cluster, pod: str | None = None) -> dict[str, float]:
    """Read /metrics of an operator pod, through the API server: series to value."""
    name = pod or operator_pods(cluster)[0]["metadata"]["name"]
    text = cluster.kubectl("get", "--raw", f"/api/v1/namespaces/{NAMESPACE}/pods/{name}:8080/proxy/metrics")
    return {
        series: float(value)
        for line in text.splitlines()
        if not line.startswith("#")
        for series, value in [line.rsplit(" ", 1)]
    }


def total(found: dict[str, float], series: str) -> float:
    """Sum a counter over its labels."""
    return sum(value for name, value in found.items() if re.match(rf"{series}(\{{|$)", name))


def log(cluster: Cluster, pod: str | None = None) -> list[dict[str, Any]]:
    """Read the operator's log lines."""
    text = cluster.kubectl("-n", NAMESPACE, "logs", pod or DEPLOYMENT)
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def scale(cluster: Cluster, replicas: int) -> None:
    """Set how many operators there are, and wait until it is so."""
    cluster.kubectl("-n", NAMESPACE, "scale", DEPLOYMENT, f"--replicas={replicas}")
    eventually(f"{replicas} operators", lambda: len(operator_pods(cluster)) == replicas)
    if replicas:
        cluster.kubectl("-n", NAMESPACE, "rollout", "status", DEPLOYMENT, "--timeout=300s")
        eventually("a leader", lambda: any(_leads(cluster, pod) for pod in operator_pods(cluster)))


def _leads(cluster: Cluster, pod: dict[str, Any]) -> bool:
    return metrics(cluster, pod["metadata"]["name"]).get("fairlead_leader") == 1.0


def leaders(cluster: Cluster) -> list[str]:
    """Return the names of the operator pods that say that they lead."""
    return [pod["metadata"]["name"] for pod in operator_pods(cluster) if _leads(cluster, pod)]
