"""The pods of one region's gateway.

The template holds nothing that changes often: routes, keys and weights arrive through mounted files, so a model swap
never restarts a pod. It changes with the chart's values, with the bootstrap, and with the set of Secrets that hold
providers' credentials; then the pods are replaced one after the other, each when its streams have ended.
"""

import hashlib
from collections.abc import Collection, Mapping
from typing import Any

from fairlead.manifests import configuration, naming, paths
from fairlead.manifests.settings import IN_ROTATION_LABEL, RegionSettings, Settings

CONTAINER = "envoy"
"""The gateway's container in its pods."""
_CREDENTIAL = "credential-"
_SECOND = 1
_FAIRLEAD = ("python3", "/opt/fairlead/bin/fairlead")
"""The entrypoint of the operator's image, which a probe does not run through."""
_BESIDE_GRACE_S = 10
"""What the end of a pod takes beside its streams: five seconds in which every node hears of it, and Envoy's own end."""


def deployment(
    head: dict[str, Any],
    *,
    region: str,
    secrets: Collection[str],
    bootstrap: str,
    settings: Settings,
    values: RegionSettings,
    name: str,
    drain_path: str,
) -> dict[str, Any]:
    """Make the Deployment. `secrets` are to be mounted. An autoscaler, if there is one, owns the number of replicas."""
    selector = dict(naming.selector(settings, region))
    spec: dict[str, Any] = {
        "selector": {"matchLabels": selector},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "25%"}},
        "revisionHistoryLimit": 3,
        "template": {
            "metadata": {
                "labels": {
                    **values.pod_labels,
                    **selector,
                    "app.kubernetes.io/part-of": "fairlead",
                    # A new pod is in rotation; the operator takes it out while its region is drained.
                    IN_ROTATION_LABEL: "true",
                },
                "annotations": {
                    **values.pod_annotations,
                    # Read once at start: another bootstrap, another pod.
                    "fairlead.dev/bootstrap": hashlib.sha256(bootstrap.encode()).hexdigest()[:16],
                    "kubectl.kubernetes.io/default-container": CONTAINER,
                },
            },
            "spec": _pod(
                secrets=sorted(secrets),
                settings=settings,
                region=values,
                name=name,
                selector=selector,
                drain_path=drain_path,
            ),
        },
    }
    if values.autoscaling is None:
        spec["replicas"] = values.replicas
    return {**head, "spec": spec}


def mounted_secrets(pod: Mapping[str, Any]) -> frozenset[str]:
    """Return the Secrets that a gateway pod mounts: a credential of any other one does not reach its providers."""
    volumes = pod.get("spec", {}).get("volumes", ())
    return frozenset(volume["secret"]["secretName"] for volume in volumes if "secret" in volume)


def deployed_secrets(found: Mapping[str, Any]) -> frozenset[str]:
    """Return the Secrets with providers' credentials that a Deployment of a gateway mounts into its pods."""
    template = found.get("spec", {}).get("template", {})
    return frozenset(
        volume["secret"]["secretName"]
        for volume in template.get("spec", {}).get("volumes") or ()
        if volume["name"].startswith(_CREDENTIAL) and "secretName" in volume.get("secret", {})
    )


def _pod(
    *,
    secrets: list[str],
    settings: Settings,
    region: RegionSettings,
    name: str,
    selector: Mapping[str, str],
    drain_path: str,
) -> dict[str, Any]:
    placement = region.placement
    pod: dict[str, Any] = {
        "serviceAccountName": settings.service_account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "fsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationGracePeriodSeconds": region.grace_period_s + _BESIDE_GRACE_S,
        **({"initContainers": [_unpacking(settings)]} if region.packed else {}),
        "containers": [_container(settings, region, secrets, drain_path)],
        "volumes": _volumes(settings, region, name, secrets),
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": key,
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": dict(selector)},
            }
            for key in placement.topology_keys
        ],
    }
    optional = {
        "imagePullSecrets": [{"name": secret} for secret in settings.pull_secrets],
        "nodeSelector": dict(placement.node_selector),
        "tolerations": list(placement.tolerations),
        "affinity": dict(placement.affinity),
        "priorityClassName": placement.priority_class_name,
    }
    return pod | {field: value for field, value in optional.items() if value}


