"""Fairlead in a cluster: the chart with the images of this checkout, and values small enough for a test machine."""

import json
from collections.abc import Mapping
from typing import Any

from harness.cluster import IMAGES, ROOT, Cluster
from harness.waiting import eventually

NAMESPACE = "fairlead"
CHART = ROOT / "helm" / "fairlead"
REGIONS = ("us-east-1", "eu-west-1")
VALUES: Mapping[str, Any] = {
    "installation": {
        "regions": [{"name": "us-east-1", "geo": "us"}, {"name": "eu-west-1", "geo": "eu"}],
        "anonymous": "Deny",
    },
    "gateway": {
        "replicas": 1,
        "concurrency": 1,
        "gracePeriodSeconds": 20,
        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
    },
    "regions": {"us-east-1": {"replicas": 2}},
    "operator": {"resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}},
    "budgetServer": {"resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}},
    "budgetStore": {"resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "320Mi"}}},
}


def install(cluster: Cluster, *further: str, values: Mapping[str, Any] = VALUES, verb: str = "install") -> str:
    """Install or upgrade the release and wait until it is ready, as a person does."""
    kubectl = cluster.kubectl
    if not kubectl.exists("namespace", NAMESPACE):
        kubectl("create", "namespace", NAMESPACE)
    # What a careful platform team sets: every pod of ours must pass.
    kubectl("label", "--overwrite", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    written = IMAGES / f"e2e-{cluster.name or 'given'}.json"
    written.write_text(json.dumps(values))
    return kubectl.helm(
        verb,
        "fairlead",
        str(CHART),
        "--namespace",
        NAMESPACE,
        "--values",
        str(IMAGES / "values.yaml"),
        "--values",
        str(written),
        "--wait",
        "--timeout",
        "300s",
        *further,
    )


def gateways_ready(cluster: Cluster, regions: tuple[str, ...] = REGIONS) -> None:
    """Wait until the operator has made every region's gateway and its pods are ready."""
    for region in regions:
        name = f"fairlead-gateway-{region}"
        eventually(f"{name} to be there", lambda name=name: cluster.kubectl.exists("deployment", name, NAMESPACE))
        cluster.kubectl("-n", NAMESPACE, "rollout", "status", f"deployment/{name}", "--timeout=300s")


def operator_pods(cluster: Cluster) -> list[dict[str, Any]]:
    return cluster.kubectl.list("pods", NAMESPACE, "app.kubernetes.io/component=operator")


def gateway_pods(cluster: Cluster, region: str) -> list[dict[str, Any]]:
    """Return the gateway pods of a region that are not about to end."""
    found = cluster.kubectl.list("pods", NAMESPACE, f"app.kubernetes.io/component=gateway,fairlead.dev/region={region}")
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]
