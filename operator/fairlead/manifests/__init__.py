"""One region's gateway as Kubernetes objects: ConfigMaps, Deployment, Service, disruption budget, autoscaler.

Pure: the IR, the rendered files and the Helm values of a region in, manifests out. What does not differ per region
(ServiceAccount, NetworkPolicy, the Secret of keys) is in the chart, so that the operator needs no right to make it.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any

from fairlead.ir import Gateway
from fairlead.manifests import configuration, naming, packing, paths
from fairlead.manifests.deployment import CONTAINER, deployed_secrets, deployment, mounted_secrets
from fairlead.manifests.settings import (
    COMPONENT_LABEL,
    IN_ROTATION_LABEL,
    REGION_LABEL,
    Autoscaling,
    BudgetSettings,
    RegionSettings,
    Settings,
    decode_settings,
)
from fairlead.memo import Memo

__all__ = [
    "COMPONENT_LABEL",
    "CONTAINER",
    "IN_ROTATION_LABEL",
    "OWNED_KINDS",
    "REGION_LABEL",
    "BudgetSettings",
    "RegionSettings",
    "Settings",
    "carrying",
    "decode_settings",
    "deployed_secrets",
    "is_watched",
    "mounted_secrets",
    "render",
    "secrets",
    "watched_files",
]

REQUESTS_METRIC = "fairlead_requests_per_second"
"""What an adapter calls the rate of a pod's `envoy_fairlead_requests`: `docs/install.md`."""
OWNED_KINDS = ("ConfigMap", "Service", "PodDisruptionBudget", "HorizontalPodAutoscaler", "Deployment")
"""The kinds that `render` makes: what the operator watches, keeps true and prunes."""


def render(
    gateway: Gateway,
    files: Mapping[str, bytes],
    *,
    further_secrets: Collection[str] = (),
    settings: Settings,
    namespace: str,
    owner_uid: str,
    memo: Memo | None = None,
) -> tuple[Mapping[str, Any], ...]:
    """Render every object of a region's gateway, in the order in which they are to be applied.

    `memo` makes it faster, and changes nothing.

    `further_secrets` are mounted beside those that the gateway needs now: a route that begins to use their provider
    then changes no pod.

    Raises `TooLargeError` when the files do not fit into ConfigMaps.
    """
    region = settings.regions[gateway.region]
    name = naming.gateway(settings, gateway.region)
    selector = naming.selector(settings, gateway.region)

    def head(api_version: str, kind: str, suffix: str = "") -> dict[str, Any]:
        return naming.manifest(
            api_version,
            kind,
            name + suffix,
            settings=settings,
            namespace=namespace,
            owner_uid=owner_uid,
            labels={REGION_LABEL: gateway.region},
        )

    pack = packing.pack if memo is None else partial(_packed, memo)
    parts = configuration.parts(files, packed=region.packed, pack=pack)
    objects: list[Mapping[str, Any]] = [
        {**head("v1", "ConfigMap", configuration.suffix(part, packed=region.packed)), **parts[part]}
        for part in (configuration.BOOTSTRAP, *configuration.XDS_PARTS)
    ]
    objects.append(_service(head("v1", "Service"), selector=selector, values=region.service))
    objects.append(
        _disruption_budget(
            head("policy/v1", "PodDisruptionBudget"), selector=selector, max_unavailable=region.max_unavailable
        )
    )
    if region.autoscaling is not None:
        scaler = head("autoscaling/v2", "HorizontalPodAutoscaler")
        objects.append(_autoscaler(scaler, name=name, scaling=region.autoscaling))
    objects.append(
        deployment(
            head("apps/v1", "Deployment"),
            region=gateway.region,
            secrets={*secrets(gateway), *further_secrets},
            bootstrap=files.get("bootstrap.json", b"").decode(),
            settings=settings,
            values=region,
            name=name,
            drain_path=paths.drain_path(owner_uid),
        )
    )
    return tuple(objects)


def _packed(memo: Memo, content: bytes) -> str:
    """Pack a file, unless one of the compilation before has the same content: two files of one are never alike."""
    return memo.of(("packed", hash(content)), (content,), lambda: packing.pack(content))


def secrets(gateway: Gateway) -> frozenset[str]:
    """Return the Secrets that a gateway needs: with credentials, and with what ids of answers are signed by."""
    signing = (file.partition("/")[0] for signer in gateway.signers or () for file in signer.files)
    return frozenset((*(credential.secret_name for credential in gateway.credentials), *signing))


def is_watched(manifest: Mapping[str, Any]) -> bool:
    """Tell whether pods take an object's content while they run, rather than when they start."""
    suffixes = tuple(f"-{part}" for part in configuration.XDS_PARTS)
    return manifest["kind"] == "ConfigMap" and str(manifest["metadata"]["name"]).endswith(suffixes)


def carrying(objects: Iterable[Mapping[str, Any]], files: Mapping[str, bytes]) -> tuple[Mapping[str, Any], ...]:
    """Let the ConfigMaps that pods take while they run carry these files; raises `TooLargeError`."""
    made = tuple(objects)
    carried = configuration.carrying([one for one in made if is_watched(one)], files)
    return tuple(carried.get(one["metadata"]["name"], one) for one in made)


def watched_files(
    found: Callable[[str], Mapping[str, Any] | None], settings: Settings, region: str
) -> Mapping[str, bytes] | None:
    """Return what stands in the ConfigMaps that a region's pods take while they run; None = not everything.

    `found` gives a ConfigMap by its name.
    """
    return configuration.watched(found, naming.gateway(settings, region), packed=settings.regions[region].packed)


def _service(head: dict[str, Any], *, selector: Mapping[str, str], values: Mapping[str, Any]) -> dict[str, Any]:
    """Make the Service; its client port is named `http`."""
    metadata = head["metadata"] | ({"annotations": dict(values["annotations"])} if values["annotations"] else {})
    port = {"name": "http", "port": values["port"], "targetPort": "http", "protocol": "TCP"}
    further = {field: value for field, value in values.items() if field not in ("annotations", "port") and value}
    return {**head, "metadata": metadata, "spec": {**further, "selector": dict(selector), "ports": [port]}}


def _disruption_budget(
    head: dict[str, Any], *, selector: Mapping[str, str], max_unavailable: int | str
) -> dict[str, Any]:
    """Bound how many pods a drain takes away at once; `maxUnavailable` never blocks it, not even with one replica."""
    return {**head, "spec": {"maxUnavailable": max_unavailable, "selector": {"matchLabels": dict(selector)}}}


def _autoscaler(head: dict[str, Any], *, name: str, scaling: Autoscaling) -> dict[str, Any]:
    """Scale the Deployment by CPU: an Envoy that is busy with requests is busy with CPU; by requests if asked to."""
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": scaling.target_cpu_percent}}
    return {
        **head,
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": scaling.min_replicas,
            "maxReplicas": scaling.max_replicas,
            "metrics": [
                {"type": "Resource", "resource": cpu},
                *_requests(scaling.requests_per_pod),
                *map(dict, scaling.metrics),
            ],
            **({"behavior": dict(scaling.behavior)} if scaling.behavior else {}),
        },
    }


def _requests(per_pod: int) -> list[dict[str, Any]]:
    """Make the measure of requests in a second, which an adapter of metrics has to serve."""
    if not per_pod:
        return []
    target = {"type": "AverageValue", "averageValue": str(per_pod)}
    return [{"type": "Pods", "pods": {"metric": {"name": REQUESTS_METRIC}, "target": target}}]
