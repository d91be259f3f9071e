"""One region's gateway as Kubernetes objects: ConfigMaps, Deployment, Service, disruption budget, autoscaler.

Pure: the IR, the rendered files and the Helm values of a region in, manifests out. What does not differ per region
(ServiceAccount, NetworkPolicy, the Secret of keys) is in the chart, so that the operator needs no right to make it.
"""

from collections.abc import Collection, Mapping
from typing import Any

from fairlead.ir import Gateway
from fairlead.manifests import configuration, naming, paths, traffic
from fairlead.manifests.deployment import deployed_secrets, deployment, mounted_secrets
from fairlead.manifests.settings import (
    COMPONENT_LABEL,
    REGION_LABEL,
    BudgetSettings,
    RegionSettings,
    Settings,
    decode_settings,
)

__all__ = [
    "COMPONENT_LABEL",
    "OWNED_KINDS",
    "REGION_LABEL",
    "BudgetSettings",
    "RegionSettings",
    "Settings",
    "decode_settings",
    "deployed_secrets",
    "is_watched",
    "mounted_secrets",
    "render",
    "secrets",
]

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
) -> tuple[Mapping[str, Any], ...]:
    """Render every object of a region's gateway, in the order in which they are to be applied.

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

    parts = configuration.parts(files)
    objects: list[Mapping[str, Any]] = [
        configuration.config_map(head("v1", "ConfigMap", f"-{part}"), parts[part])
        for part in (configuration.BOOTSTRAP, *configuration.XDS_PARTS)
    ]
    objects.append(traffic.service(head("v1", "Service"), selector=selector, values=region.service))
    objects.append(
        traffic.disruption_budget(
            head("policy/v1", "PodDisruptionBudget"), selector=selector, max_unavailable=region.max_unavailable
        )
    )
    if region.autoscaling is not None:
        scaler = head("autoscaling/v2", "HorizontalPodAutoscaler")
        objects.append(traffic.autoscaler(scaler, name=name, scaling=region.autoscaling))
    objects.append(
        deployment(
            head("apps/v1", "Deployment"),
            region=gateway.region,
            secrets={*secrets(gateway), *further_secrets},
            bootstrap=parts[configuration.BOOTSTRAP].get("bootstrap.json", ""),
            settings=settings,
            values=region,
            name=name,
            drain_path=paths.drain_path(owner_uid),
        )
    )
    return tuple(objects)


def secrets(gateway: Gateway) -> frozenset[str]:
    """Return the Secrets with the credentials that a gateway needs."""
    return frozenset(credential.secret_name for credential in gateway.credentials)


def is_watched(manifest: Mapping[str, Any]) -> bool:
    """Tell whether pods take an object's content while they run, rather than when they start."""
    suffixes = tuple(f"-{part}" for part in configuration.XDS_PARTS)
    return manifest["kind"] == "ConfigMap" and str(manifest["metadata"]["name"]).endswith(suffixes)
