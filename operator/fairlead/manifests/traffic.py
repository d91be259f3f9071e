"""How requests reach a region's gateway and how many pods take them: Service, PodDisruptionBudget, autoscaler."""

from collections.abc import Mapping
from typing import Any

from fairlead.manifests.settings import Autoscaling


def service(head: dict[str, Any], *, selector: Mapping[str, str], values: Mapping[str, Any]) -> dict[str, Any]:
    """Make the Service; its client port is named `http`."""
    metadata = head["metadata"] | ({"annotations": dict(values["annotations"])} if values["annotations"] else {})
    port = {"name": "http", "port": values["port"], "targetPort": "http", "protocol": "TCP"}
    further = {field: value for field, value in values.items() if field not in ("annotations", "port") and value}
    return {**head, "metadata": metadata, "spec": {**further, "selector": dict(selector), "ports": [port]}}


def disruption_budget(
    head: dict[str, Any], *, selector: Mapping[str, str], max_unavailable: int | str
) -> dict[str, Any]:
    """Bound how many pods a drain takes away at once; `maxUnavailable` never blocks it, not even with one replica."""
    return {**head, "spec": {"maxUnavailable": max_unavailable, "selector": {"matchLabels": dict(selector)}}}


def autoscaler(head: dict[str, Any], *, name: str, scaling: Autoscaling) -> dict[str, Any]:
    """Scale the Deployment by CPU: an Envoy that is busy with requests is busy with CPU."""
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": scaling.target_cpu_percent}}
    return {
        **head,
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": scaling.min_replicas,
            "maxReplicas": scaling.max_replicas,
            "metrics": [{"type": "Resource", "resource": cpu}],
            # A stream that scaling down would end waits for its pod; slow down keeps that rare.
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 300}},
        },
    }
