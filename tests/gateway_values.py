"""How gateways run, as the chart tells the operator: small values for tests, changed by keyword."""

from typing import Any

from fairlead.manifests import Settings, decode_settings

LABELS = {"app.kubernetes.io/name": "fairlead", "app.kubernetes.io/component": "gateway"}


def document(*regions: str, **values: Any) -> dict[str, Any]:
    """Write `gateways.json` for regions that all run alike."""
    region = {
        "replicas": 2,
        "autoscaling": {
            "enabled": False,
            "minReplicas": 2,
            "maxReplicas": 10,
            "targetCPUUtilizationPercentage": 70,
            "targetRequestsPerSecond": 0,
            "metrics": [],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 300}},
        },
        "maxUnavailable": 1,
        "concurrency": 0,
        "gracePeriodSeconds": 300,
        "configMaps": "Plain",
        "service": {"type": "ClusterIP", "port": 80, "annotations": {}},
        "resources": {"requests": {"cpu": "250m"}},
        "nodeSelector": {},
        "tolerations": [],
        "affinity": {},
        "topologyKeys": ["topology.kubernetes.io/zone"],
        "priorityClassName": "",
        "podAnnotations": {},
        "podLabels": {},
        **values,
    }
    return {
        "namePrefix": "fairlead",
        "owner": "fairlead-installation",
        "keysSecret": "fairlead-keys",
        "serviceAccount": "fairlead-gateway",
        "labels": {**LABELS, "helm.sh/chart": "fairlead-0.1.0"},
        "selector": LABELS,
        "image": "envoy:1",
        "pullPolicy": "IfNotPresent",
        "pullSecrets": [],
        "operatorImage": "operator:1",
        "operatorPullPolicy": "IfNotPresent",
        "budgetServer": {},
        "recorder": "",
        "whenAllDrained": "Serve",
        "regions": dict.fromkeys(regions or ("us-east-1",), region),
    }


def settings(*regions: str, **values: Any) -> Settings:
    return decode_settings(document(*regions, **values))