def _container(settings: Settings, region: RegionSettings, secrets: list[str], drain_path: str) -> dict[str, Any]:
    ready = {"path": paths.READY_PATH, "port": "http"}
    return {
        "name": CONTAINER,
        "image": settings.image,
        "imagePullPolicy": settings.pull_policy,
        "command": ["envoy"],
        "args": [
            "--config-path",
            f"{paths.BOOTSTRAP_DIR}/bootstrap.json",
            # A dynamic file with an unknown field is refused as a whole, rather than taken without it.
            "--reject-unknown-dynamic-fields",
            "--disable-hot-restart",
            "--log-level",
            "warning",
            # At every change it would say some forty times that a filter of it is work in progress.
            "--component-log-level",
            "misc:error",
            *(["--concurrency", str(region.concurrency)] if region.concurrency else ["--cpuset-threads"]),
        ],
        # Tells this Envoy from others of its region in reports and counters.
        "env": [
            {"name": paths.POD_NAME, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": paths.DRAIN_PATH, "value": drain_path},
        ],
        "ports": [
            {"name": "http", "containerPort": paths.HTTP_PORT, "protocol": "TCP"},
            {"name": "metrics", "containerPort": paths.METRICS_PORT, "protocol": "TCP"},
        ],
        # Answered when the last request has ended; SIGTERM comes after.
        "lifecycle": {"preStop": {"httpGet": {"path": drain_path, "port": paths.DRAIN_PORT}}},
        # Both stand on the data port and need no API server: ready = a configuration serves and the pod does not drain.
        "startupProbe": {
            "httpGet": dict(ready),
            "periodSeconds": _SECOND,
            "failureThreshold": 120,
            "timeoutSeconds": 5,
        },
        "readinessProbe": {"httpGet": dict(ready), "periodSeconds": 2, "failureThreshold": 3, "timeoutSeconds": 5},
        "livenessProbe": {
            "tcpSocket": {"port": "http"},
            "periodSeconds": 10,
            "failureThreshold": 6,
            "timeoutSeconds": 5,
        },
        "resources": dict(region.placement.resources),
        "securityContext": _restricted(),
        "volumeMounts": [
            {"name": "bootstrap", "mountPath": paths.BOOTSTRAP_DIR, "readOnly": True},
            {"name": "xds", "mountPath": paths.XDS_DIR, "readOnly": True},
            {"name": "keys", "mountPath": paths.KEYS_DIR, "readOnly": True},
            {"name": "run", "mountPath": paths.RUN_DIR},
            *(
                {"name": volume, "mountPath": f"{paths.CREDENTIALS_DIR}/{secret}", "readOnly": True}
                for secret, volume in _credential_volumes(secrets).items()
            ),
        ],
    }


def _unpacking(settings: Settings) -> dict[str, Any]:
    """Unpack what ConfigMaps bring in gzip: a sidecar, there before Envoy starts and after it ends."""
    return {
        "name": "unpack",
        "image": settings.unpacking.image,
        "imagePullPolicy": settings.unpacking.pull_policy,
        "args": ["unpack", paths.PACKED_DIR, paths.XDS_DIR],
        "restartPolicy": "Always",
        # Envoy does not start without its files; `--there` tells whether they are.
        "startupProbe": {
            "exec": {"command": [*_FAIRLEAD, "unpack", "--there", paths.PACKED_DIR, paths.XDS_DIR]},
            "periodSeconds": _SECOND,
            "failureThreshold": 120,
            "timeoutSeconds": 10,
        },
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": _restricted(),
        "volumeMounts": [
            {"name": "packed", "mountPath": paths.PACKED_DIR, "readOnly": True},
            {"name": "xds", "mountPath": paths.XDS_DIR},
        ],
    }


def _restricted() -> dict[str, Any]:
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def _volumes(settings: Settings, region: RegionSettings, name: str, secrets: list[str]) -> list[dict[str, Any]]:
    mapped = [
        {"configMap": {"name": f"{name}{configuration.suffix(part, packed=region.packed)}"}}
        for part in configuration.XDS_PARTS
    ]
    brought = {"projected": {"sources": mapped}}
    return [
        {"name": "bootstrap", "configMap": {"name": f"{name}-{configuration.BOOTSTRAP}"}},
        *(
            [{"name": "packed", **brought}, {"name": "xds", "emptyDir": {"sizeLimit": "64Mi"}}]
            if region.packed
            else [{"name": "xds", **brought}]
        ),
        {"name": "keys", "secret": {"secretName": settings.keys_secret}},
        {"name": "run", "emptyDir": {"sizeLimit": "16Mi"}},
        # Optional: a Secret that is not there yet costs its own targets their credential, not the pod its start.
        *(
            {"name": volume, "secret": {"secretName": secret, "optional": True}}
            for secret, volume in _credential_volumes(secrets).items()
        ),
    ]


def _credential_volumes(secrets: list[str]) -> Mapping[str, str]:
    """Name a volume per Secret: a Secret's name may hold dots and 253 characters, a volume's may not."""
    return {secret: f"{_CREDENTIAL}{hashlib.sha256(secret.encode()).hexdigest()[:12]}" for secret in secrets}
